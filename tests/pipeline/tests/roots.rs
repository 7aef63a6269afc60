//! Verdicts, alerts and quarantine are of what people deploy: the index, where there is one. Its findings are those of
//! the images that it contains (invariant 1 for links, and 6 for platforms that nobody scans).
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

use std::collections::BTreeSet;

use domain::image::ImageId;
use domain::verdict::Verdict;
use pipeline_tests::buildx::{Manifest, REPOSITORY, minute};
use pipeline_tests::{announced, assert_remembered, file, pipeline_with, play, setting, shuffled, stream};
use serde_json::Value;
use sim_aws::{Fault, Mutability, Nth};
use sim_pipeline::{ImageOutcome, Outcome, Pipeline};

async fn pipeline() -> Pipeline {
    let mut setting = setting();
    setting.policy = file("tests/pipeline/critical-policy.yaml");
    pipeline_with(setting).await
}

/// Two platforms and their index, tagged 1.4.0.
struct Build {
    amd64: Manifest,
    arm64: Manifest,
    index: Manifest,
    attestations: Vec<Manifest>,
}

impl Build {
    fn new() -> Self {
        Self::of("first", 1)
    }

    fn of(content: &str, build: u32) -> Self {
        let images = ["linux/amd64", "linux/arm64"].map(|platform| Manifest::image(platform, content));
        let (index, attestations) = Manifest::build(&images, build);
        let [amd64, arm64] = images;
        Self { amd64, arm64, index, attestations }
    }

    /// In the order in which BuildKit pushes.
    fn pushed(&self, tag: &str, at: i64) -> Vec<Value> {
        let children = [&self.amd64, &self.arm64].into_iter().chain(&self.attestations);
        let mut events: Vec<Value> = children.flat_map(|child| child.push("", minute(at))).collect();
        events.extend(self.index.push(tag, minute(at)));
        events
    }

    /// One of the platforms is vulnerable.
    fn scanned(&self, at: i64) -> Vec<Value> {
        [self.amd64.scan(&["CVE-2031-1"], minute(at)), self.arm64.scan(&[], minute(at))].concat()
    }
}

fn mark(manifest: &Manifest) -> String {
    format!("quarantine-{}", &manifest.digest()["sha256:".len()..][..12])
}

fn root<'a>(outcome: &'a Outcome, manifest: &Manifest) -> Option<&'a ImageOutcome> {
    outcome.images.iter().find(|image| image.digest == manifest.digest())
}

fn tags(pipeline: &Pipeline, manifest: &Manifest) -> Vec<String> {
    let images = pipeline.aws.ecr().images();
    images.into_iter().find(|image| image.digest == manifest.digest()).unwrap().tags
}

#[tokio::test]
async fn the_index_is_judged_and_marked_and_named_by_its_tag() {
    let build = Build::new();
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(build.pushed("1.4.0", 0))).await;
    let outcome = play(&mut pipeline, stream(build.scanned(2))).await;
    assert_eq!(outcome.images.len(), 1, "{:?}", outcome.images);
    let image = root(&outcome, &build.index).unwrap();
    assert_eq!((image.verdict, image.findings.values().sum::<u64>()), (Verdict::Quarantine, 1));
    assert_eq!(image.platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(image.tags, ["1.4.0".to_owned(), mark(&build.index)]);
    assert_eq!(tags(&pipeline, &build.amd64), Vec::<String>::new(), "the child keeps out of it");
    let [alert] = outcome.alerts.as_slice() else { panic!("{:#?}", outcome.alerts) };
    assert!(alert.subject.contains("shop/multi:1.4.0"), "{}", alert.subject);
    assert!(alert.text.contains("only in linux/amd64"), "{}", alert.text);
    assert!(alert.text.contains(&mark(&build.index)), "{}", alert.text);
    assert_eq!(outcome.events.dead, 0);
}

#[tokio::test]
async fn order_and_repetition_of_an_index_and_its_children_do_not_matter() {
    let build = Build::new();
    let events = || [build.pushed("1.4.0", 0), build.scanned(2)].concat();
    let whole = play(&mut pipeline().await, stream(events())).await;
    for seed in 1..=40 {
        let twice = shuffled([events(), events()].concat(), seed);
        let outcome = play(&mut pipeline().await, stream(twice)).await;
        assert_eq!(outcome.images, whole.images, "seed {seed}");
        assert_eq!(outcome.alerts, whole.alerts, "seed {seed}");
    }
}

#[tokio::test]
async fn an_index_that_comes_again_writes_nothing() {
    let build = Build::new();
    let mut pipeline = pipeline().await;
    let events = || [build.pushed("1.4.0", 0), build.scanned(2)].concat();
    let before = play(&mut pipeline, stream(events())).await.calls;
    let after = play(&mut pipeline, stream(events())).await.calls;
    for (action, count) in after {
        let read = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "inspector2:ListFindings"]
            .contains(&action.as_str());
        assert!(read || before[&action] == count, "{action}: {} and then {count}", before[&action]);
    }
}

#[tokio::test]
async fn a_rebuild_over_a_child_in_quarantine_is_caught_at_its_push() {
    let (first, second) = (Build::new(), Build::of("first", 2));
    assert_eq!(first.amd64.digest(), second.amd64.digest());
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream([first.pushed("1.4.0", 0), first.scanned(2)].concat())).await;
    // Only the provenance is new, and no scanner says another word.
    let outcome = play(&mut pipeline, stream(second.pushed("1.4.1", 60))).await;
    let image = root(&outcome, &second.index).unwrap();
    assert_eq!(image.verdict, Verdict::Quarantine);
    assert_eq!(image.tags, ["1.4.1".to_owned(), mark(&second.index)]);
    assert_eq!(outcome.alerts.len(), 2, "one for each of the two");
    assert!(outcome.alerts[1].subject.contains("shop/multi:1.4.1"), "{}", outcome.alerts[1].subject);
}

#[tokio::test]
async fn what_was_judged_by_itself_is_taken_back_when_its_index_comes() {
    let build = Build::new();
    let mut pipeline = pipeline().await;
    let alone = [build.amd64.push("", minute(0)).to_vec(), build.amd64.scan(&["CVE-2031-1"], minute(2))];
    let outcome = play(&mut pipeline, stream(alone.concat())).await;
    assert_eq!(
        root(&outcome, &build.amd64).unwrap().verdict,
        Verdict::Quarantine,
        "nothing is lost by waiting"
    );
    let late = [build.pushed("1.4.0", 60), build.arm64.scan(&[], minute(62))].concat();
    let outcome = play(&mut pipeline, stream(late)).await;
    assert_remembered(&pipeline, &outcome, "after the index").await;
    assert!(root(&outcome, &build.amd64).is_none(), "{:?}", outcome.images);
    let image = root(&outcome, &build.index).unwrap();
    assert_eq!(
        (image.verdict, &image.tags),
        (Verdict::Quarantine, &vec!["1.4.0".to_owned(), mark(&build.index)])
    );
    assert_eq!(
        tags(&pipeline, &build.amd64),
        [mark(&build.amd64)],
        "it is vulnerable, and not called released"
    );
    assert_eq!(outcome.alerts.len(), 2, "{:#?}", outcome.alerts);
}

#[tokio::test]
async fn a_fix_of_the_only_vulnerable_platform_releases_the_index() {
    let build = Build::new();
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream([build.pushed("1.4.0", 0), build.scanned(2)].concat())).await;
    let closed = build.amd64.finding("CVE-2031-1", "CLOSED", minute(100));
    let outcome = play(&mut pipeline, stream([closed])).await;
    let image = root(&outcome, &build.index).unwrap();
    assert_eq!(image.verdict, Verdict::Clear);
    assert!(image.tags.contains(&"1.4.0".to_owned()) && !image.tags.contains(&mark(&build.index)));
    assert!(outcome.alerts.last().unwrap().subject.starts_with("Released: shop/multi:1.4.0"));
}

#[tokio::test]
async fn a_tagged_child_is_judged_by_itself_as_well() {
    let build = Build::new();
    let mut pipeline = pipeline().await;
    let mut events = [build.pushed("1.4.0", 0), build.scanned(2)].concat();
    events.extend(build.amd64.push("1.4.0-amd64", minute(0)));
    let outcome = play(&mut pipeline, stream(events)).await;
    for (manifest, tag) in [(&build.index, "1.4.0"), (&build.amd64, "1.4.0-amd64")] {
        let image = root(&outcome, manifest).unwrap();
        assert_eq!(image.verdict, Verdict::Quarantine, "{tag}");
        assert_eq!(image.tags, [tag.to_owned(), mark(manifest)]);
    }
    let [alert] = outcome.alerts.as_slice() else { panic!("one piece of news: {:#?}", outcome.alerts) };
    for named in ["shop/multi:1.4.0 ", "shop/multi:1.4.0-amd64 "] {
        assert!(alert.text.contains(named), "{named}: {}", alert.text);
    }
}

#[tokio::test]
async fn indexes_that_share_the_vulnerable_platform_alone_share_an_alert() {
    let one = Build::new();
    let arm64 = Manifest::image("linux/arm64", "other");
    let (other, attestations) = Manifest::build(&[one.amd64.clone(), arm64.clone()], 2);
    let mut events = one.pushed("1.4.0", 0);
    events.extend(attestations.iter().chain([&arm64]).flat_map(|part| part.push("", minute(0))));
    events.extend(other.push("1.5.0", minute(0)));
    events.extend(other.push("edge", minute(0)));
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(events)).await;
    let scans = [arm64.scan(&[], minute(1)), one.scanned(2)].concat();
    let outcome = play(&mut pipeline, stream(scans)).await;
    let [alert] = outcome.alerts.as_slice() else { panic!("{:#?}", outcome.alerts) };
    assert!(alert.text.contains("shop/multi:1.4.0 "), "{}", alert.text);
    assert!(alert.text.contains("shop/multi:1.5.0, edge "), "{}", alert.text);
    // The same of what is found later.
    let later = one.amd64.finding("CVE-2031-2", "ACTIVE", minute(100));
    let outcome = play(&mut pipeline, stream([later])).await;
    assert_eq!(outcome.alerts.len(), 2, "{:#?}", outcome.alerts);
}

#[tokio::test]
async fn two_images_for_one_platform_are_named_apart() {
    let images = ["one", "two"].map(|content| Manifest::image("linux/amd64", content));
    let index = Manifest::index(&images);
    let mut events: Vec<Value> = images.iter().flat_map(|image| image.push("", minute(0))).collect();
    events.extend(index.push("1.4.0", minute(0)));
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    let outcome = play(&mut pipeline().await, stream(events)).await;
    let name = |image: &Manifest| format!("linux/amd64 {}", &image.digest()["sha256:".len()..][..12]);
    let mut names = images.each_ref().map(name);
    names.sort();
    assert_eq!(root(&outcome, &index).unwrap().platforms, names);
    let [alert] = outcome.alerts.as_slice() else { panic!("{:#?}", outcome.alerts) };
    assert!(alert.text.contains(&format!("only in {}", name(&images[0]))), "{}", alert.text);
    assert!(alert.text.contains(&format!("{}: clear", name(&images[1]))), "{}", alert.text);
}

#[tokio::test]
async fn findings_under_the_digest_of_an_index_are_judged() {
    let build = Build::new();
    let mut pipeline = pipeline().await;
    let clean = [build.amd64.scan(&[], minute(2)), build.arm64.scan(&[], minute(2))].concat();
    play(&mut pipeline, stream([build.pushed("1.4.0", 0), clean].concat())).await;
    let outcome = play(&mut pipeline, stream(build.index.scan(&["CVE-2031-1"], minute(3)))).await;
    let image = root(&outcome, &build.index).unwrap();
    assert_eq!((image.verdict, image.findings.values().sum::<u64>()), (Verdict::Quarantine, 1));
    let [alert] = outcome.alerts.as_slice() else { panic!("{:#?}", outcome.alerts) };
    assert!(alert.text.contains("only in the index itself"), "{}", alert.text);
}

#[tokio::test]
async fn a_child_that_gets_a_tag_later_is_judged_then() {
    let build = Build::new();
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream([build.pushed("1.4.0", 0), build.scanned(2)].concat())).await;
    let outcome = play(&mut pipeline, stream(build.amd64.push("1.4.0-amd64", minute(50)))).await;
    let image = root(&outcome, &build.amd64).unwrap();
    assert_eq!((image.verdict, image.tags.len()), (Verdict::Quarantine, 2));
}

#[tokio::test]
async fn an_index_in_an_index_is_followed() {
    let build = Build::new();
    let outer = Manifest::index(std::slice::from_ref(&build.index));
    let events = || {
        let outer = outer.push("all", minute(1)).to_vec();
        [build.pushed("", 0), outer, build.scanned(2)].concat()
    };
    for seed in 0..=10 {
        let outcome = play(&mut pipeline().await, stream(shuffled(events(), seed))).await;
        assert_eq!(outcome.images.len(), 1, "seed {seed}: {:?}", outcome.images);
        let image = root(&outcome, &outer).unwrap();
        assert_eq!(image.verdict, Verdict::Quarantine, "seed {seed}");
        assert_eq!(image.platforms, ["linux/amd64", "linux/arm64"], "seed {seed}");
        assert_eq!(image.tags, ["all".to_owned(), mark(&outer)], "seed {seed}");
    }
}

#[tokio::test]
async fn a_platform_that_nobody_scans_is_named_and_never_clear() {
    let build = Build::new();
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(build.pushed("1.4.0", 0))).await;
    let arn = format!("arn:aws:ecr:eu-west-1:210987654321:repository/shop/multi/{}", build.arm64.digest());
    pipeline.aws.inspector().seed_coverage(&arn, "INACTIVE", "UNSUPPORTED_OS");
    let outcome = play(&mut pipeline, stream(build.amd64.scan(&[], minute(2)))).await;
    let image = root(&outcome, &build.index).unwrap();
    assert_eq!(image.verdict, Verdict::Unscannable);
    let [alert] = outcome.alerts.as_slice() else { panic!("{:#?}", outcome.alerts) };
    assert!(alert.text.contains("linux/arm64") && alert.text.contains("UNSUPPORTED_OS"), "{}", alert.text);
    // Should it be scanned after all, that ends.
    let outcome = play(&mut pipeline, stream(build.arm64.scan(&[], minute(200)))).await;
    assert_eq!(root(&outcome, &build.index).unwrap().verdict, Verdict::Clear);
}

/// An event that says whether Inspector scans an image.
fn coverage(digest: &str, status: &str, reason: &str, at: jiff::Timestamp) -> serde_json::Value {
    serde_json::json!({
        "id": format!("coverage-{reason}"), "detail-type": "Inspector2 Coverage", "source": "aws.inspector2",
        "account": "210987654321", "region": "eu-west-1", "time": at,
        "resources": [format!("arn:aws:ecr:eu-west-1:210987654321:repository/shop/multi/{digest}")],
        "detail": { "scanStatus": { "statusCodeValue": status, "reason": reason }, "scanType": "PACKAGE" },
    })
}

#[tokio::test]
async fn a_platform_that_an_event_says_nobody_scans_is_told_once_however_the_events_come() {
    let build = Build::new();
    let digest = build.arm64.digest();
    for seed in 0..5 {
        let mut pipeline = pipeline().await;
        play(&mut pipeline, stream(build.pushed("1.4.0", 0))).await;
        let refused = coverage(&digest, "INACTIVE", "UNSUPPORTED_OS", minute(2));
        let waits = coverage(&digest, "ACTIVE", "PENDING_INITIAL_SCAN", minute(1));
        let events = [build.amd64.scan(&[], minute(2)), vec![refused.clone(), waits, refused]].concat();
        let outcome = play(&mut pipeline, stream(shuffled(events, seed))).await;
        assert_eq!(outcome.events.dead, 0, "seed {seed}");
        assert_eq!(root(&outcome, &build.index).unwrap().verdict, Verdict::Unscannable, "seed {seed}");
        let [alert] = outcome.alerts.as_slice() else { panic!("seed {seed}: {:#?}", outcome.alerts) };
        assert!(
            alert.text.contains("linux/arm64: not scanned: Inspector does not support"),
            "{}",
            alert.text
        );
    }
}

#[tokio::test]
async fn an_index_is_pending_while_a_scan_of_a_platform_is_promised() {
    let build = Build::new();
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(build.pushed("1.4.0", 0))).await;
    let arn = format!("arn:aws:ecr:eu-west-1:210987654321:repository/shop/multi/{}", build.arm64.digest());
    pipeline.aws.inspector().seed_coverage(&arn, "ACTIVE", "PENDING_INITIAL_SCAN");
    let outcome = play(&mut pipeline, stream(build.amd64.scan(&[], minute(2)))).await;
    assert_eq!(root(&outcome, &build.index).unwrap().verdict, Verdict::Pending);
    assert_eq!((outcome.alerts.len(), outcome.events.dead), (0, 0));
}

#[tokio::test]
async fn fifty_indexes_of_one_child_share_an_alert() {
    let image = Manifest::image("linux/amd64", "shared");
    let mut pipeline = pipeline().await;
    let mut pushes = image.push("", minute(0)).to_vec();
    for number in 0..50 {
        let (index, attestations) = Manifest::build(std::slice::from_ref(&image), number);
        pushes.extend(attestations.iter().flat_map(|attestation| attestation.push("", minute(0))));
        pushes.extend(index.push(&format!("1.{number}"), minute(1)));
    }
    play(&mut pipeline, stream(pushes)).await;
    let outcome = play(&mut pipeline, stream(image.scan(&["CVE-2031-1"], minute(5)))).await;
    assert_eq!(outcome.images.len(), 50);
    assert!(outcome.images.iter().all(|image| image.verdict == Verdict::Quarantine && image.tags.len() == 2));
    assert_eq!(outcome.alerts.len(), 1, "{:#?}", outcome.alerts);
}

#[tokio::test]
async fn a_crash_between_any_two_calls_ends_the_same() {
    let build = Build::new();
    let events = || [build.pushed("1.4.0", 0), build.scanned(2)].concat();
    let whole = play(&mut pipeline().await, stream(events())).await;
    let mut crashes = 0;
    for call in 1.. {
        let mut pipeline = pipeline().await;
        pipeline.aws.faults().inject("*", Fault::Crash, Nth::Call(call));
        pipeline.play(stream(events()), |_| ()).await.unwrap();
        if !pipeline.has_crashed() {
            break;
        }
        crashes += 1;
        pipeline.aws.faults().clear();
        let outcome = Outcome::of(&pipeline).await.unwrap();
        assert_eq!(outcome.images, whole.images, "call {call}");
        let subjects: BTreeSet<&str> = outcome.alerts.iter().map(|alert| alert.subject.as_str()).collect();
        assert_eq!(subjects.len(), 1, "call {call}: {subjects:?}");
    }
    assert!(crashes > 40, "only {crashes} calls");
}

#[tokio::test]
async fn part_whose_tag_quarantine_takes_off_stays_a_root_until_it_is_released() {
    let build = Build::new();
    let mut setting = setting();
    setting.policy = file("tests/pipeline/critical-policy.yaml");
    setting.parameters.insert("QuarantineMode".to_owned(), "untag".to_owned());
    let mut pipeline = pipeline_with(setting).await;
    pipeline.aws.ecr().create_repository("210987654321", REPOSITORY, Mutability::Immutable);
    let tag = build.amd64.push("1.4.0-amd64", minute(1)).to_vec();
    play(&mut pipeline, stream([build.pushed("1.4.0", 0), tag, build.scanned(2)].concat())).await;
    // The second of these is news, for which the registry is asked which tags the image has.
    for (at, vulnerabilities) in [(30, vec!["CVE-2031-1"]), (60, vec!["CVE-2031-1", "CVE-2031-2"])] {
        let outcome = play(&mut pipeline, stream(build.amd64.scan(&vulnerabilities, minute(at)))).await;
        for manifest in [&build.index, &build.amd64] {
            let image = root(&outcome, manifest).unwrap();
            assert_eq!(
                (image.verdict, tags(&pipeline, manifest)),
                (Verdict::Quarantine, vec![mark(manifest)])
            );
        }
    }
    let fixed = ["CVE-2031-1", "CVE-2031-2"].map(|name| build.amd64.finding(name, "CLOSED", minute(89)));
    let fixed = fixed.into_iter().chain(build.amd64.scan(&[], minute(90)));
    let outcome = play(&mut pipeline, stream(fixed)).await;
    for (manifest, tag) in [(&build.index, "1.4.0"), (&build.amd64, "1.4.0-amd64")] {
        let tags = tags(&pipeline, manifest);
        assert!(tags.contains(&tag.to_owned()) && !tags.contains(&mark(manifest)), "{tags:?}");
        let id = ImageId {
            account: "210987654321".to_owned(),
            region: "eu-west-1".to_owned(),
            repository: REPOSITORY.to_owned(),
            digest: manifest.digest().try_into().unwrap(),
        };
        let mut verdicts: Vec<Verdict> =
            announced(&pipeline, &id).await.iter().map(|one| one.verdict).collect();
        verdicts.dedup();
        assert_eq!(verdicts, [Verdict::Quarantine, Verdict::Clear], "{tag}");
    }
    assert_eq!(outcome.events.dead, 0);
}
