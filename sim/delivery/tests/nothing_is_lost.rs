//! Whatever happens to the batches, every message that was sent is deleted, dead, or still queued.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[allow(dead_code, reason = "each test file uses its own part")]
mod small;

use std::collections::BTreeSet;

use proptest::prelude::*;
use sim_delivery::{Batch, Failed};

/// One thing that can happen next.
#[derive(Debug, Clone)]
enum Step {
    Send(u8),
    Take,
    Succeed,
    /// Every message whose bit is set failed.
    FailSome(u8),
    FailAll,
    AnswerNonsense,
    Crash,
    /// Milliseconds.
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u8..8).prop_map(Step::Send),
        4 => Just(Step::Take),
        2 => Just(Step::Succeed),
        2 => any::<u8>().prop_map(Step::FailSome),
        1 => Just(Step::FailAll),
        1 => Just(Step::AnswerNonsense),
        1 => Just(Step::Crash),
        3 => (0u32..90_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn sent_is_deleted_and_dead_and_queued(steps in prop::collection::vec(step(), 0..80)) {
        let mut stack = small::load(small::TEMPLATE).unwrap();
        let mut now = 0;
        let mut sent = 0;
        let mut deleted = BTreeSet::new();
        let mut delivering: Vec<Batch> = Vec::new();
        for step in steps {
            let failed = match step {
                Step::Send(count) => {
                    for _ in 0..count {
                        prop_assert_eq!(stack.route("default", &small::sale(sent), now).queues.len(), 1);
                        sent += 1;
                    }
                    None
                }
                Step::Take => {
                    delivering.extend(stack.next_batch(now));
                    None
                }
                Step::Wait(milliseconds) => {
                    now += i64::from(milliseconds);
                    None
                }
                Step::Crash => {
                    stack.release_in_flight();
                    delivering.clear();
                    None
                }
                Step::Succeed => Some(Failed::None),
                Step::FailAll => Some(Failed::All),
                Step::AnswerNonsense => Some(Failed::Items(vec![String::new()])),
                Step::FailSome(bits) => delivering.first().map(|batch| {
                    let chosen = batch.records.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1);
                    Failed::Items(chosen.map(|(_, record)| record.message_id.clone()).collect())
                }),
            };
            if let Some(failed) = failed && !delivering.is_empty() {
                let finished = stack.finish(delivering.remove(0), failed);
                for record in finished.deleted {
                    prop_assert!(deleted.insert(record.message_id), "deleted twice");
                }
            }
            let queued = stack.queue_length("Sales");
            let dead = stack.dead_letters();
            prop_assert_eq!(sent, (deleted.len() + dead.len() + queued) as u64);
            prop_assert!(dead.iter().all(|(_, record)| record.receive_count == 3));
            prop_assert_eq!(stack.idle(), queued == 0);
            prop_assert_eq!(stack.next_visible_at().is_some(), queued > 0);
        }
        // With time and success everything ends.
        while let Some(at) = stack.next_visible_at() {
            now = now.max(at);
            while let Some(batch) = stack.next_batch(now) {
                deleted.extend(stack.finish(batch, Failed::None).deleted.into_iter().map(|one| one.message_id));
            }
        }
        prop_assert!(stack.idle());
        prop_assert_eq!(sent, (deleted.len() + stack.dead_letters().len()) as u64);
    }
}
