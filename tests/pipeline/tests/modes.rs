//! What each quarantine mode does to an image, by the kind of its repository (invariants 8 and 9).
//!
//! The tables are the specification. M is the tag `quarantine-…`, R the tag `released-from-quarantine-…`.
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

mod enforcing;

use domain::quarantine::{Mode, Note, released_tag, tag};
use domain::verdict::Verdict;
use enforcing::{ACCOUNT, REPOSITORY, World, due, image};
use lambda::batch::Retry;
use sim_aws::{Fault, ImageStatus, Mutability, Nth};

const MODES: [Mode; 4] = [Mode::Observe, Mode::Tag, Mode::Untag, Mode::Archive];

fn kinds() -> [(&'static str, Mutability); 3] {
    [
        ("mutable", Mutability::Mutable),
        ("immutable", Mutability::Immutable),
        ("except latest", Mutability::ImmutableWithExclusion(vec!["latest".to_owned()])),
    ]
}

/// The image `a` with these tags, after it came under quarantine.
async fn quarantined(mode: Mode, mutability: Mutability, tags: &[&str]) -> World {
    let mut world = World::new(mutability).await;
    world.mode(mode);
    world.push(&image('a'), tags);
    world.judge(&image('a'), Verdict::Quarantine, 0).await;
    world.settle(&image('a')).await;
    world
}

/// A table without its borders and padding.
fn rows(table: &str) -> Vec<Vec<String>> {
    let cells =
        |line: &str| line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    table.lines().filter(|line| line.contains('|')).map(cells).collect()
}

/// Somebody takes the mark off and puts a tag on. On an archived image the latter is a push, which restores it.
fn tamper(world: &World) {
    let image = image('a');
    world.aws.ecr().set_image_status(ACCOUNT, REPOSITORY, image.digest.as_str(), ImageStatus::Active);
    world.push(&image, &["fix"]);
    world.untag(&tag(&image));
}

#[tokio::test]
async fn each_mode_marks_holds_and_releases_as_its_table_says() {
    const TABLE: &str = "
        | mode    | repository    | quarantined            | tampered with      | released         |
        | observe | mutable       | 1.0 latest             | 1.0 fix latest     | 1.0 fix latest   |
        | observe | immutable     | 1.0 latest             | 1.0 fix latest     | 1.0 fix latest   |
        | observe | except latest | 1.0 latest             | 1.0 fix latest     | 1.0 fix latest   |
        | tag     | mutable       | 1.0 latest M           | 1.0 fix latest M   | 1.0 fix latest R |
        | tag     | immutable     | 1.0 latest M           | 1.0 fix latest M   | 1.0 fix latest R |
        | tag     | except latest | 1.0 latest M           | 1.0 fix latest M   | 1.0 fix latest R |
        | untag   | mutable       | 1.0 latest M           | 1.0 fix latest M   | 1.0 fix latest R |
        | untag   | immutable     | M                      | M                  | 1.0 fix latest R |
        | untag   | except latest | latest M               | latest M           | 1.0 fix latest R |
        | archive | mutable       | archived: 1.0 latest M | 1.0 fix latest M   | 1.0 fix latest R |
        | archive | immutable     | archived: 1.0 latest M | 1.0 fix latest M   | 1.0 fix latest R |
        | archive | except latest | archived: 1.0 latest M | 1.0 fix latest M   | 1.0 fix latest R |";
    let image = image('a');
    let mut seen = vec![rows(TABLE)[0].clone()];
    for mode in MODES {
        for (kind, mutability) in kinds() {
            let mut world = World::new(mutability).await;
            world.mode(mode);
            world.push(&image, &["1.0", "latest"]);
            let before = world.find(&image).unwrap();
            let mut row = vec![mode.to_string(), kind.to_owned()];
            world.judge(&image, Verdict::Quarantine, 0).await;
            world.settle(&image).await;
            row.push(world.shown(&image));
            tamper(&world);
            world.settle(&image).await;
            row.push(world.shown(&image));
            world.judge(&image, Verdict::Clear, 0).await;
            world.settle(&image).await;
            row.push(world.shown(&image));
            let after = world.find(&image).unwrap();
            assert_eq!((after.manifest, after.media_type), (before.manifest, before.media_type));
            seen.push(row);
        }
    }
    assert_eq!(seen, rows(TABLE));
}

#[tokio::test]
async fn switching_the_mode_converges_what_is_in_quarantine_both_ways() {
    const TABLE: &str = "
        | from    | to      | repository | first                  | switched               | released     |
        | tag     | untag   | immutable  | 1.0 latest M           | M                      | 1.0 latest R |
        | untag   | tag     | immutable  | M                      | 1.0 latest M           | 1.0 latest R |
        | tag     | archive | immutable  | 1.0 latest M           | archived: 1.0 latest M | 1.0 latest R |
        | archive | tag     | immutable  | archived: 1.0 latest M | 1.0 latest M           | 1.0 latest R |
        | untag   | archive | immutable  | M                      | archived: M            | 1.0 latest R |
        | archive | untag   | immutable  | archived: 1.0 latest M | M                      | 1.0 latest R |
        | archive | untag   | mutable    | archived: 1.0 latest M | 1.0 latest M           | 1.0 latest R |
        | untag   | observe | immutable  | M                      | M                      | M            |";
    let image = image('a');
    let table = rows(TABLE);
    let mut seen = vec![table[0].clone()];
    for row in &table[1..] {
        let (from, to): (Mode, Mode) = (row[0].parse().unwrap(), row[1].parse().unwrap());
        let mutability = if row[2] == "mutable" { Mutability::Mutable } else { Mutability::Immutable };
        let mut world = World::new(mutability).await;
        world.push(&image, &["1.0", "latest"]);
        let mut shown = row[..3].to_vec();
        for (mode, verdict) in [(from, Verdict::Quarantine), (to, Verdict::Quarantine), (to, Verdict::Clear)]
        {
            world.mode(mode);
            world.judge(&image, verdict, 0).await;
            world.settle(&image).await;
            shown.push(world.shown(&image));
        }
        seen.push(shown);
    }
    assert_eq!(seen, table);
}

/// Images in quarantine, in one mode; then the deployment gets another one.
async fn switched(from: Mode, to: Mode) -> World {
    let mut world = World::new(Mutability::Immutable).await;
    world.mode(from);
    for digit in ['a', 'b', 'c'] {
        world.push(&image(digit), &[&digit.to_string()]);
        let verdict = if digit == 'c' { Verdict::Clear } else { Verdict::Quarantine };
        world.judge(&image(digit), verdict, 0).await;
        world.settle(&image(digit)).await;
    }
    world.follows_modes = true;
    world.mode(to);
    world.aws.sqs().take_sent();
    world
}

/// Hands to the function what it has sent to itself.
async fn take_sent(world: &World) -> usize {
    let sent = world.aws.sqs().take_sent();
    for message in &sent {
        assert_eq!(world.handle(std::slice::from_ref(&message.body)).await.failed, []);
    }
    sent.len()
}

#[tokio::test]
async fn switch_of_the_mode_reaches_what_is_in_quarantine_without_an_announcement() {
    for (from, to, expected) in [
        (Mode::Tag, Mode::Archive, ["archived: a M", "archived: b M", "c"]),
        (Mode::Untag, Mode::Tag, ["a M", "b M", "c"]),
        (Mode::Observe, Mode::Tag, ["a M", "b M", "c"]),
        (Mode::Tag, Mode::Observe, ["a M", "b M", "c"]),
    ] {
        let world = switched(from, to).await;
        // A message about something else is enough.
        world.handle(&[due(&image('c'))]).await;
        let sent = take_sent(&world).await;
        assert_eq!(sent, if to == Mode::Observe { 0 } else { 2 }, "{from} {to}");
        assert_eq!(['a', 'b', 'c'].map(|digit| world.shown(&image(digit))), expected, "{from} {to}");
        world.handle(&[due(&image('c'))]).await;
        assert_eq!(take_sent(&world).await, 0, "once");
    }
}

#[tokio::test]
async fn crash_during_a_switch_of_the_mode_leaves_no_image_in_the_old_one() {
    for call in 1..=30 {
        let world = switched(Mode::Tag, Mode::Archive).await;
        world.aws.faults().inject("*", Fault::Crash, Nth::Call(call));
        let bodies = [due(&image('c'))];
        tokio::select! {
            _ = world.handle(&bodies) => {}
            () = world.aws.faults().crashed() => {}
        }
        world.aws.faults().clear();
        world.handle(&bodies).await;
        take_sent(&world).await;
        let shown = ['a', 'b'].map(|digit| world.shown(&image(digit)));
        assert_eq!(shown, ["archived: a M", "archived: b M"], "after call {call}");
    }
}

#[tokio::test]
async fn rescan_restores_without_tags_and_releases_or_archives_again() {
    for (verdict, expected) in [(Verdict::Clear, "1.0 R"), (Verdict::Quarantine, "archived: M")] {
        let image = image('a');
        let world = quarantined(Mode::Archive, Mutability::Immutable, &["1.0"]).await;
        world.pass(5);
        let mut notes = world.memory.notes(&image).await.unwrap();
        let (by, why) = ("ana".to_owned(), "the feed was wrong".to_owned());
        assert!(notes.value.take(Note::Rescan { by, why }, world.now()));
        world.memory.store_notes(&image, &mut notes, world.now()).await.unwrap();
        let report = world.handle(&[due(&image)]).await;
        assert_eq!((world.shown(&image).as_str(), report.deferred.len()), ("activating: M", 1));
        world.pass(20);
        for _ in 0..3 {
            world.settle(&image).await;
            assert_eq!(world.shown(&image), "M", "until a scan has ended");
        }
        world.pass(5);
        world.judge(&image, verdict, 0).await;
        let mut stored = world.ledgers.load(&image).await.unwrap();
        stored.ledger.announced.scan = Some(world.now());
        assert!(world.ledgers.store(&mut stored).await.unwrap());
        world.settle(&image).await;
        assert_eq!(world.shown(&image), expected);
        let (_, act) = &world.acts(&image).await[1];
        assert_eq!(act.done, ["took the tag 1.0 off", "asked for the restore of the image"]);
        assert!(act.why.ends_with("ana asked for a rescan: the feed was wrong"), "{}", act.why);
    }
}

#[tokio::test]
async fn tag_that_another_image_has_by_now_is_not_given_back() {
    let (image, other) = (image('a'), image('b'));
    let world = quarantined(Mode::Untag, Mutability::Immutable, &["1.0", "2.0"]).await;
    world.push(&other, &["2.0"]);
    world.judge(&image, Verdict::Clear, 0).await;
    world.settle(&image).await;
    assert_eq!((world.shown(&image).as_str(), world.shown(&other).as_str()), ("1.0 R", "2.0"));
}

#[tokio::test]
async fn tags_that_can_move_are_taken_off_only_by_choice_and_come_back_by_a_command() {
    let image = image('a');
    let mut world = World::new(Mutability::Mutable).await;
    world.mode(Mode::Untag);
    world.push(&image, &["latest"]);
    world.judge(&image, Verdict::Quarantine, 0).await;
    for _ in 0..3 {
        world.settle(&image).await;
    }
    assert_eq!(world.shown(&image), "latest M");
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "said once: {notices:?}");
    assert_eq!((&notices[0]["kind"], &notices[0]["tags"][0]), (&"tags_left_on".into(), &"latest".into()));

    world.set("UNTAG_MUTABLE", &true);
    world.settle(&image).await;
    assert_eq!(world.shown(&image), "M");
    world.judge(&image, Verdict::Clear, 0).await;
    world.settle(&image).await;
    assert_eq!(world.shown(&image), "R", "latest may be another image's by now");
    let notices = world.notices();
    assert_eq!((notices.len(), &notices[0]["kind"]), (1, &"tags_not_given_back".into()));
}

#[tokio::test]
async fn image_that_somebody_restored_is_archived_again_after_a_scan() {
    let image = image('a');
    let world = quarantined(Mode::Archive, Mutability::Mutable, &["1.0"]).await;
    world.pass(5);
    world.aws.ecr().set_image_status(ACCOUNT, REPOSITORY, image.digest.as_str(), ImageStatus::Active);
    for _ in 0..3 {
        world.settle(&image).await;
        assert_eq!(world.shown(&image), "1.0 M");
    }
    assert!(world.notices().is_empty(), "it may become known who did it");
    world.pass(10);
    for _ in 0..3 {
        world.settle(&image).await;
    }
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "said once: {notices:?}");
    assert_eq!((&notices[0]["kind"], &notices[0]["restored"]), (&"tampered".into(), &true.into()));
    world.pass(5);
    let mut stored = world.ledgers.load(&image).await.unwrap();
    stored.ledger.announced.scan = Some(world.now());
    assert!(world.ledgers.store(&mut stored).await.unwrap());
    world.settle(&image).await;
    assert_eq!(world.shown(&image), "archived: 1.0 M");
}

#[tokio::test]
async fn restore_that_is_heard_of_after_its_scan_ends_like_any_other() {
    let image = image('a');
    let world = quarantined(Mode::Archive, Mutability::Mutable, &["1.0"]).await;
    let person = aws_sdk_ecr::Client::new(&world.aws.sdk_config().await);
    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_digest(image.digest.as_str()).build();
    let restore = person.update_image_storage_class().repository_name(REPOSITORY).image_id(id);
    restore.target_storage_class(aws_sdk_ecr::types::TargetStorageClass::Standard).send().await.unwrap();
    world.pass(25);
    let mut stored = world.ledgers.load(&image).await.unwrap();
    stored.ledger.announced.scan = Some(world.now());
    assert!(world.ledgers.store(&mut stored).await.unwrap());
    world.pass(30);
    world.settle(&image).await;
    assert_eq!(world.shown(&image), "1.0 M", "people are told of it");
    world.pass(11);
    world.settle(&image).await;
    assert_eq!(world.shown(&image), "archived: 1.0 M");
}

#[tokio::test]
async fn image_without_a_tag_is_left_alone_unless_that_was_chosen() {
    for (chosen, expected) in [(false, ""), (true, "M")] {
        let image = image('a');
        let mut world = World::new(Mutability::Mutable).await;
        world.mode(Mode::Tag);
        world.set("QUARANTINE_UNTAGGED", &chosen);
        world.push(&image, &[]);
        world.judge(&image, Verdict::Quarantine, 0).await;
        world.settle(&image).await;
        assert_eq!(world.shown(&image), expected);
    }
}

#[tokio::test]
async fn crash_after_any_call_changes_nothing_in_the_end() {
    let image = image('a');
    for mode in [Mode::Tag, Mode::Untag, Mode::Archive] {
        let mut count = 0;
        for call in 1..=30 {
            let mut world = World::new(Mutability::Immutable).await;
            world.mode(mode);
            world.push(&image, &["1.0", "latest"]);
            for verdict in [Verdict::Quarantine, Verdict::Clear] {
                world.judge(&image, verdict, 0).await;
                world.aws.faults().inject("*", Fault::Crash, Nth::Call(call));
                let bodies = [due(&image)];
                let crashed = tokio::select! {
                    _ = world.handle(&bodies) => false,
                    () = world.aws.faults().crashed() => true,
                };
                world.aws.faults().clear();
                count += u32::from(crashed);
                world.settle(&image).await;
                let expected = match (verdict, mode) {
                    (Verdict::Clear, _) => "1.0 latest R",
                    (_, Mode::Untag) => "M",
                    (_, Mode::Archive) => "archived: 1.0 latest M",
                    (..) => "1.0 latest M",
                };
                assert_eq!(world.shown(&image), expected, "{mode} {verdict} after call {call}");
            }
        }
        assert!(count > 15, "{mode}: {count} crashes");
    }
}

#[tokio::test]
async fn what_agrees_is_not_written_and_a_fight_costs_one_write_a_blow() {
    let image = image('a');
    for mode in [Mode::Tag, Mode::Untag, Mode::Archive] {
        let world = quarantined(mode, Mutability::Immutable, &["1.0"]).await;
        let writes = |world: &World| {
            let calls = world.aws.calls();
            let writes =
                ["ecr:PutImage", "ecr:BatchDeleteImage", "ecr:UpdateImageStorageClass", "dynamodb:PutItem"];
            writes.map(|action| calls.get(action).copied().unwrap_or_default())
        };
        let before = writes(&world);
        for _ in 0..5 {
            world.settle(&image).await;
        }
        assert_eq!(writes(&world), before, "{mode}");
    }
    let world = quarantined(Mode::Tag, Mutability::Mutable, &["1.0"]).await;
    for _ in 0..10 {
        world.untag(&tag(&image));
        world.settle(&image).await;
        world.settle(&image).await;
    }
    assert_eq!(world.aws.calls()["ecr:PutImage"], 11);
    assert_eq!(world.find(&image).unwrap().tags, ["1.0".to_owned(), tag(&image)]);
    assert!(!world.shown(&image).contains(&released_tag(&image)));
}

#[tokio::test]
async fn deployment_that_observes_asks_nothing_of_the_registry_but_the_image() {
    let image = image('a');
    let mut world = quarantined(Mode::Untag, Mutability::Immutable, &["1.0"]).await;
    assert_eq!(world.shown(&image), "M");
    let asked =
        |world: &World| world.aws.calls().get("ecr:DescribeRepositories").copied().unwrap_or_default();
    let before = asked(&world);
    assert!(before > 0);
    world.mode(Mode::Observe);
    for verdict in [Verdict::Quarantine, Verdict::Clear] {
        world.judge(&image, verdict, 0).await;
        world.settle(&image).await;
        assert_eq!((world.shown(&image), asked(&world)), ("M".to_owned(), before));
    }
}

#[tokio::test]
async fn tag_of_three_hundred_characters_goes_and_comes_back_and_takes_no_other_with_it() {
    let (image, other) = (image('a'), image('b'));
    let (long, short) = ("x".repeat(300), "x".repeat(256));
    let mut world = World::new(Mutability::Immutable).await;
    world.mode(Mode::Untag);
    world.push(&other, &[&short]);
    world.push(&image, &[&long]);
    world.judge(&image, Verdict::Quarantine, 0).await;
    world.settle(&image).await;
    assert_eq!((world.shown(&image), world.shown(&other)), ("M".to_owned(), short));
    world.judge(&image, Verdict::Clear, 0).await;
    world.settle(&image).await;
    assert_eq!(world.shown(&image), format!("R {long}"));
}

#[tokio::test]
async fn image_with_as_many_tags_as_ecr_allows_is_released() {
    let image = image('a');
    let tags: Vec<String> = (0..999).map(|number| format!("1.{number}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    for mode in [Mode::Tag, Mode::Untag, Mode::Archive] {
        let mut world = World::new(Mutability::Immutable).await;
        world.mode(mode);
        world.push(&image, &tags);
        for (verdict, ours) in [(Verdict::Quarantine, tag(&image)), (Verdict::Clear, released_tag(&image))] {
            world.judge(&image, verdict, 0).await;
            world.settle(&image).await;
            let there = world.find(&image).unwrap().tags;
            let left = if (mode, verdict) == (Mode::Untag, Verdict::Quarantine) { 1 } else { 1_000 };
            assert_eq!((there.len(), there.contains(&ours)), (left, true), "{mode} {verdict}");
        }
    }
}

#[tokio::test]
async fn image_that_cannot_be_marked_is_archived_all_the_same() {
    let (image, other) = (image('a'), image('b'));
    let tags: Vec<String> = (0..1_000).map(|number| format!("1.{number}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    for full in [true, false] {
        let mut world = World::new(Mutability::Immutable).await;
        world.mode(Mode::Archive);
        world.push(&image, if full { &tags } else { &["1.0"] });
        if !full {
            // Somebody thought of it before.
            world.push(&other, &[&tag(&image)]);
        }
        world.judge(&image, Verdict::Quarantine, 0).await;
        world.handle(&[due(&image)]).await;
        assert_eq!(world.find(&image).unwrap().status, ImageStatus::Archived, "{full}");
        world.settle(&image).await;
        world.judge(&image, Verdict::Clear, 0).await;
        world.settle(&image).await;
        let view = world.find(&image).unwrap();
        assert_eq!((view.status, view.tags.len()), (ImageStatus::Active, if full { 1_000 } else { 1 }));
    }
}

#[tokio::test]
async fn repository_that_is_deleted_before_any_call_is_no_failure_for_good() {
    let image = image('a');
    let mut deletions = 0;
    for mode in [Mode::Untag, Mode::Archive] {
        for action in
            ["DescribeImages", "BatchGetImage", "PutImage", "BatchDeleteImage", "UpdateImageStorageClass"]
        {
            for call in 1..=3 {
                for verdict in [Verdict::Quarantine, Verdict::Clear] {
                    let mut world = World::new(Mutability::Immutable).await;
                    world.mode(mode);
                    world.push(&image, &["1.0"]);
                    world.judge(&image, Verdict::Quarantine, 0).await;
                    if verdict == Verdict::Clear {
                        world.settle(&image).await;
                        world.judge(&image, verdict, 0).await;
                    }
                    let ecr = world.aws.ecr().clone();
                    let delete = move || ecr.seed_delete_repository(ACCOUNT, REPOSITORY);
                    world.aws.faults().before(&format!("ecr:{action}"), call, delete);
                    let report = world.handle(&[due(&image)]).await;
                    assert!(
                        report.failed.iter().all(|failure| failure.retry != Retry::Never),
                        "{action} {call}: {report:?}"
                    );
                    deletions += u32::from(world.find(&image).is_none());
                    world.aws.faults().clear();
                    world.aws.ecr().seed_delete_repository(ACCOUNT, REPOSITORY);
                    world.settle(&image).await;
                }
            }
        }
    }
    assert!(deletions > 15, "{deletions}");
}
