//! A quarantine holds against people: what they do to an image is seen through real events, put right, and told once.
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

mod world;

use aws_sdk_ecr::types::ImageIdentifier;
use domain::verdict::Verdict;
use pipeline_tests::buildx::{Manifest, REPOSITORY, minute};
use pipeline_tests::{shuffled, stream};
use sim_aws::{Fault, ImageStatus, Mutability, Nth};
use sim_pipeline::{Outcome, Setting};
use world::{ACCOUNT, Root, World, setting_in};

fn rows(table: &str) -> Vec<Vec<String>> {
    let cells =
        |line: &str| line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    table.lines().filter(|line| line.contains('|')).map(cells).collect()
}

/// A tag that can move in some immutable repositories as well.
const MOVING: &str = "latest";

fn kinds() -> [(&'static str, Mutability); 4] {
    [
        ("mutable", Mutability::Mutable),
        ("mutable, mark stays", Mutability::MutableWithExclusion(vec!["quarantine-*".to_owned()])),
        ("immutable", Mutability::Immutable),
        ("immutable, latest moves", Mutability::ImmutableWithExclusion(vec![MOVING.to_owned()])),
    ]
}

#[tokio::test]
async fn each_mode_marks_holds_switches_and_releases_as_its_table_says() {
    const TABLE: &str = "
        | mode    | repository              | quarantined            | changed        | held             | alerts | next mode | switched                   | released         |
        | observe | mutable                 | 1.0 latest             | 1.0 fix latest | 1.0 fix latest   | 0      | tag       | 1.0 fix latest M           | 1.0 fix latest R |
        | observe | mutable, mark stays     | 1.0 latest             | 1.0 fix latest | 1.0 fix latest   | 0      | tag       | 1.0 fix latest M           | 1.0 fix latest R |
        | observe | immutable               | 1.0 latest             | 1.0 fix latest | 1.0 fix latest   | 0      | tag       | 1.0 fix latest M           | 1.0 fix latest R |
        | observe | immutable, latest moves | 1.0 latest             | 1.0 fix latest | 1.0 fix latest   | 0      | tag       | 1.0 fix latest M           | 1.0 fix latest R |
        | tag     | mutable                 | 1.0 latest M           | 1.0 fix latest | 1.0 fix latest M | 1      | untag     | 1.0 fix latest M           | 1.0 fix latest R |
        | tag     | mutable, mark stays     | 1.0 latest M           | 1.0 fix latest | 1.0 fix latest M | 1      | untag     | 1.0 fix latest M           | 1.0 fix latest R |
        | tag     | immutable               | 1.0 latest M           | 1.0 fix latest | 1.0 fix latest M | 1      | untag     | M                          | 1.0 fix latest R |
        | tag     | immutable, latest moves | 1.0 latest M           | 1.0 fix latest | 1.0 fix latest M | 1      | untag     | latest M                   | 1.0 fix latest R |
        | untag   | mutable                 | 1.0 latest M           | 1.0 fix latest | 1.0 fix latest M | 1      | archive   | archived: 1.0 fix latest M | 1.0 fix latest R |
        | untag   | mutable, mark stays     | 1.0 latest M           | 1.0 fix latest | 1.0 fix latest M | 1      | archive   | archived: 1.0 fix latest M | 1.0 fix latest R |
        | untag   | immutable               | M                      | fix            | M                | 1      | archive   | archived: M                | 1.0 fix latest R |
        | untag   | immutable, latest moves | latest M               | fix latest     | latest M         | 1      | archive   | archived: latest M         | 1.0 fix latest R |
        | archive | mutable                 | archived: 1.0 latest M | 1.0 fix latest | 1.0 fix latest M | 1      | observe   | 1.0 fix latest M           | 1.0 fix latest M |
        | archive | mutable, mark stays     | archived: 1.0 latest M | 1.0 fix latest | 1.0 fix latest M | 1      | observe   | 1.0 fix latest M           | 1.0 fix latest M |
        | archive | immutable               | archived: 1.0 latest M | 1.0 fix latest | 1.0 fix latest M | 1      | observe   | 1.0 fix latest M           | 1.0 fix latest M |
        | archive | immutable, latest moves | archived: 1.0 latest M | 1.0 fix latest | 1.0 fix latest M | 1      | observe   | 1.0 fix latest M           | 1.0 fix latest M |";
    const MODES: [&str; 5] = ["observe", "tag", "untag", "archive", "observe"];
    for root in [Root::Image, Root::Index, Root::Nested] {
        let mut seen = vec![rows(TABLE)[0].clone()];
        for modes in MODES.windows(2) {
            for (name, mutability) in kinds() {
                let tags = ["1.0", MOVING];
                let mut world = World::tagged(&tags, setting_in(modes[0]), mutability, root).await;
                let before = world.view().unwrap();
                let mut row = vec![modes[0].to_owned(), name.to_owned(), world.shown()];
                world.put("fix").await;
                world.remove_mark().await;
                row.push(world.shown());
                world.pass(Vec::new(), 30).await;
                row.push(world.shown());
                let alerts = world.alerts().await;
                assert!(alerts.iter().all(|alert| alert.text.contains("session mary@example.com")));
                row.push(alerts.len().to_string());
                world.switch(modes[1]).await;
                row.extend([modes[1].to_owned(), world.shown()]);
                world.release().await;
                row.push(world.shown());
                let after = world.view().unwrap();
                assert_eq!((after.manifest, after.media_type), (before.manifest, before.media_type));
                assert_eq!(world.pipeline.dead(), []);
                assert_eq!(world.alerts().await.len(), alerts.len(), "what we do is no tampering");
                seen.push(row);
            }
        }
        assert_eq!(seen, rows(TABLE), "{root:?}");
    }
}

#[tokio::test]
async fn person_is_named_if_cloudtrail_says_it_within_ten_minutes() {
    let mut world = World::new("tag", Mutability::Mutable, Root::Index).await;
    world.remove_mark().await;
    let (registry, trail) = world.events();
    assert_eq!((registry.len(), trail.len()), (1, 1));
    world.pass(registry, 4).await;
    assert_eq!(world.shown(), "1.0 M", "put right at once");
    assert!(world.alerts().await.is_empty(), "nobody knows yet who did it");
    world.pass(trail, 2).await;
    let alerts = world.alerts().await;
    assert!(alerts[0].text.contains("Who      the role developer, session mary@example.com, from "));
    world.pass(Vec::new(), 60).await;
    assert_eq!(world.alerts().await.len(), 1);
}

#[tokio::test]
async fn people_are_told_after_ten_minutes_without_a_name_and_not_again_with_it() {
    let mut world = World::new("tag", Mutability::Mutable, Root::Image).await;
    world.remove_mark().await;
    let (registry, trail) = world.events();
    world.pass(registry, 9).await;
    assert!(world.alerts().await.is_empty());
    world.pass(Vec::new(), 3).await;
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].text.contains("Who      not known"), "{}", alerts[0].text);
    world.pass(trail, 60).await;
    assert_eq!(world.alerts().await, alerts, "it is noted, and no second alert");
}

#[tokio::test]
async fn events_in_any_order_and_doubled_are_one_alert() {
    for seed in 0..12 {
        let mut world = World::new("untag", Mutability::Immutable, Root::Index).await;
        world.put("1.0").await;
        world.remove_mark().await;
        let (registry, trail) = world.events();
        let events = [registry, trail].concat();
        let events = shuffled([events.clone(), events].concat(), seed);
        assert_eq!(events.len(), 8);
        for event in events {
            world.pass(vec![event], 1).await;
        }
        world.pass(Vec::new(), 30).await;
        assert_eq!(world.shown(), "M", "seed {seed}");
        let alerts = world.alerts().await;
        assert_eq!(alerts.len(), 1, "seed {seed}: {alerts:?}");
        assert!(alerts[0].text.contains("mary@example.com"), "seed {seed}: {}", alerts[0].text);
    }
}

#[tokio::test]
async fn fight_is_one_alert_and_a_day_later_one_with_the_count() {
    let mut world = World::new("tag", Mutability::Mutable, Root::Image).await;
    let before = world.writes();
    for _ in 0..10 {
        world.remove_mark().await;
        world.pass(Vec::new(), 60).await;
        assert_eq!(world.shown(), "1.0 M");
    }
    assert_eq!(world.alerts().await.len(), 1);
    let writes: Vec<u64> = world.writes().iter().zip(&before).map(|(after, before)| after - before).collect();
    assert_eq!(writes, [10, 0, 0], "one write a blow");
    world.pass(Vec::new(), 24 * 60).await;
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 2);
    assert!(alerts[1].text.contains("Times    9 since the last alert"), "{}", alerts[1].text);
    world.pass(Vec::new(), 3 * 24 * 60).await;
    assert_eq!(world.alerts().await.len(), 2);
}

#[tokio::test]
async fn crash_after_any_call_puts_it_right_and_tells_it_once() {
    let mut crashes = 0;
    for call in 1..=40 {
        let mut world = World::new("untag", Mutability::Immutable, Root::Image).await;
        world.put("1.0").await;
        world.remove_mark().await;
        world.pipeline.aws.faults().inject("*", Fault::Crash, Nth::Call(call));
        world.pass(Vec::new(), 60).await;
        crashes += u32::from(world.pipeline.has_crashed());
        world.pipeline.aws.faults().clear();
        world.pass(Vec::new(), 60).await;
        assert_eq!(world.shown(), "M", "call {call}");
        let alerts = world.alerts().await;
        let first = alerts.iter().filter(|alert| !alert.attributes.contains_key("may_repeat")).count();
        assert!(first <= 1 && !alerts.is_empty() && alerts.len() <= 2, "call {call}: {alerts:?}");
        assert!(alerts.iter().all(|alert| !alert.text.contains("Times ")), "call {call}: {alerts:?}");
    }
    assert!(crashes > 20, "{crashes} crashes");
}

/// The template without one of the means by which our own writes are recognised.
fn without(setting: &mut Setting, pattern: bool, role: bool) {
    let text = &mut setting.template;
    let mut replace = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        *text = text.replace(from, to);
    };
    if pattern {
        replace("{ anything-but: { prefix: [quarantine-, released-from-quarantine-] } }", "{ exists: true }");
        replace("{ anything-but: [!GetAtt EnforceQuarantineRole.Arn] }", "{ exists: true }");
    }
    if role {
        replace("          ENFORCING_ROLE: !GetAtt EnforceQuarantineRole.Arn\n", "");
    }
}

#[tokio::test]
async fn our_own_writes_are_no_tampering_without_any_one_of_the_three_means() {
    for mode in ["tag", "untag", "archive"] {
        let mut counts = Vec::new();
        for (pattern, role, forgetful) in [
            (false, false, false),
            (true, false, false),
            (false, true, false),
            (false, false, true),
            (true, true, false),
        ] {
            let mut setting = setting_in(mode);
            without(&mut setting, pattern, role);
            let mut world = World::of(setting, Mutability::Immutable, Root::Image).await;
            if forgetful {
                forget(&world).await;
            }
            world.pass(Vec::new(), 60).await;
            // A release takes the mark off.
            let image = Manifest::image("linux/amd64", "vulnerable");
            let closed = image.finding("CVE-2031-1", "CLOSED", minute(300));
            let events = stream([vec![closed], image.scan(&[], minute(301))].concat());
            world.pipeline.play(events, |_| ()).await.unwrap();
            world.pass(Vec::new(), 60).await;
            if !forgetful {
                let outcome = Outcome::of(&world.pipeline).await.unwrap();
                assert_eq!(outcome.images[0].verdict, Verdict::Clear);
            }
            assert_eq!(world.alerts().await, [], "{mode}, {pattern}, {role}, {forgetful}");
            assert!(world.writes().iter().sum::<u64>() < 12, "{mode}: a loop");
            if !forgetful {
                counts.push(world.writes());
            }
        }
        assert!(counts.iter().all(|count| *count == counts[0]), "{mode}: {counts:?}");
    }
}

/// Takes the notes away, as if they had been lost.
async fn forget(world: &World) {
    let table = pipeline_tests::tables(&world.pipeline).await;
    let id = format!("quarantine#{ACCOUNT}/eu-west-1/{REPOSITORY}@{}", world.root.digest());
    let key = aws_sdk_dynamodb::types::AttributeValue::S(id);
    let deleted = table.delete_item().table_name(world.pipeline.ledger_table()).key("id", key);
    deleted.send().await.unwrap();
}

#[tokio::test]
async fn image_that_a_person_deletes_is_no_fight() {
    let mut world = World::new("tag", Mutability::Mutable, Root::Image).await;
    let before = world.writes();
    world.remove(ImageIdentifier::builder().image_digest(world.root.digest()).build()).await;
    world.pass(Vec::new(), 60).await;
    assert_eq!((world.shown().as_str(), world.writes()), ("gone", before));
    assert_eq!(world.alerts().await, []);
    assert_eq!(world.pipeline.dead(), []);
}

#[tokio::test]
async fn image_that_is_deleted_before_the_alert_is_not_said_to_be_put_right() {
    let mut world = World::new("tag", Mutability::Mutable, Root::Image).await;
    world.remove_mark().await;
    let (registry, _) = world.events();
    world.pass(registry, 1).await;
    world.remove(ImageIdentifier::builder().image_digest(world.root.digest()).build()).await;
    world.pass(Vec::new(), 60).await;
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].text.contains("Status   the image has been deleted since"), "{}", alerts[0].text);
}

#[tokio::test]
async fn mark_that_a_person_moves_to_another_image_is_put_back() {
    let mut world = World::new("tag", Mutability::Mutable, Root::Image).await;
    let other = Manifest::image("linux/amd64", "harmless");
    let events = other.push("2.0", minute(10));
    world.pipeline.play(stream(events), |_| ()).await.unwrap();
    let put = world.person.put_image().repository_name(REPOSITORY).image_manifest(&other.body);
    put.image_tag(world.mark()).send().await.unwrap();
    assert_eq!(world.shown(), "1.0");
    world.pass(Vec::new(), 30).await;
    assert_eq!(world.shown(), "1.0 M");
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].text.contains("or moved to another image"), "{}", alerts[0].text);
    assert!(alerts[0].text.contains("mary@example.com"), "{}", alerts[0].text);
    let images = world.pipeline.aws.ecr().images();
    let other = images.iter().find(|view| view.digest == other.digest()).unwrap();
    assert_eq!(other.tags, ["2.0"], "nobody else lost anything");
    // A tag that looks like ours and marks nothing.
    world.put("quarantine-0123456789ab").await;
    world.put("quarantine-latest").await;
    world.pass(Vec::new(), 30).await;
    assert_eq!(world.alerts().await.len(), 1);
    assert_eq!(world.pipeline.dead(), []);
}

#[tokio::test]
async fn restore_by_a_person_is_one_alert_with_the_name() {
    let mut world = World::new("archive", Mutability::Mutable, Root::Image).await;
    let id = ImageIdentifier::builder().image_digest(world.root.digest()).build();
    let restore = world.person.update_image_storage_class().repository_name(REPOSITORY).image_id(id);
    restore.target_storage_class(aws_sdk_ecr::types::TargetStorageClass::Standard).send().await.unwrap();
    world.pass(Vec::new(), 120).await;
    assert_eq!(world.shown(), "1.0 M");
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(
        alerts[0].text.contains("restored or pushed again") && alerts[0].text.contains("mary@example.com")
    );
}

#[tokio::test]
async fn release_before_the_alert_tells_it_all_the_same() {
    let mut world = World::new("tag", Mutability::Mutable, Root::Image).await;
    // The second time is told a day later, unless the quarantine ends.
    for _ in 0..2 {
        world.remove_mark().await;
        world.pass(Vec::new(), 30).await;
        assert_eq!(world.alerts().await.len(), 1);
    }
    world.release().await;
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 2);
    assert!(alerts[1].text.contains("Status   the image has been released since"), "{}", alerts[1].text);
    assert!(!world.shown().contains('M'));
}

#[tokio::test]
async fn name_of_a_session_does_no_harm_in_an_alert() {
    let mut world = World::new("tag", Mutability::Mutable, Root::Image).await;
    world.pipeline.aws.let_assume("mary", "developer", "mary\nStatus   released\u{202e}\u{1b}[2J");
    world.remove_mark().await;
    world.pass(Vec::new(), 30).await;
    let alerts = world.alerts().await;
    let text = &alerts[0].text;
    assert_eq!(text.lines().filter(|line| line.starts_with("Status")).count(), 1, "{text}");
    assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text}");
}

#[tokio::test]
async fn mark_that_is_taken_off_in_the_archive_is_put_on_when_the_image_is_restored() {
    use aws_sdk_ecr::types::TargetStorageClass::{Archive, Standard};
    for mode in ["tag", "untag"] {
        for again in [false, true] {
            let mut world = World::new(mode, Mutability::Mutable, Root::Image).await;
            assert_eq!(world.shown(), "1.0 M");
            world.store(&world.root.digest(), Archive).await;
            world.remove_mark().await;
            world.pass(Vec::new(), 30).await;
            assert_eq!(world.shown(), "archived: 1.0");
            if again {
                world.put("1.0").await;
            } else {
                world.store(&world.root.digest(), Standard).await;
            }
            // The registry says so when it is asked for something after the end of the restore.
            world.pass(Vec::new(), 25).await;
            world.view();
            world.pass(Vec::new(), 15).await;
            assert_eq!(world.shown(), "1.0 M", "{mode} {again}");
            assert_eq!(world.alerts().await.len(), 1, "{mode} {again}");
        }
    }
}

#[tokio::test]
async fn part_that_a_person_restores_is_archived_again_after_its_next_scan() {
    use aws_sdk_ecr::types::TargetStorageClass::Standard;
    let mut world = World::new("archive", Mutability::Mutable, Root::Index).await;
    let part = Manifest::image("linux/amd64", "vulnerable");
    let status = |world: &World| {
        let images = world.pipeline.aws.ecr().images();
        images.into_iter().find(|view| view.digest == part.digest()).unwrap().status
    };
    assert_eq!(status(&world), ImageStatus::Archived);
    world.store(&part.digest(), Standard).await;
    world.pass(Vec::new(), 60).await;
    assert_eq!(status(&world), ImageStatus::Active);
    let scan = part.scan(&["CVE-2031-1"], world.pipeline.time());
    world.pass(scan, 60).await;
    assert_eq!((world.shown().as_str(), status(&world)), ("archived: 1.0 M", ImageStatus::Archived));
    assert_eq!(world.pipeline.dead(), []);
}
