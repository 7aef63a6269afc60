//! What enforcement does is in the history of the image (docs/adr/0020).
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

mod enforcing;

use domain::quarantine::Mode;
use domain::quarantine::limit::Resumed;
use domain::verdict::Verdict;
use enforcing::{World, due, image};
use sim_aws::{Fault, Mutability, Nth};

const TWO_DAYS: i64 = 2 * 24 * 60;
const MARK: &str = "quarantine-aaaaaaaaaaaa";

/// The acts of an image, each as its kind and what was done.
async fn said(world: &World, digit: char) -> Vec<String> {
    let acts = world.acts(&image(digit)).await;
    acts.into_iter().map(|(kind, act)| format!("{kind}: {}", act.done.join("; "))).collect()
}

#[tokio::test]
async fn history_says_what_was_done_and_a_look_that_changes_nothing_writes_nothing() {
    let image = image('a');
    let mut world = World::new(Mutability::Immutable).await;
    world.mode(Mode::Archive);
    world.push(&image, &["1.0"]);
    world.judge(&image, Verdict::Quarantine, 0).await;
    world.settle(&image).await;
    world.settle(&image).await;
    world.mode(Mode::Untag);
    world.settle(&image).await;
    world.judge(&image, Verdict::Clear, 0).await;
    world.settle(&image).await;
    world.settle(&image).await;
    let expected = [
        format!("quarantined: put the tag {MARK} on; archived the image"),
        "quarantined: asked for the restore of the image".to_owned(),
        "quarantined: took the tag 1.0 off".to_owned(),
        format!(
            "released: gave the tag 1.0 back, unless another image has it; \
             put the tag released-from-{MARK} on; took the tag {MARK} off"
        ),
    ];
    assert_eq!(said(&world, 'a').await, expected);
    assert_eq!(world.acts(&image).await[1].1.why, "a milder quarantine mode is in force");
    assert!(world.memory.notes(&image).await.unwrap().value.are_blank());
}

#[tokio::test]
async fn crash_after_any_call_leaves_each_act_in_the_history_once() {
    let image = image('a');
    let mut crashes = 0;
    for call in 1..=30 {
        let mut world = World::new(Mutability::Immutable).await;
        world.mode(Mode::Untag);
        world.push(&image, &["1.0"]);
        for verdict in [Verdict::Quarantine, Verdict::Clear] {
            world.judge(&image, verdict, 0).await;
            world.aws.faults().inject("*", Fault::Crash, Nth::Call(call));
            let bodies = [due(&image)];
            crashes += tokio::select! {
                _ = world.handle(&bodies) => 0,
                () = world.aws.faults().crashed() => 1,
            };
            world.aws.faults().clear();
            world.pass(1);
            world.settle(&image).await;
        }
        let kinds: Vec<_> = world.acts(&image).await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["quarantined", "released"], "after call {call}");
        let notes = world.memory.notes(&image).await.unwrap().value;
        assert_eq!(notes, domain::quarantine::Notes::default(), "after call {call}");
    }
    assert!(crashes > 20, "{crashes}");
}

#[tokio::test]
async fn what_is_held_and_who_let_it_go_on_is_in_the_history() {
    let mut world = World::new(Mutability::Mutable).await;
    world.mode(Mode::Tag);
    world.set("QUARANTINES_PER_HOUR", &1);
    for digit in ['a', 'b'] {
        world.push(&image(digit), &[&digit.to_string()]);
        world.judge(&image(digit), Verdict::Quarantine, TWO_DAYS).await;
        world.settle(&image(digit)).await;
        world.settle(&image(digit)).await;
    }
    assert_eq!(said(&world, 'b').await, ["held: changed nothing"]);
    world.pass(5);
    let mut limit = world.memory.limit().await.unwrap();
    let (by, why) = ("ana".to_owned(), "the feed is right".to_owned());
    limit.value = limit.value.resume(Resumed { at: world.now(), by, why, images: 1 }, 1);
    world.memory.store_limit(&mut limit).await.unwrap();
    world.settle(&image('b')).await;
    let expected = [
        "held: changed nothing",
        "resumed: ana resumed 1 quarantines",
        "quarantined: put the tag quarantine-bbbbbbbbbbbb on",
    ];
    assert_eq!(said(&world, 'b').await, expected);
    assert_eq!(world.acts(&image('b')).await[1].1.why, "the feed is right");
}

#[tokio::test]
async fn history_that_cannot_be_written_holds_nothing_back_and_is_written_later() {
    let image = image('a');
    let mut world = World::new(Mutability::Immutable).await;
    world.mode(Mode::Untag);
    world.set("QUARANTINES_PER_HOUR", &1);
    world.push(&image, &["1.0"]);
    world.judge(&image, Verdict::Quarantine, TWO_DAYS).await;
    world.aws.faults().inject("dynamodb:BatchWriteItem", Fault::ServerError, Nth::Always);
    assert_eq!(world.handle(&[due(&image)]).await.failed, []);
    assert_eq!(world.shown(&image), "M");
    assert_eq!(said(&world, 'a').await, Vec::<String>::new());
    world.aws.faults().clear();
    world.settle(&image).await;
    world.settle(&image).await;
    assert_eq!(
        said(&world, 'a').await,
        [format!("quarantined: put the tag {MARK} on; took the tag 1.0 off")]
    );
}
