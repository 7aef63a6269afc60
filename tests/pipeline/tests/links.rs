//! Indexes that come late, go, come back, say what is not so, or meet failures.
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

use std::collections::BTreeMap;

use domain::image::ImageId;
use domain::row::StatusRow;
use domain::verdict::Verdict;
use pipeline_tests::buildx::{Manifest, REPOSITORY, minute};
use pipeline_tests::{announced, file, ledgers, pipeline_with, play, rows, setting, shuffled, stream};
use serde_json::{Value, json};
use sim_aws::{Fault, ImageStatus, Nth};
use sim_pipeline::{ImageOutcome, Outcome, Pipeline};

const ACCOUNT: &str = "210987654321";

async fn pipeline() -> Pipeline {
    let mut setting = setting();
    setting.policy = file("tests/pipeline/critical-policy.yaml");
    pipeline_with(setting).await
}

/// The events of pushing all parts of a build, and its index with a tag.
fn pushed(images: &[Manifest], build: u32, tag: &str, at: i64) -> (Manifest, Vec<Value>) {
    let (index, attestations) = Manifest::build(images, build);
    let parts = images.iter().chain(&attestations);
    let mut events: Vec<Value> = parts.flat_map(|part| part.push("", minute(at))).collect();
    events.extend(index.push(tag, minute(at)));
    (index, events)
}

fn pair(content: &str) -> [Manifest; 2] {
    ["linux/amd64", "linux/arm64"].map(|platform| Manifest::image(platform, content))
}

/// ECR's event that a manifest, or only its tag, was deleted.
fn deleted(manifest: &Manifest, tag: &str, at: i64) -> Value {
    let [_, mut event] = manifest.push(tag, minute(at));
    event["detail"]["action-type"] = json!("DELETE");
    event["id"] = json!(format!("deleted-{at}-{tag}"));
    event
}

fn id(manifest: &Manifest) -> ImageId {
    ImageId {
        account: ACCOUNT.to_owned(),
        region: "eu-west-1".to_owned(),
        repository: REPOSITORY.to_owned(),
        digest: manifest.digest().try_into().unwrap(),
    }
}

fn mark(manifest: &Manifest) -> String {
    format!("quarantine-{}", &manifest.digest()["sha256:".len()..][..12])
}

fn root<'a>(outcome: &'a Outcome, manifest: &Manifest) -> Option<&'a ImageOutcome> {
    outcome.images.iter().find(|image| image.digest == manifest.digest())
}

/// An index whose entries say what they like.
fn index_of(entries: &Value) -> Manifest {
    let media_type = "application/vnd.oci.image.index.v1+json";
    let body = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries }).to_string();
    Manifest { body, media_type, platform: String::new() }
}

fn entry(manifest: &Manifest, media_type: &str, os: &str, architecture: &str) -> Value {
    json!({
        "mediaType": media_type, "digest": manifest.digest(), "size": manifest.body.len(),
        "platform": { "os": os, "architecture": architecture },
    })
}

#[tokio::test]
async fn an_index_that_comes_back_after_its_deletion_is_judged_by_what_was_found_meanwhile() {
    let images = pair("first");
    let (index, events) = pushed(&images, 1, "1.4.0", 0);
    let clean = images.iter().flat_map(|image| image.scan(&[], minute(2)));
    let mut pipeline = pipeline().await;
    let outcome = play(&mut pipeline, stream(events.into_iter().chain(clean))).await;
    assert_eq!(root(&outcome, &index).unwrap().verdict, Verdict::Clear);
    play(&mut pipeline, stream([deleted(&index, "", 10)])).await;
    // Its platforms stay, and are scanned.
    play(&mut pipeline, stream([images[0].finding("CVE-2031-1", "ACTIVE", minute(20))])).await;
    let outcome = play(&mut pipeline, stream(index.push("1.4.0", minute(100)))).await;
    let image = root(&outcome, &index).unwrap();
    assert_eq!(image.findings.values().sum::<u64>(), 1, "the evidence is known");
    assert_eq!(image.verdict, Verdict::Quarantine);
    assert!(image.tags.contains(&mark(&index)), "{:?}", image.tags);
}

#[tokio::test]
async fn an_index_in_quarantine_that_is_deleted_and_pushed_again_is_marked_again() {
    let images = pair("first");
    let (index, mut events) = pushed(&images, 1, "1.4.0", 0);
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(events)).await;
    play(&mut pipeline, stream([deleted(&index, "", 10)])).await;
    // The client finds the platforms there, and pushes the index alone: nothing is scanned anew.
    let outcome = play(&mut pipeline, stream(index.push("1.4.0", minute(100)))).await;
    let image = root(&outcome, &index).unwrap();
    assert_eq!(image.verdict, Verdict::Quarantine);
    assert!(image.tags.contains(&mark(&index)), "{:?}", image.tags);
}

#[tokio::test]
async fn what_a_scanner_found_in_an_alleged_attestation_is_judged_somewhere() {
    let good = Manifest::image("linux/amd64", "good");
    let hidden = Manifest::image("unknown/unknown", "hidden");
    let index = Manifest::index(&[good.clone(), hidden.clone()]);
    let mut events =
        [good.push("", minute(0)), hidden.push("", minute(0)), index.push("1.4.0", minute(0))].concat();
    events.extend(good.scan(&[], minute(2)));
    events.extend(hidden.scan(&["CVE-2031-1"], minute(2)));
    let mut pipeline = pipeline().await;
    let outcome = play(&mut pipeline, stream(events)).await;
    let quarantined = outcome.images.iter().any(|image| image.verdict == Verdict::Quarantine);
    assert!(quarantined, "{:#?}", outcome.images);
}

#[tokio::test]
async fn an_index_that_calls_an_image_an_attestation_ends_no_quarantine_of_it() {
    let bad = Manifest::image("linux/amd64", "bad");
    let mut pipeline = pipeline().await;
    let alone = [bad.push("", minute(0)).to_vec(), bad.scan(&["CVE-2031-1"], minute(2))].concat();
    let outcome = play(&mut pipeline, stream(alone)).await;
    assert_eq!(root(&outcome, &bad).unwrap().verdict, Verdict::Quarantine);
    let index = index_of(&json!([entry(&bad, bad.media_type, "unknown", "unknown")]));
    let outcome = play(&mut pipeline, stream(index.push("anything", minute(60)))).await;
    let images = pipeline.aws.ecr().images();
    let tags = &images.iter().find(|image| image.digest == bad.digest()).unwrap().tags;
    assert!(tags.contains(&mark(&bad)), "{tags:?}");
    assert_eq!(root(&outcome, &bad).map(|image| image.verdict), Some(Verdict::Quarantine));
}

#[tokio::test]
async fn an_index_that_calls_another_index_an_image_starts_no_loop() {
    let inner_image = Manifest::image("linux/arm64", "inner");
    let (inner, mut events) = pushed(std::slice::from_ref(&inner_image), 1, "", 0);
    let amd64 = Manifest::image("linux/amd64", "outer");
    events.extend(amd64.push("", minute(0)));
    let outer = index_of(&json!([
        entry(&amd64, amd64.media_type, "linux", "amd64"),
        entry(&inner, amd64.media_type, "linux", "arm64"),
    ]));
    events.extend(outer.push("1.4.0", minute(0)));
    events.extend(amd64.scan(&[], minute(2)));
    let mut pipeline = pipeline().await;
    pipeline.aws.faults().before("sqs:SendMessage", 3_000, || panic!("3,000 messages, and no end"));
    play(&mut pipeline, stream(events)).await;
}

#[tokio::test]
async fn a_part_whose_tag_has_moved_away_raises_no_alert_of_its_own() {
    let images = pair("first");
    let (index, mut events) = pushed(&images, 1, "1.4.0", 0);
    events.extend(images[0].push("amd64", minute(0)));
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(events)).await;
    // No event says of the first image that its tag has moved.
    let other = Manifest::image("linux/amd64", "other");
    play(&mut pipeline, stream(other.push("amd64", minute(1)))).await;
    let scans = [images[0].scan(&["CVE-2031-1"], minute(5)), images[1].scan(&[], minute(5))].concat();
    let outcome = play(&mut pipeline, stream(scans)).await;
    assert_eq!(root(&outcome, &index).unwrap().verdict, Verdict::Quarantine);
    assert!(root(&outcome, &images[0]).is_none());
    let last = announced(&pipeline, &id(&images[0])).await.pop();
    assert_eq!(
        last.map_or(Verdict::Pending, |last| last.verdict),
        Verdict::Pending,
        "the last word of a part"
    );
    let subjects: Vec<&str> = outcome.alerts.iter().map(|alert| alert.subject.as_str()).collect();
    assert_eq!(subjects.len(), 1, "{subjects:?}");
}

#[tokio::test]
async fn a_push_is_stored_though_the_manifest_cannot_be_read() {
    let images = pair("first");
    let (index, events) = pushed(&images, 1, "1.4.0", 0);
    let mut pipeline = pipeline().await;
    pipeline.aws.faults().inject("ecr:BatchGetImage", Fault::ServerError, Nth::Always);
    play(&mut pipeline, stream(events)).await;
    let facts = ledgers(&pipeline).await.load(&id(&index)).await.unwrap().ledger.facts;
    assert_eq!(facts.tags(), ["1.4.0"]);
    assert!(facts.pusher.is_some());
}

#[tokio::test]
async fn an_index_that_is_found_to_be_gone_leaves_the_list_to_its_parts() {
    let images = pair("first");
    let (index, events) = pushed(&images, 1, "1.4.0", 0);
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(events)).await;
    // The event is lost.
    pipeline.aws.ecr().seed_delete(ACCOUNT, REPOSITORY, &index.digest());
    let scans = [images[0].scan(&["CVE-2031-1"], minute(5)), images[1].scan(&[], minute(5))].concat();
    let outcome = play(&mut pipeline, stream(scans)).await;
    // What it contained is still there, and judged by itself.
    let parts = [(&images[0], Verdict::Quarantine), (&images[1], Verdict::Clear)];
    assert_eq!(listed(&pipeline).await, verdicts(parts));
    let [alert] = outcome.alerts.as_slice() else { panic!("{:#?}", outcome.alerts) };
    assert!(!alert.text.contains("1.4.0"), "the index itself raises none: {}", alert.text);
}

#[tokio::test]
async fn an_alert_of_two_indexes_names_the_platform_that_is_not_scanned() {
    let images = pair("first");
    let mut pipeline = pipeline().await;
    for build in 1..=2 {
        play(&mut pipeline, stream(pushed(&images, build, &format!("1.4.{build}"), 0).1)).await;
    }
    let arn = format!("arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/{REPOSITORY}/{}", images[1].digest());
    pipeline.aws.inspector().seed_coverage(&arn, "INACTIVE", "UNSUPPORTED_OS");
    let outcome = play(&mut pipeline, stream(images[0].scan(&[], minute(2)))).await;
    for alert in &outcome.alerts {
        assert!(
            alert.text.contains("linux/arm64") && alert.text.contains("UNSUPPORTED_OS"),
            "{}",
            alert.text
        );
    }
    assert!(!outcome.alerts.is_empty());
}

#[tokio::test]
async fn a_registry_that_throttles_for_a_while_costs_no_link_and_no_alert() {
    let images = pair("first");
    let (index, mut events) = pushed(&images, 1, "1.4.0", 0);
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    let mut pipeline = pipeline().await;
    pipeline.aws.faults().inject("ecr:BatchGetImage", Fault::Throttle, Nth::Times(6));
    let outcome = play(&mut pipeline, stream(events)).await;
    assert_eq!(outcome.events.dead, 0, "{:?}", pipeline.dead());
    assert_eq!(root(&outcome, &index).unwrap().verdict, Verdict::Quarantine);
    assert_eq!(outcome.images.len(), 1);
    let subjects: Vec<&str> = outcome.alerts.iter().map(|alert| alert.subject.as_str()).collect();
    assert_eq!(subjects.len(), 1, "{subjects:?}");
}

#[tokio::test]
async fn an_index_of_nothing_but_attestations_is_never_clear_and_no_dead_letter() {
    let image = Manifest::image("linux/amd64", "first");
    let attestation = image.attestation(1);
    for index in [Manifest::index(&[]), Manifest::index(std::slice::from_ref(&attestation))] {
        let mut pipeline = pipeline().await;
        let events = [attestation.push("", minute(0)), index.push("1.4.0", minute(0))].concat();
        let outcome = play(&mut pipeline, stream(events)).await;
        assert_eq!(root(&outcome, &index).unwrap().verdict, Verdict::Pending);
        assert_eq!((outcome.events.dead, outcome.alerts.len()), (0, 0));
    }
}

#[tokio::test]
async fn a_tag_that_moves_from_one_index_to_another_names_the_new_one_alone() {
    let images = pair("first");
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(pushed(&images, 1, "latest", 0).1)).await;
    play(&mut pipeline, stream(pushed(&images, 2, "latest", 1).1)).await;
    let scans = [images[0].scan(&["CVE-2031-1"], minute(5)), images[1].scan(&[], minute(5))].concat();
    let outcome = play(&mut pipeline, stream(scans)).await;
    let [alert] = outcome.alerts.as_slice() else { panic!("{:#?}", outcome.alerts) };
    assert_eq!(alert.text.matches("shop/multi:latest").count(), 1, "{}", alert.text);
}

/// A story with everything in it: two builds that share a platform, one of whose parts has a tag, an index over an image
/// that was alone, a deletion, a fix, and an index of indexes.
fn story() -> (Vec<Value>, Vec<Value>) {
    let [amd64, arm64] = pair("first");
    let other = Manifest::image("linux/arm64", "other");
    let (one, mut first) = pushed(&[amd64.clone(), arm64.clone()], 1, "1.0", 0);
    first.extend(amd64.push("1.0-amd64", minute(0)));
    first.extend(amd64.scan(&["CVE-2031-1", "CVE-2031-2"], minute(2)));
    first.extend(arm64.scan(&["CVE-2031-2"], minute(3)));
    let (two, mut second) = pushed(&[amd64.clone(), other.clone()], 2, "1.1", 60);
    second.extend(other.scan(&[], minute(62)));
    second.extend(Manifest::index(&[one.clone(), two]).push("all", minute(61)));
    second.push(deleted(&amd64, "1.0-amd64", 70));
    second.push(amd64.finding("CVE-2031-1", "CLOSED", minute(100)));
    second.push(arm64.finding("CVE-2031-2", "CLOSED", minute(101)));
    (first, second)
}

#[tokio::test]
async fn any_order_of_a_story_with_everything_ends_the_same() {
    let (first, second) = story();
    let all = || [first.clone(), second.clone()].concat();
    let mut in_order = pipeline().await;
    play(&mut in_order, stream(first.clone())).await;
    let whole = play(&mut in_order, stream(second.clone())).await;
    let listed = rows(&in_order).await;
    for seed in 1..=60 {
        let mut pipeline = pipeline().await;
        let events = if seed % 2 == 0 { [all(), all()].concat() } else { all() };
        let outcome = play(&mut pipeline, stream(shuffled(events, seed))).await;
        assert_eq!(outcome.images, whole.images, "seed {seed}");
        assert_eq!(outcome.events.dead, 0, "seed {seed}: {:?}", pipeline.dead());
        let strip = |rows: BTreeMap<ImageId, StatusRow>| {
            rows.into_iter().map(|(id, row)| (id, StatusRow { since: None, ..row })).collect::<Vec<_>>()
        };
        assert_eq!(strip(rows(&pipeline).await), strip(listed.clone()), "seed {seed}");
    }
}

#[tokio::test]
async fn a_crash_while_a_part_is_taken_back_ends_the_same() {
    let images = pair("first");
    let alone =
        || [images[0].push("", minute(0)).to_vec(), images[0].scan(&["CVE-2031-1"], minute(2))].concat();
    let late = || [pushed(&images, 1, "1.4.0", 60).1, images[1].scan(&[], minute(62))].concat();
    let mut whole = None;
    for call in 0.. {
        let mut pipeline = pipeline().await;
        play(&mut pipeline, stream(alone())).await;
        if call > 0 {
            pipeline.aws.faults().inject("*", Fault::Crash, Nth::Call(call));
        }
        pipeline.play(stream(late()), |_| ()).await.unwrap();
        let crashed = pipeline.has_crashed();
        pipeline.aws.faults().clear();
        let outcome = Outcome::of(&pipeline).await.unwrap();
        let registry = pipeline.aws.ecr().images();
        let mut tags: Vec<_> = registry.into_iter().map(|image| (image.digest, image.tags)).collect();
        tags.sort();
        let end = (outcome.images, tags, outcome.events.dead);
        let Some(whole) = &whole else {
            whole = Some(end);
            continue;
        };
        if !crashed {
            assert!(call > 60, "only {call} calls");
            break;
        }
        assert_eq!(&end, whole, "call {call}");
    }
}

#[tokio::test]
async fn a_nested_index_whose_outer_one_comes_last_is_not_told_of_by_itself() {
    let images = pair("first");
    let (inner, mut events) = pushed(&images, 1, "", 0);
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    let mut pipeline = pipeline().await;
    pipeline.establish(&stream(events.clone()));
    let outer = Manifest::index(&[inner]);
    let last = outer.push("all", minute(2)).to_vec();
    let outcome = play(&mut pipeline, stream([events, last].concat())).await;
    let subjects: Vec<&str> = outcome.alerts.iter().map(|alert| alert.subject.as_str()).collect();
    assert_eq!(subjects.len(), 1, "{subjects:?}");
}

#[tokio::test]
async fn a_waiver_of_one_index_excuses_neither_its_part_nor_another_index() {
    let images = pair("first");
    let (one, mut events) = pushed(&images, 1, "1.0", 0);
    let (two, more) = pushed(&images, 2, "2.0", 0);
    events.extend(more);
    events.extend(images[0].push("part", minute(0)));
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    let rules = std::fs::read_to_string(file("tests/pipeline/critical-policy.yaml")).unwrap();
    let waiver =
        format!("waivers: [{{ digest: '{}', reason: r, owner: o, expires: 2099-01-01 }}]", one.digest());
    let path = std::env::temp_dir().join(format!("attack-waiver-{}.yaml", std::process::id()));
    std::fs::write(&path, format!("{rules}\n{waiver}\n")).unwrap();
    let mut setting = setting();
    setting.policy = path;
    let mut pipeline = pipeline_with(setting).await;
    let outcome = play(&mut pipeline, stream(events)).await;
    let verdicts = [&one, &two, &images[0]].map(|manifest| root(&outcome, manifest).unwrap().verdict);
    assert_eq!(verdicts, [Verdict::Clear, Verdict::Quarantine, Verdict::Quarantine]);
}

#[tokio::test]
async fn a_docker_manifest_list_is_an_index() {
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let image = Manifest { media_type: docker, ..Manifest::image("linux/amd64", "first") };
    let media_type = "application/vnd.docker.distribution.manifest.list.v2+json";
    let entries = json!([entry(&image, docker, "linux", "amd64")]);
    let body = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries }).to_string();
    let list = Manifest { body, media_type, platform: String::new() };
    let mut events = [image.push("", minute(0)), list.push("1.4.0", minute(0))].concat();
    events.extend(image.scan(&["CVE-2031-1"], minute(2)));
    let outcome = play(&mut pipeline().await, stream(events)).await;
    assert_eq!(outcome.images.len(), 1);
    assert_eq!(root(&outcome, &list).unwrap().verdict, Verdict::Quarantine);
}

#[tokio::test]
async fn an_index_that_cannot_be_read_is_pending_and_its_parts_are_judged() {
    let image = Manifest::image("linux/amd64", "first");
    let good = Manifest::index(std::slice::from_ref(&image));
    let body = good.body.replace("\"manifests\"", "\"Manifests\"");
    let index = Manifest { body, ..good };
    let mut events = [image.push("", minute(0)), index.push("1.4.0", minute(0))].concat();
    events.extend(image.scan(&["CVE-2031-1"], minute(2)));
    let outcome = play(&mut pipeline().await, stream(events)).await;
    assert_eq!(root(&outcome, &index).unwrap().verdict, Verdict::Pending);
    assert_eq!(root(&outcome, &image).unwrap().verdict, Verdict::Quarantine);
}

#[tokio::test]
async fn messages_to_roots_that_sqs_refuses_are_sent_again() {
    let images = pair("first");
    let (index, mut events) = pushed(&images, 1, "1.4.0", 0);
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    let mut pipeline = pipeline().await;
    pipeline.aws.sqs().fail_entries(3);
    let outcome = play(&mut pipeline, stream(events)).await;
    assert_eq!(root(&outcome, &index).unwrap().verdict, Verdict::Quarantine);
    assert_eq!((outcome.alerts.len(), outcome.events.dead), (1, 0));
}

/// The verdicts in the index of all images, by digest.
async fn listed(pipeline: &Pipeline) -> BTreeMap<String, Verdict> {
    let rows = rows(pipeline).await.into_iter();
    rows.map(|(image, row)| (image.digest.to_string(), row.verdict)).collect()
}

fn verdicts<const N: usize>(of: [(&Manifest, Verdict); N]) -> BTreeMap<String, Verdict> {
    of.into_iter().map(|(manifest, verdict)| (manifest.digest(), verdict)).collect()
}

/// The setting of the tests marks what has no tag, too, so the registry shows who is a root.
fn is_marked(pipeline: &Pipeline, manifest: &Manifest) -> bool {
    let images = pipeline.aws.ecr().images();
    let found = images.iter().find(|image| image.digest == manifest.digest());
    found.is_some_and(|image| image.tags.contains(&mark(manifest)))
}

#[tokio::test]
async fn the_parts_of_an_index_that_is_deleted_are_judged_by_themselves() {
    let images = pair("first");
    let (index, mut events) = pushed(&images, 1, "1.4.0", 0);
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(events)).await;
    play(&mut pipeline, stream([deleted(&index, "", 10)])).await;
    let parts = [(&images[0], Verdict::Quarantine), (&images[1], Verdict::Clear)];
    assert_eq!(listed(&pipeline).await, verdicts(parts), "and attestations are still no images");
    assert!(is_marked(&pipeline, &images[0]));
    // It comes back, and they are its parts again.
    play(&mut pipeline, stream(index.push("1.4.0", minute(100)))).await;
    assert_eq!(listed(&pipeline).await, verdicts([(&index, Verdict::Quarantine)]));
    assert!(is_marked(&pipeline, &images[0]), "a part keeps its mark until all that contains it is clear");
}

#[tokio::test]
async fn a_part_that_was_archived_unscanned_is_restored_when_its_index_is_deleted() {
    let images = pair("first");
    let (index, mut events) = pushed(&images, 1, "1.4.0", 0);
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    let mut setting = setting();
    setting.policy = file("tests/pipeline/critical-policy.yaml");
    setting.parameters.insert("QuarantineMode".to_owned(), "archive".to_owned());
    let mut pipeline = pipeline_with(setting).await;
    play(&mut pipeline, stream(events)).await;
    let statuses = |pipeline: &Pipeline| {
        let views = pipeline.aws.ecr().images();
        let status =
            |image: &Manifest| views.iter().find(|view| view.digest == image.digest()).unwrap().status;
        [status(&images[0]), status(&images[1])]
    };
    assert_eq!(statuses(&pipeline), [ImageStatus::Archived; 2]);
    play(&mut pipeline, stream([deleted(&index, "", 10)])).await;
    assert_eq!(
        statuses(&pipeline),
        [ImageStatus::Archived, ImageStatus::Active],
        "nobody knows of the second"
    );
    assert_eq!(pipeline.dead(), []);
}

#[tokio::test]
async fn a_part_of_two_indexes_is_judged_by_itself_when_both_are_gone() {
    let images = pair("first");
    let (one, mut events) = pushed(&images, 1, "1.0", 0);
    let (two, more) = pushed(&images, 2, "2.0", 1);
    events.extend(more);
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(events)).await;
    play(&mut pipeline, stream([deleted(&one, "", 10)])).await;
    assert_eq!(listed(&pipeline).await, verdicts([(&two, Verdict::Quarantine)]));
    play(&mut pipeline, stream([deleted(&two, "", 11)])).await;
    let parts = [(&images[0], Verdict::Quarantine), (&images[1], Verdict::Clear)];
    assert_eq!(listed(&pipeline).await, verdicts(parts));
}

#[tokio::test]
async fn an_index_within_one_that_is_deleted_is_a_root() {
    let images = pair("first");
    let (inner, mut events) = pushed(&images, 1, "", 0);
    let outer = Manifest::index(std::slice::from_ref(&inner));
    events.extend(outer.push("all", minute(1)));
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(events)).await;
    play(&mut pipeline, stream([deleted(&outer, "", 10)])).await;
    assert_eq!(listed(&pipeline).await, verdicts([(&inner, Verdict::Quarantine)]));
}

#[tokio::test]
async fn an_index_that_is_deleted_before_it_was_read_hides_nothing() {
    let images = pair("first");
    let (index, _) = pushed(&images, 1, "1.4.0", 0);
    let mut events: Vec<Value> = images.iter().flat_map(|image| image.push("", minute(0))).collect();
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.push(deleted(&index, "", 5));
    events.extend(index.push("1.4.0", minute(1)));
    let mut pipeline = pipeline().await;
    let outcome = play(&mut pipeline, stream(events)).await;
    assert_eq!(outcome.events.dead, 0);
    let parts = [(&images[0], Verdict::Quarantine), (&images[1], Verdict::Pending)];
    assert_eq!(listed(&pipeline).await, verdicts(parts));
}

#[tokio::test]
async fn any_order_of_a_push_and_a_deletion_ends_the_same() {
    let images = pair("first");
    let (index, mut events) = pushed(&images, 1, "1.4.0", 0);
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    for again in [false, true] {
        let mut all = events.clone();
        all.push(deleted(&index, "", 10));
        if again {
            all.extend(index.push("1.4.0", minute(20)));
        }
        let mut ends = BTreeMap::new();
        for seed in 1..=40 {
            let mut pipeline = pipeline().await;
            pipeline.establish(&stream(all.clone()));
            let twice = [all.clone(), all.clone()].concat();
            let outcome = play(&mut pipeline, stream(shuffled(twice, seed))).await;
            assert_eq!(outcome.events.dead, 0, "seed {seed}");
            ends.entry(format!("{:#?} {:#?}", outcome.images, listed(&pipeline).await)).or_insert(seed);
        }
        assert_eq!(ends.len(), 1, "{again}: {ends:#?}");
    }
}

#[tokio::test]
async fn a_crash_while_an_index_goes_or_comes_back_ends_the_same() {
    let images = pair("first");
    let (index, mut events) = pushed(&images, 1, "1.4.0", 0);
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    let steps = [vec![deleted(&index, "", 10)], index.push("1.4.0", minute(60)).to_vec()];
    for (number, step) in steps.iter().enumerate() {
        let mut whole = None;
        for call in 0.. {
            let mut pipeline = pipeline().await;
            play(&mut pipeline, stream(events.clone())).await;
            for before in &steps[..number] {
                play(&mut pipeline, stream(before.clone())).await;
            }
            if call > 0 {
                pipeline.aws.faults().inject("*", Fault::Crash, Nth::Call(call));
            }
            pipeline.play(stream(step.clone()), |_| ()).await.unwrap();
            let crashed = pipeline.has_crashed();
            pipeline.aws.faults().clear();
            let outcome = Outcome::of(&pipeline).await.unwrap();
            let end = (outcome.images, listed(&pipeline).await, outcome.events.dead);
            let Some(whole) = &whole else {
                whole = Some(end);
                continue;
            };
            if !crashed {
                assert!(call > 20, "only {call} calls");
                break;
            }
            assert_eq!(&end, whole, "step {number}, call {call}");
        }
    }
}

#[tokio::test]
async fn an_index_that_is_archived_before_it_was_read_is_read_when_it_is_restored() {
    let images = pair("first");
    let (index, mut events) = pushed(&images, 1, "1.4.0", 0);
    events.extend(images[0].scan(&["CVE-2031-1"], minute(2)));
    events.extend(images[1].scan(&[], minute(2)));
    let mut pipeline = pipeline().await;
    let (ecr, digest) = (pipeline.aws.ecr().clone(), index.digest());
    let archive = move || ecr.set_image_status(ACCOUNT, REPOSITORY, &digest, ImageStatus::Archived);
    pipeline.aws.faults().before("ecr:BatchGetImage", 1, archive);
    let outcome = play(&mut pipeline, stream(events)).await;
    assert_eq!(outcome.events.dead, 0, "{:?}", pipeline.dead());
    let row = rows(&pipeline).await.remove(&id(&index)).unwrap();
    assert_eq!((row.verdict, row.tags), (Verdict::Pending, vec!["1.4.0".to_owned()]));
    assert!(row.unread.unwrap().contains("it is archived"));

    let mut restored = deleted(&index, "", 30);
    restored["detail"]["action-type"] = json!("UPDATE_STORAGE_CLASS");
    restored["detail"]["target-storage-class"] = json!("STANDARD");
    restored["detail"].as_object_mut().unwrap().remove("image-tag");
    // Should that event come at the beginning of the restore, it is tried again.
    let (ecr, digest) = (pipeline.aws.ecr().clone(), index.digest());
    let activate = move || ecr.set_image_status(ACCOUNT, REPOSITORY, &digest, ImageStatus::Active);
    pipeline.aws.faults().before("ecr:BatchGetImage", 2, activate);
    let outcome = play(&mut pipeline, stream([restored])).await;
    assert_eq!(outcome.events.dead, 0, "{:?}", pipeline.dead());
    assert_eq!(listed(&pipeline).await, verdicts([(&index, Verdict::Quarantine)]));
    assert_eq!(rows(&pipeline).await.remove(&id(&index)).unwrap().unread, None);
}

#[tokio::test]
async fn a_platform_whose_scan_is_told_late_is_not_pending_in_the_last_announcement() {
    let images = pair("first");
    let (index, events) = pushed(&images, 1, "1.4.0", 0);
    let mut pipeline = pipeline().await;
    play(&mut pipeline, stream(events)).await;
    play(&mut pipeline, stream(images[0].scan(&["CVE-2031-1"], minute(20)))).await;
    let before = announced(&pipeline, &id(&index)).await.len();
    let outcome = play(&mut pipeline, stream(images[1].scan(&[], minute(2)))).await;
    assert_eq!(announced(&pipeline, &id(&index)).await.len(), before + 1);
    assert_eq!(outcome.alerts.len(), 1, "that is no news to people");
}

#[tokio::test]
async fn an_image_that_an_index_lists_beside_an_index_of_it_is_archived_with_both() {
    let leaf = Manifest::image("linux/amd64", "bad");
    let inner = Manifest::index(std::slice::from_ref(&leaf));
    for parts in [[leaf.clone(), inner.clone()], [inner.clone(), leaf.clone()]] {
        let outer = Manifest::index(&parts);
        let mut events =
            [leaf.push("", minute(0)), inner.push("", minute(0)), outer.push("all", minute(0))].concat();
        events.extend(leaf.scan(&["CVE-2031-1"], minute(2)));
        let mut setting = setting();
        setting.policy = file("tests/pipeline/critical-policy.yaml");
        setting.parameters.insert("QuarantineMode".to_owned(), "archive".to_owned());
        let mut pipeline = pipeline_with(setting).await;
        play(&mut pipeline, stream(events)).await;
        let statuses: Vec<ImageStatus> = pipeline.aws.ecr().images().iter().map(|view| view.status).collect();
        assert_eq!(statuses, [ImageStatus::Archived; 3]);
    }
}

#[tokio::test]
async fn an_index_whose_repository_is_deleted_before_it_is_read_is_no_dead_letter() {
    let (_, events) = pushed(&pair("first"), 1, "1.4.0", 0);
    let mut pipeline = pipeline().await;
    pipeline.run(stream(events), |_| ()).await.unwrap();
    assert_eq!(pipeline.dead(), []);
}
