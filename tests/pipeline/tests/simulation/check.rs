//! What must hold at rest.

use std::collections::{BTreeMap, BTreeSet};

use aws::dynamodb::{History, Ledgers};
use domain::history::{Announcement, Happening};
use domain::image::ImageId;
use jiff::Timestamp;
use pipeline_tests::buildx::REPOSITORY;
use pipeline_tests::{history, ledgers};
use serde_json::Value;
use sim_aws::{ImageStatus, ImageView};
use sim_pipeline::{ImageOutcome, Outcome, Pipeline};

use crate::world::World;

/// How many writes an event may cost, and how many there may be besides. Measured in histories in which nothing goes
/// wrong, with room for half as many again.
const WRITES_AN_EVENT: u64 = 6;
const WRITES_BESIDES: u64 = 40;
/// The same for all calls. What is found is found again many times over, which counts as one event.
const CALLS_AN_EVENT: u64 = 18;
const CALLS_BESIDES: u64 = 100;
/// How many calls and writes a run of the schedule may cost in a small world.
const CALLS_A_SWEEP: u64 = 40;
const WRITES_A_SWEEP: u64 = 8;
/// What is tampered with again within a day is looked at every 15 minutes until the day is over, and then told.
const CALLS_A_TAMPERING: u64 = 700;

/// What must be remembered from one rest to the next.
pub struct Check {
    ledgers: Ledgers,
    history: History,
    /// How many events happened.
    pub events: u64,
    /// How often the schedule fired, at most.
    pub sweeps: u64,
    /// Whether anything went wrong.
    pub troubled: bool,
    /// Whether SNS may have published what it did not answer. The SDK then publishes the same once more.
    pub unanswered: bool,
    /// How many published messages were looked at, and what they told.
    published: usize,
    messages: BTreeSet<String>,
    told: BTreeSet<String>,
    calls: BTreeMap<(String, String), u64>,
}

impl Check {
    pub async fn new(pipeline: &Pipeline) -> Self {
        Self {
            ledgers: ledgers(pipeline).await,
            history: history(pipeline).await,
            events: 0,
            sweeps: 0,
            troubled: false,
            unanswered: false,
            published: 0,
            messages: BTreeSet::new(),
            told: BTreeSet::new(),
            calls: BTreeMap::new(),
        }
    }

    /// To read the index and the history takes as long as all the rest, and what is wrong there mostly stays so until the
    /// end; so this is done where it is to be done thoroughly.
    pub async fn at_rest(&mut self, pipeline: &Pipeline, world: &mut World, thoroughly: bool, when: &str) {
        let outcome = Outcome::of(pipeline).await.unwrap();
        assert_eq!(outcome.events.dead, 0, "{when}: {:?}", pipeline.dead());
        if world.is_behind {
            return self.behind(pipeline, world, when);
        }
        let roots = world.roots();
        let live: BTreeSet<&String> = world.live().map(|(digest, _)| digest).collect();
        let is_there =
            |image: &&ImageOutcome| live.contains(&image.digest) && !world.is_orphan(&image.digest);
        let images: Vec<&ImageOutcome> = outcome.images.iter().filter(is_there).collect();
        let judged: BTreeSet<String> = images.iter().map(|image| image.digest.clone()).collect();
        assert_eq!(judged, roots, "{when}: the roots");
        let mut verdicts = BTreeMap::new();
        for image in &images {
            let (verdict, expected) = (image.verdict.to_string(), world.verdicts(&image.digest));
            assert!(
                expected.contains(&verdict.as_str()),
                "{when}: {} is {verdict}, not {expected:?}",
                image.digest
            );
            verdicts.insert(image.digest.clone(), verdict);
        }
        let views = pipeline.aws.ecr().images();
        let marked = registry(&views, world, Some(&verdicts), when);
        assert!(
            world.is_bounded(&marked, &verdicts),
            "{when}: more came under quarantine than the limit lets"
        );
        world.seen(&pipeline.aws, &views, &marked, &verdicts);
        self.told(pipeline, when);
        if thoroughly {
            self.remembered(&images, world, when).await;
        }
        self.granted(pipeline, when);
        self.writes(pipeline, world, when);
    }

    /// What holds while the product cannot know what happened: nothing is lost or said twice.
    fn behind(&mut self, pipeline: &Pipeline, world: &mut World, when: &str) {
        let views = pipeline.aws.ecr().images();
        let marked = registry(&views, world, None, when);
        world.seen(&pipeline.aws, &views, &marked, &BTreeMap::new());
        self.told(pipeline, when);
        self.granted(pipeline, when);
    }

    /// No alert is repeated but after a crash.
    fn told(&mut self, pipeline: &Pipeline, when: &str) {
        let published = pipeline.aws.sns().published();
        for published in published.into_iter().skip(self.published) {
            self.published += 1;
            let forms: Value = serde_json::from_str(&published.message).unwrap();
            let form: Value = serde_json::from_str(forms["sqs"].as_str().unwrap()).unwrap();
            let may_repeat = form["may_repeat"].as_bool().unwrap();
            if !self.messages.insert(published.message) && self.unanswered {
                continue;
            }
            assert!(self.troubled || !may_repeat, "{when}: called a repetition, though nothing went wrong");
            let images = form["images"].as_array().map(Vec::as_slice).unwrap_or_default();
            let of_image = images.iter().filter_map(|image| image["assessment"].as_str());
            let ids: Vec<&str> = of_image.chain(form["notice"]["id"].as_str()).collect();
            for id in ids {
                assert!(self.told.insert(id.to_owned()) || may_repeat, "{when}: {id} is told twice");
            }
        }
    }

    /// Nobody is told of each image that was adopted.
    pub fn adopted(&self, world: &World, when: &str) {
        for (digest, _) in world.live().filter(|(_, thing)| thing.adopted == Some(true)) {
            let told = self.told.iter().find(|id| id.contains(digest));
            assert!(told.is_none(), "{when}: {told:?} is told of an image that was adopted");
        }
    }

    /// The index of all images and the history say what was announced, and nothing was announced without a reason.
    async fn remembered(&self, images: &[&ImageOutcome], world: &World, when: &str) {
        let rows = self.ledgers.rows().await.unwrap();
        let rows = rows.items.into_iter().map(|listed| (listed.image, listed.row));
        let rows: BTreeMap<ImageId, _> =
            rows.filter(|(id, _)| !world.is_orphan(id.digest.as_str())).collect();
        assert_eq!(rows.len(), images.len(), "{when}: images in the index");
        for (id, row) in rows {
            let image = images.iter().find(|image| image.digest == id.digest.as_str());
            let image = image.unwrap_or_else(|| panic!("{when}: {id} in the index is no root"));
            assert_eq!(row.verdict, image.verdict, "{when}: {id} in the index");
            // Nothing is announced of what is pending, so it has no counts.
            if row.verdict.to_string() != "pending" {
                assert_eq!(row.open, image.findings, "{when}: {id} in the index");
                // The schedule alone finds that a waiver has ended.
                if !world.policy.waiver_ended(world.swept_at, world.now) {
                    assert_eq!(row.waived, image.waived as u64, "{when}: {id} in the index");
                }
            }
            let announced = self.announced(&id).await;
            let mut verdict = "pending".to_owned();
            for announcement in &announced {
                let previous = announcement.previous.to_string();
                assert_eq!(previous, verdict, "{when}: an entry before this of {id} is missing");
                verdict = announcement.verdict.to_string();
            }
            assert_eq!(verdict, row.verdict.to_string(), "{when}: the last entry of {id}");
            let images = world.images_of(&image.digest);
            let scans: u64 = images.iter().map(|image| image.scans).sum();
            // What changes one platform may leave the index with the same findings.
            let changes: u64 = images.iter().map(|image| image.changes).sum();
            let reasons = scans + world.policies + if images.len() > 1 { changes } else { 0 };
            let openings = world.openings(&image.digest);
            let opened: u64 = announced.iter().flat_map(|one| one.opened.values()).sum();
            // What is taken back is told again when the image is deployed by itself again.
            let taken_back: u64 =
                announced.iter().filter(|one| one.superseded).flat_map(|one| one.closed.values()).sum();
            let told = opened.saturating_sub(taken_back);
            assert!(told <= openings, "{when}: {told} of {openings} findings told of {id}");
            let idle = announced
                .iter()
                .filter(|one| one.previous == one.verdict && one.opened.is_empty() && one.closed.is_empty());
            let idle: Vec<&Announcement> = idle.collect();
            assert!(
                idle.len() as u64 <= reasons,
                "{when}: without news of {id}, more than {reasons}: {idle:?}"
            );
        }
    }

    /// How often something was announced of each root.
    pub async fn said(&self, world: &World) -> BTreeMap<String, usize> {
        let mut said = BTreeMap::new();
        for root in world.roots() {
            let digest = root.clone().try_into().unwrap();
            let (account, region) = ("210987654321".to_owned(), "eu-west-1".to_owned());
            let id = ImageId { account, region, repository: REPOSITORY.to_owned(), digest };
            said.insert(root, self.announced(&id).await.len());
        }
        said
    }

    /// While nothing happened but that time passed, nothing was announced without a date or a new policy, and of each once.
    /// `said` is what was announced before, and `swept` when the schedule had fired last, and for which roots.
    pub async fn said_by_time(
        &self,
        world: &World,
        said: &BTreeMap<String, usize>,
        swept: &(Timestamp, BTreeSet<String>),
        policies: usize,
        when: &str,
    ) {
        for (root, now) in self.said(world).await {
            let new = now - said[&root];
            let since = if swept.1.contains(&root) { swept.0 } else { Timestamp::MIN };
            let dates = world.dates(&root, since);
            let most = dates + policies;
            assert!(new <= most, "{when}: {new} announcements of {root}, {dates} dates, {policies} policies");
        }
    }

    /// What was announced of an image, in the order of time.
    async fn announced(&self, image: &ImageId) -> Vec<Announcement> {
        let entries = self.history.of(image, Timestamp::MIN..Timestamp::MAX).await.unwrap();
        let announcement = |what| match what {
            Happening::Assessed(announcement) => Some(*announcement),
            _ => None,
        };
        entries.into_iter().filter_map(|entry| announcement(entry.what)).collect()
    }

    /// No function called what the template does not grant it.
    fn granted(&mut self, pipeline: &Pipeline, when: &str) {
        let calls = pipeline.aws.calls_by_caller();
        for ((caller, action), count) in &calls {
            let key = (caller.clone(), action.clone());
            let function = pipeline.functions().find(|function| function.name == *caller);
            let Some(function) = function.filter(|_| self.calls.get(&key) != Some(count)) else { continue };
            let granted = function.grants.iter().any(|grant| grant.actions.contains(action));
            assert!(granted, "{when}: {caller} calls {action}, which it is not granted");
        }
        self.calls = calls;
    }

    fn writes(&self, pipeline: &Pipeline, world: &World, when: &str) {
        let limit = WRITES_AN_EVENT * self.events + WRITES_A_SWEEP * self.sweeps + WRITES_BESIDES;
        let writes: u64 = writes(pipeline).values().sum();
        assert!(self.troubled || writes <= limit, "{when}: {writes} writes after {} events", self.events);
        let calls: u64 =
            self.calls.iter().filter(|((caller, _), _)| !caller.is_empty()).map(|(_, count)| count).sum();
        let limit = CALLS_AN_EVENT * self.events
            + CALLS_A_SWEEP * self.sweeps
            + CALLS_A_TAMPERING * world.tamperings
            + CALLS_BESIDES;
        assert!(self.troubled || calls <= limit, "{when}: {calls} calls after {} events", self.events);
    }
}

/// Nothing is lost and nothing is changed, and of all images the roots alone are marked, untagged and archived, as the mode
/// and their verdicts say, where these are known. Returns which are marked.
fn registry(
    views: &[ImageView],
    world: &World,
    verdicts: Option<&BTreeMap<String, String>>,
    when: &str,
) -> BTreeMap<String, bool> {
    let there: BTreeSet<&String> = views.iter().map(|view| &view.digest).collect();
    assert_eq!(there, world.live().map(|(digest, _)| digest).collect(), "{when}: what is in the registry");
    let mut marked = BTreeMap::new();
    for view in views {
        let (digest, thing) = (&view.digest, &world.things[&view.digest]);
        assert_eq!(view.manifest, thing.manifest.body, "{when}: the manifest of {digest}");
        assert_eq!(view.media_type, thing.manifest.media_type, "{when}: the media type of {digest}");
        let (ours, theirs): (BTreeSet<String>, BTreeSet<String>) =
            view.tags.iter().cloned().partition(|tag| {
                tag.starts_with("quarantine-") || tag.starts_with("released-from-quarantine-")
            });
        let short = &digest["sha256:".len()..][..12];
        let (mark, released) = (format!("quarantine-{short}"), format!("released-from-quarantine-{short}"));
        let has = |tag: &String| ours.contains(tag);
        assert!(ours.iter().all(|tag| *tag == mark || *tag == released), "{when}: {digest} has {ours:?}");
        assert!(!(has(&mark) && has(&released)), "{when}: {digest} has {ours:?}");
        marked.insert(digest.clone(), has(&mark));

        let Some(verdicts) = verdicts else { continue };
        let verdict = verdicts.get(digest).map(String::as_str);
        let expected = world.expected(digest, verdict, verdicts);
        let said = format!("{when}, mode {}, {verdict:?}, {:?}: {digest}", world.mode, thing.stored);
        // Nothing is pushed to what is archived: a part that was archived with its index gets no mark of its own.
        let is_archived_part = view.status == ImageStatus::Archived && world.was_contained(digest);
        if let Some(is_marked) = expected.mark.filter(|_| !is_archived_part) {
            assert_eq!(has(&mark), is_marked, "{said} has {ours:?}");
            let was_marked = thing.marked && !thing.unmarked;
            assert!(is_marked || !was_marked || has(&released), "{said} was released without a tag");
        }
        let mut known = world.tags_of(digest);
        known.extend(thing.withheld.iter().filter(|tag| !world.tags.contains_key(*tag)).cloned());
        known.retain(|tag| theirs.contains(tag) || world.tags.get(tag) == Some(digest));
        assert!(theirs.is_subset(&known), "{said} has {theirs:?} of {known:?}");
        let taken: BTreeSet<String> = known.difference(&theirs).cloned().collect();
        match expected.taken {
            Some(expected) => assert_eq!(taken, expected, "{said}: tags that were taken off"),
            None => assert!(taken.iter().all(|tag| !world.moves(tag)), "{said}: {taken:?} were taken off"),
        }
        if let Some(archived) = expected.archived {
            assert_eq!(view.status == ImageStatus::Archived, archived, "{said}: {:?}", view.status);
        }
        // Nothing is left to be done to a part when it is restored.
        assert!(view.status != ImageStatus::Activating || verdict.is_none(), "{said}");
    }
    marked
}

/// How often the functions changed something, by function and IAM action.
pub fn writes(pipeline: &Pipeline) -> BTreeMap<String, u64> {
    let reads = ["Get", "List", "Describe", "Query"];
    let changes = |action: &str| {
        let (_, operation) = action.split_once(':').unwrap();
        !reads.iter().any(|read| operation.starts_with(read)) && !operation.starts_with("BatchGet")
    };
    let calls = pipeline.aws.calls_by_caller().into_iter();
    let calls = calls.filter(|((caller, action), _)| !caller.is_empty() && changes(action));
    calls.map(|((caller, action), count)| (format!("{caller} {action}"), count)).collect()
}
