//! A mistake has a bounded radius (invariant 12).
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

mod enforcing;

use domain::image::ImageId;
use domain::quarantine::Mode;
use domain::quarantine::limit::Resumed;
use domain::verdict::Verdict;
use enforcing::{World, due, image};
use sim_aws::{Fault, Mutability, Nth};

const TWO_DAYS: i64 = 2 * 24 * 60;

/// Images that were there before, all of which come under quarantine at once.
async fn world(per_hour: u32, images: &[ImageId]) -> World {
    let mut world = World::new(Mutability::Mutable).await;
    world.mode(Mode::Tag);
    world.set("QUARANTINES_PER_HOUR", &per_hour);
    for image in images {
        world.push(image, &[&image.digest.short()[..1]]);
        world.judge(image, Verdict::Quarantine, TWO_DAYS).await;
    }
    world
}

fn old() -> Vec<ImageId> {
    "abcde".chars().map(image).collect()
}

fn marked(world: &World, images: &[ImageId]) -> usize {
    images.iter().filter(|image| world.shown(image).ends_with(" M")).count()
}

fn archived(world: &World, images: &[ImageId]) -> usize {
    images.iter().filter(|image| world.shown(image).starts_with("archived")).count()
}

/// Images that are marked; a stricter mode is allowed for one of them.
async fn mostly_held_in_a_milder_mode() -> (Vec<ImageId>, World) {
    let images = old();
    let mut world = world(0, &images).await;
    handle(&world, &images).await;
    world.mode(Mode::Archive);
    world.set("QUARANTINES_PER_HOUR", &1);
    handle(&world, &images).await;
    (images, world)
}

async fn handle(world: &World, images: &[ImageId]) {
    let bodies: Vec<String> = images.iter().map(due).collect();
    let report = world.handle(&bodies).await;
    assert_eq!(
        (report.failed, report.handled.len()),
        (vec![], images.len()),
        "their messages leave the queue"
    );
}

#[tokio::test]
async fn old_images_beyond_the_limit_are_held_and_new_ones_never_are() {
    let images = old();
    let world = world(2, &images).await;
    handle(&world, &images).await;
    assert_eq!(marked(&world, &images), 2);
    assert_eq!(world.memory.held().await.unwrap().len(), 3);
    // Repetition and re-marking take no place.
    for image in &images {
        world.untag(&domain::quarantine::tag(image));
    }
    handle(&world, &images).await;
    assert_eq!((marked(&world, &images), world.memory.held().await.unwrap().len()), (2, 3));
    let new = image('f');
    world.push(&new, &["f"]);
    world.judge(&new, Verdict::Quarantine, 1).await;
    handle(&world, std::slice::from_ref(&new)).await;
    assert_eq!(world.shown(&new), "f M");
    // It is not time that ends the pause.
    world.pass(TWO_DAYS);
    handle(&world, &images).await;
    assert_eq!(marked(&world, &images), 2);
}

#[tokio::test]
async fn no_limit_holds_nothing() {
    let images = old();
    let world = world(0, &images).await;
    handle(&world, &images).await;
    assert_eq!(marked(&world, &images), 5);
}

#[tokio::test]
async fn people_are_told_once_how_many_are_held() {
    let images = old();
    let world = world(1, &images).await;
    handle(&world, &images).await;
    // Images that are held at the same time may each send it. It is the same message, and is told once.
    let sent: Vec<_> = world.aws.sqs().take_sent();
    let message = &sent[0];
    assert!(sent.iter().all(|other| other.body == message.body && other.delay_seconds == 120), "{sent:?}");
    for _ in 0..2 {
        assert_eq!(world.handle(std::slice::from_ref(&message.body)).await.failed, []);
    }
    let notices = world.notices();
    assert_eq!(notices[0]["kind"], "quarantines_held");
    assert_eq!((&notices[0]["held"], &notices[0]["per_hour"]), (&4.into(), &1.into()));
    assert_eq!(notices[0]["id"], notices[1]["id"], "raise-alerts says one id once");
    handle(&world, &images).await;
    assert!(world.aws.sqs().take_sent().is_empty());
}

/// A person lets so many images go on.
async fn resume(world: &World, images: u32) {
    let mut limit = world.memory.limit().await.unwrap();
    let resumed = Resumed { at: world.now(), by: "ana".to_owned(), why: "checked".to_owned(), images };
    limit.value = limit.value.resume(resumed, world.memory.held().await.unwrap().len());
    world.memory.store_limit(&mut limit).await.unwrap();
}

#[tokio::test]
async fn person_lets_some_go_on_and_then_the_others() {
    let images = old();
    let world = world(1, &images).await;
    handle(&world, &images).await;
    for (granted, expected, held) in [(2, 3, 2), (2, 5, 0)] {
        resume(&world, granted).await;
        handle(&world, &images).await;
        assert_eq!((marked(&world, &images), world.memory.held().await.unwrap().len()), (expected, held));
    }
    assert_eq!(world.memory.limit().await.unwrap().value.pause, None);
}

#[tokio::test]
async fn image_that_becomes_clear_is_not_held_any_more() {
    let images = old();
    let world = world(1, &images).await;
    handle(&world, &images).await;
    for image in &images {
        world.judge(image, Verdict::Clear, TWO_DAYS).await;
    }
    handle(&world, &images).await;
    assert_eq!((marked(&world, &images), world.memory.held().await.unwrap()), (0, vec![]));
}

#[tokio::test]
async fn stricter_mode_takes_a_place_and_the_milder_one_stays_in_force_meanwhile() {
    let (images, world) = mostly_held_in_a_milder_mode().await;
    assert_eq!((archived(&world, &images), marked(&world, &images)), (1, 5));
    // What is held in its old mode is held in it: the mark comes back.
    for image in &images {
        world.untag(&domain::quarantine::tag(image));
    }
    handle(&world, &images).await;
    assert_eq!(marked(&world, &images), 4, "all that can be marked");
}

#[tokio::test]
async fn crash_takes_no_second_place_and_loses_no_image_that_is_held() {
    let images = old();
    for call in 1..=40 {
        let world = world(2, &images).await;
        world.aws.faults().inject("*", Fault::Crash, Nth::Call(call));
        let bodies: Vec<String> = images.iter().map(due).collect();
        tokio::select! {
            _ = world.handle(&bodies) => {}
            () = world.aws.faults().crashed() => {}
        }
        world.aws.faults().clear();
        handle(&world, &images).await;
        let held = world.memory.held().await.unwrap();
        assert_eq!((marked(&world, &images), held.len()), (2, 3), "after call {call}");
        assert!(!world.aws.sqs().take_sent().is_empty(), "nobody is told, after call {call}");
        let taken: u32 = world.memory.limit().await.unwrap().value.taken.values().sum();
        assert_eq!(taken, 2, "after call {call}");
    }
}

#[tokio::test]
async fn crash_while_a_person_lets_them_go_on_leaves_none_in_the_list() {
    let images = old();
    let mut crashes = 0;
    for call in 1..=60 {
        let world = world(1, &images).await;
        handle(&world, &images).await;
        resume(&world, 4).await;
        world.aws.faults().inject("*", Fault::Crash, Nth::Call(call));
        let bodies: Vec<String> = images.iter().map(due).collect();
        tokio::select! {
            _ = world.handle(&bodies) => {}
            () = world.aws.faults().crashed() => crashes += 1,
        }
        world.aws.faults().clear();
        handle(&world, &images).await;
        let held = world.memory.held().await.unwrap();
        assert_eq!((marked(&world, &images), held), (5, vec![]), "after call {call}");
    }
    assert!(crashes > 30, "{crashes}");
}

#[tokio::test]
async fn image_that_was_held_and_is_deleted_or_only_observed_leaves_the_list() {
    let images = old();
    let mut world = world(1, &images).await;
    handle(&world, &images).await;
    let held: Vec<ImageId> =
        world.memory.held().await.unwrap().iter().map(|image| image.parse().unwrap()).collect();
    world.aws.ecr().seed_delete(enforcing::ACCOUNT, enforcing::REPOSITORY, held[0].digest.as_str());
    handle(&world, &held[..1]).await;
    assert_eq!(world.memory.held().await.unwrap().len(), 3);
    world.mode(Mode::Observe);
    handle(&world, &held).await;
    assert_eq!(world.memory.held().await.unwrap(), Vec::<String>::new());
    assert_eq!(marked(&world, &images), 1, "nothing was done to them");
}

#[tokio::test]
async fn another_look_at_an_image_that_is_held_writes_nothing() {
    let images = old();
    let world = world(1, &images).await;
    handle(&world, &images).await;
    let before = world.aws.calls();
    handle(&world, &images).await;
    let after = world.aws.calls();
    for write in ["dynamodb:UpdateItem", "dynamodb:PutItem", "sqs:SendMessage", "ecr:PutImage"] {
        assert_eq!(after.get(write), before.get(write), "{write}");
    }
}

#[tokio::test]
async fn scan_that_fails_takes_nothing_past_the_limit() {
    for verdict in [Verdict::Unscannable, Verdict::Pending] {
        let (images, world) = mostly_held_in_a_milder_mode().await;
        for image in &images {
            world.judge(image, verdict, TWO_DAYS).await;
        }
        handle(&world, &images).await;
        assert_eq!((archived(&world, &images), marked(&world, &images)), (1, 5), "{verdict}");
    }
}

#[tokio::test]
async fn what_a_person_let_go_on_and_did_not_need_it_serves_no_other_mistake() {
    let images = old();
    let (first, later) = images.split_at(3);
    let world = world(1, &images).await;
    handle(&world, first).await;
    assert_eq!(marked(&world, first), 1);
    resume(&world, 1_000).await;
    for image in first {
        world.judge(image, Verdict::Clear, TWO_DAYS).await;
    }
    handle(&world, first).await;
    world.pass(2 * TWO_DAYS);
    handle(&world, later).await;
    assert_eq!(marked(&world, later), 1, "nobody has looked at these");
}
