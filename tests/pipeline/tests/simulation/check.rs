//! What must hold at rest.

use std::collections::{BTreeMap, BTreeSet};

use pipeline_tests::{announced, assert_remembered};
use serde_json::Value;
use sim_pipeline::{Outcome, Pipeline};

use crate::world::World;

/// How many writes an event may cost, and how many there may be besides. Measured in histories in which nothing goes
/// wrong, with room for half as many again.
const WRITES_AN_EVENT: u64 = 12;
const WRITES_BESIDES: u64 = 40;

/// What must be remembered from one rest to the next.
#[derive(Default)]
pub struct Check {
    /// How many events happened.
    pub events: u64,
    /// Whether anything went wrong.
    pub troubled: bool,
    /// Whether SNS may have published what it did not answer. The SDK then publishes the same once more.
    pub unanswered: bool,
}

impl Check {
    pub async fn at_rest(&mut self, pipeline: &Pipeline, world: &World, when: &str) {
        let mut outcome = Outcome::of(pipeline).await.unwrap();
        assert_eq!(outcome.events.dead, 0, "{when}: {:?}", pipeline.dead());
        let roots = world.roots();
        let live: BTreeSet<&String> = world.live().map(|(digest, _)| digest).collect();
        outcome.images.retain(|image| live.contains(&image.digest));
        let judged: BTreeSet<String> = outcome.images.iter().map(|image| image.digest.clone()).collect();
        assert_eq!(judged, roots, "{when}: the roots");
        let mut verdicts = BTreeMap::new();
        for image in &outcome.images {
            let (verdict, expected) = (image.verdict.to_string(), world.verdicts(&image.digest));
            assert!(
                expected.contains(&verdict.as_str()),
                "{when}: {} is {verdict}, not {expected:?}",
                image.digest
            );
            verdicts.insert(image.digest.clone(), verdict);
        }
        registry(pipeline, world, &verdicts, when);
        self.said(pipeline, world, &outcome, when).await;
        self.writes(pipeline, when);
        assert_remembered(pipeline, &outcome, when).await;
    }

    /// No announcement is repeated but after a crash, and none is made without a reason.
    async fn said(&self, pipeline: &Pipeline, world: &World, outcome: &Outcome, when: &str) {
        let (mut known, mut messages) = (BTreeSet::new(), BTreeSet::new());
        for published in pipeline.aws.sns().published() {
            let forms: Value = serde_json::from_str(&published.message).unwrap();
            let form: Value = serde_json::from_str(forms["sqs"].as_str().unwrap()).unwrap();
            let may_repeat = form["may_repeat"].as_bool().unwrap();
            if !messages.insert(published.message) && self.unanswered {
                continue;
            }
            assert!(self.troubled || !may_repeat, "{when}: called a repetition, though nothing went wrong");
            for image in form["images"].as_array().unwrap() {
                let id = image["assessment"].as_str().unwrap().to_owned();
                assert!(known.insert(id.clone()) || may_repeat, "{when}: {id} is told twice");
            }
        }
        for image in &outcome.images {
            let images = world.images_of(&image.digest);
            let scans: u64 = images.iter().map(|image| image.scans).sum();
            let openings = world.openings(&image.digest);
            let id = format!("210987654321/eu-west-1/{}@{}", image.repository, image.digest);
            let announced = announced(pipeline, &id.parse().unwrap()).await;
            let opened: u64 = announced.iter().flat_map(|one| one.opened.values()).sum();
            assert!(opened <= openings, "{when}: {opened} of {openings} findings told of {}", image.digest);
            let idle = announced
                .iter()
                .filter(|one| one.previous == one.verdict && one.opened.is_empty() && one.closed.is_empty());
            let idle = idle.count() as u64;
            assert!(
                idle <= scans,
                "{when}: {idle} announcements without news of {} in {scans} scans",
                image.digest
            );
        }
    }

    fn writes(&self, pipeline: &Pipeline, when: &str) {
        let limit = WRITES_AN_EVENT * self.events + WRITES_BESIDES;
        let writes: u64 = writes(pipeline).values().sum();
        assert!(self.troubled || writes <= limit, "{when}: {writes} writes after {} events", self.events);
    }
}

/// Nothing is lost and nothing is changed, and only roots are marked, as their verdict is.
fn registry(pipeline: &Pipeline, world: &World, verdicts: &BTreeMap<String, String>, when: &str) {
    let views = pipeline.aws.ecr().images();
    let there: BTreeSet<&String> = views.iter().map(|view| &view.digest).collect();
    assert_eq!(there, world.live().map(|(digest, _)| digest).collect(), "{when}: what is in the registry");
    for view in &views {
        let (digest, thing) = (&view.digest, &world.things[&view.digest]);
        assert_eq!(view.manifest, thing.manifest.body, "{when}: the manifest of {digest}");
        assert_eq!(view.media_type, thing.manifest.media_type, "{when}: the media type of {digest}");
        let (ours, theirs): (Vec<String>, Vec<String>) =
            view.tags.iter().cloned().partition(|tag| {
                tag.starts_with("quarantine-") || tag.starts_with("released-from-quarantine-")
            });
        assert_eq!(theirs, world.tags_of(digest), "{when}: the tags of {digest}");
        let short = &digest["sha256:".len()..][..12];
        let (mark, released) = (format!("quarantine-{short}"), format!("released-from-quarantine-{short}"));
        let has = |tag: &String| ours.contains(tag);
        assert!(ours.iter().all(|tag| *tag == mark || *tag == released), "{when}: {digest} has {ours:?}");
        match verdicts.get(digest).map(String::as_str) {
            Some("quarantine") => assert!(has(&mark) && !has(&released), "{when}: {digest} has {ours:?}"),
            // What is not known to be clear keeps a mark that it had, perhaps since a moment ago.
            Some("pending" | "unscannable") if world.openings(digest) > 0 => {}
            // A part keeps a mark that it had until all that contains it is clear.
            None if world.openings(digest) > 0 => {}
            _ => assert!(!has(&mark), "{when}: {digest} has {ours:?}"),
        }
    }
}

/// How often the functions changed something, by IAM action.
pub fn writes(pipeline: &Pipeline) -> BTreeMap<String, u64> {
    let reads = ["Get", "List", "Describe", "Query"];
    let changes = |action: &str| {
        let (_, operation) = action.split_once(':').unwrap();
        !reads.iter().any(|read| operation.starts_with(read)) && !operation.starts_with("BatchGet")
    };
    pipeline.calls().into_iter().filter(|(action, _)| changes(action)).collect()
}
