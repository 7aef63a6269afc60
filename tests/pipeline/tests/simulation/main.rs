//! A simulation in the manner of `VOPR`, `TigerBeetle`'s: a seed chooses a history of pushes, tags, deletions, scans,
//! findings, gaps, faults and crashes, and at every rest the product must agree with a world that shares no code with it.
//!
//! `SIMULATION_HISTORIES` says how many histories are played, `SIMULATION_SEED` which one is played alone:
//! `SIMULATION_SEED=17 cargo test --workspace --test simulation -- --nocapture`
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // A test says what it expects by failing.

mod check;
mod history;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use check::{Check, writes};
use history::{Act, Chance, history};
use pipeline_tests::{file, pipeline_with, setting, shuffled, stream};
use serde_json::Value;
use sim_aws::Fault;
use world::World;

/// As many as a debug build plays on two cores in about a minute.
const HISTORIES: u64 = 70;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().unwrap())
}

#[test]
fn whatever_happens_the_product_agrees_with_the_world() {
    if let Some(seed) = number("SIMULATION_SEED") {
        for act in history(seed) {
            eprintln!("{act:#?}");
        }
        return run(seed);
    }
    let (begin, histories) = (Instant::now(), number("SIMULATION_HISTORIES").unwrap_or(HISTORIES));
    let (next, failed) = (AtomicU64::new(1), AtomicBool::new(false));
    let work = || {
        while !failed.load(Ordering::SeqCst) {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed > histories {
                break;
            }
            if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
                failed.store(true, Ordering::SeqCst);
                eprintln!("history {seed} fails after {:?}; to replay it:", begin.elapsed());
                eprintln!("SIMULATION_SEED={seed} cargo test --workspace --test simulation -- --nocapture");
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    assert!(!failed.load(Ordering::SeqCst), "a history fails; its seed is printed above");
    eprintln!("{histories} histories in {:?}", begin.elapsed());
}

fn run(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(play(seed));
}

async fn play(seed: u64) {
    let mut setting = setting();
    setting.policy = file("tests/pipeline/critical-policy.yaml");
    let mut pipeline = pipeline_with(setting).await;
    let (mut world, mut check, mut past) = (World::new(), Check::default(), Vec::<Value>::new());
    for (number, Act { steps, trouble, seed: order }) in history(seed).into_iter().enumerate() {
        let when = format!("seed {seed}, act {number}");
        for step in steps {
            world.take(step, &pipeline.aws);
        }
        let events = std::mem::take(&mut world.events);
        pipeline.establish(&stream(events.clone()));
        let mut chance = Chance(order);
        let again = events.iter().chain(&past).filter(|_| chance.below(5) == 0).cloned();
        let delivered = shuffled(again.chain(events.clone()).collect(), chance.next());
        past.extend(events);
        check.events += delivered.len() as u64;
        if let Some(trouble) = trouble {
            check.troubled = true;
            check.unanswered |= trouble.action == "sns:Publish" && trouble.fault == Fault::ResponseLost;
            pipeline.aws.faults().inject(trouble.action, trouble.fault, trouble.nth);
        }
        pipeline.run(stream(delivered), |_| ()).await.unwrap();
        pipeline.aws.faults().clear();
        world.rest(pipeline.time());
        check.at_rest(&pipeline, &world, &when).await;
    }
    // All of it once more is no news.
    let before = writes(&pipeline);
    pipeline.run(stream(shuffled(past, seed)), |_| ()).await.unwrap();
    assert_eq!(writes(&pipeline), before, "seed {seed}: everything is delivered once more");
    world.rest(pipeline.time());
    check.at_rest(&pipeline, &world, &format!("seed {seed}, after all of it once more")).await;
}
