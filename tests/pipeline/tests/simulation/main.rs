//! A simulation in the manner of `VOPR`, `TigerBeetle`'s: a seed chooses a history of pushes, tags, deletions, scans,
//! findings, gaps, faults and crashes, and at every rest the product must agree with a world that shares no code with it.
//!
//! `make simulation` plays many histories, and `make simulation SEED=17` one of them. `SIMULATION_HISTORIES` says how many
//! are played; with `SIMULATION_TO_THE_END=1` the first failure does not end it. `mutants.py` beside this file plants faults
//! in the product and says which history finds each.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // A test says what it expects by failing.

mod check;
mod enforcement;
mod history;
mod policy;
mod pushes;
mod scans;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aws::sqs::{DelayedMessage, Queue};
use check::{Check, writes};
use domain::image::ImageId;
use domain::quarantine::limit::Resumed;
use history::{Act, Chance, Loss, MOVING, Tags, history};
use jiff::SignedDuration;
use pipeline_tests::buildx::{REPOSITORY, minute};
use pipeline_tests::{enforcement, setting, shuffled, stream};
use policy::Policy;
use serde_json::{Value, json};
use sim_aws::{Fault, Mutability};
use sim_pipeline::{Deployment, Pipeline};
use world::{Kind, World};

/// As many as two cores play in some ten seconds. `make simulation` plays more.
const HISTORIES: u64 = 40;

/// For how long any answer of AWS holds at least: the tags of repositories.
const ANSWERS_HOLD: SignedDuration = SignedDuration::from_hours(6);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().unwrap())
}

#[test]
fn whatever_happens_the_product_agrees_with_the_world() {
    if let Some(seed) = number("SIMULATION_SEED") {
        eprintln!("{:#?}", history(seed));
        return run(seed);
    }
    let (begin, histories) = (Instant::now(), number("SIMULATION_HISTORIES").unwrap_or(HISTORIES));
    let to_the_end = number("SIMULATION_TO_THE_END").is_some();
    let (next, failed) = (AtomicU64::new(1), AtomicU64::new(0));
    let work = || {
        while to_the_end || failed.load(Ordering::SeqCst) == 0 {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed > histories {
                break;
            }
            if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
                failed.fetch_add(1, Ordering::SeqCst);
                eprintln!("history {seed} fails after {:?}; to replay it:", begin.elapsed());
                eprintln!("make simulation SEED={seed}");
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let failed = failed.load(Ordering::SeqCst);
    assert_eq!(failed, 0, "histories fail; their seeds are printed above");
    eprintln!("{histories} histories in {:?}", begin.elapsed());
}

fn run(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(play(seed));
}

/// The stack of the template in a mode. To read it takes longer than to play a history.
fn deployment(mode: &'static str, policy: Policy, limited: bool) -> Deployment {
    static READ: Mutex<BTreeMap<(&str, Policy, bool), Deployment>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let deployment = read.entry((mode, policy, limited)).or_insert_with(|| {
        let mut setting = setting();
        setting.parameters.insert("QuarantineMode".to_owned(), mode.to_owned());
        let limit = if limited { "1" } else { "0" };
        setting.parameters.insert("QuarantinesPerHour".to_owned(), limit.to_owned());
        setting.policy = policy.file();
        setting.now = minute(-60);
        Deployment::read(setting).unwrap()
    });
    deployment.clone()
}

/// Asks enforcement to look at images, as people do after a switch of the mode.
async fn look(pipeline: &Pipeline, due: BTreeSet<String>) {
    let function = pipeline.functions().find(|function| function.name == "enforce-quarantine").unwrap();
    let client = aws_sdk_sqs::Client::new(&pipeline.aws.sdk_config().await);
    let queue = Queue::new(client, function.environment["QUEUE_URL"].clone());
    let image = |digest: String| {
        json!({
            "source": "ecr-warden", "detail-type": "Quarantine Due", "detail": {
                "account": "210987654321", "region": "eu-west-1", "repository": REPOSITORY, "digest": digest,
            },
        })
    };
    let messages = due.into_iter().map(|digest| DelayedMessage::now(image(digest).to_string()));
    queue.send_all(messages.collect()).await.unwrap();
}

/// Lets go on what the limit holds back, as people do.
async fn resume(pipeline: &mut Pipeline, world: &mut World) {
    let memory = enforcement(pipeline).await;
    let held = memory.held().await.unwrap();
    let mut limit = memory.limit().await.unwrap();
    let resumed = Resumed {
        at: pipeline.time(),
        by: "ana".to_owned(),
        why: "looked at".to_owned(),
        images: u32::try_from(held.len()).unwrap(),
    };
    limit.value = limit.value.resume(resumed, held.len());
    memory.store_limit(&mut limit).await.unwrap();
    let digest = |image: &String| image.parse::<ImageId>().unwrap().digest.to_string();
    look(pipeline, held.iter().map(digest).collect()).await;
    pipeline.run(stream(Vec::new()), |_| ()).await.unwrap();
    world.limited = false;
    world.rest(pipeline.time());
}

/// Nothing happens but that the schedule fires, until this much time has passed. All of a day would take most of the time of
/// a history, so in a long time it fires every other hour.
async fn pass(pipeline: &mut Pipeline, world: &mut World, check: &mut Check, time: SignedDuration) {
    // In the time that a history skips the schedule did not fire.
    pipeline.run_until(Vec::new(), world.now).await.unwrap();
    let until = pipeline.time() + time;
    let every = SignedDuration::from_hours(2);
    while time > every * 2 && pipeline.time() + every < until {
        let next = pipeline.time() + every;
        pipeline.run_until(Vec::new(), next).await.unwrap();
        pipeline.pass_time(next).await.unwrap();
        check.sweeps += 1;
    }
    if time > every * 2 {
        pipeline.run_until(Vec::new(), until).await.unwrap();
    }
    check.sweeps += u64::try_from(until.duration_since(pipeline.time()).as_mins() / 15).unwrap() + 2;
    pipeline.pass_time(until).await.unwrap();
    world.is_behind &= time < world.nature.is_found_within();
    world.rest(pipeline.time());
    world.swept(until);
}

/// Nothing happens but that time passes, perhaps after two days and with another policy.
async fn idle(
    pipeline: &mut Pipeline,
    world: &mut World,
    check: &mut Check,
    (is_later, time, policy): (bool, SignedDuration, Option<Policy>),
    when: &str,
) {
    (world.is_switched, world.is_troubled) = (false, false);
    world.go_on(is_later);
    let said = check.said(world).await;
    let swept = (world.swept_at, world.swept.clone());
    let policy = policy.filter(|policy| *policy != world.policy);
    if let Some(policy) = policy {
        pipeline.redeploy(deployment(world.mode, policy, world.nature.limited)).unwrap();
        (world.policy, world.policies) = (policy, world.policies + 1);
    }
    pass(pipeline, world, check, time).await;
    let policies = usize::from(policy.is_some());
    if world.nature.loses == Loss::Nothing {
        check.said_by_time(world, &said, &swept, policies, when).await;
    }
    check.at_rest(pipeline, world, true, when).await;
}

/// All of it once more is no news. It may have aged answers asked for again, and parts noted with a second index that were
/// archived with a first one; but not twice. That somebody did something to an image under quarantine is passed on every
/// time, and nothing comes of it.
async fn once_more(pipeline: &mut Pipeline, past: &[Value], seed: u64) {
    let is_young = pipeline.time().duration_since(minute(0)) < ANSWERS_HOLD;
    for settled in [false, true] {
        let lasting = |pipeline: &Pipeline| {
            let mut writes = writes(pipeline);
            writes.retain(|call, _| {
                let may_settle = call.starts_with("enforce-quarantine ") || !is_young;
                call != "record-push sqs:SendMessage" && (settled || !may_settle)
            });
            writes
        };
        let before = lasting(pipeline);
        pipeline.run(stream(shuffled(past.to_vec(), seed)), |_| ()).await.unwrap();
        assert_eq!(lasting(pipeline), before, "seed {seed}: everything is delivered once more");
    }
}

/// As much time passes as is needed to find out what no event told.
async fn find_out(pipeline: &mut Pipeline, world: &mut World, check: &mut Check, when: &str) {
    (world.is_switched, world.is_troubled) = (false, false);
    world.go_on(false);
    pass(pipeline, world, check, world.nature.is_found_within()).await;
    check.at_rest(pipeline, world, true, when).await;
}

async fn play(seed: u64) {
    let (nature, acts) = history(seed);
    let mut pipeline =
        Pipeline::deploy(deployment(nature.mode, nature.policy, nature.limited)).await.unwrap();
    let mutability = match nature.tags {
        Tags::Move => Mutability::Mutable,
        Tags::Stay => Mutability::Immutable,
        Tags::StayButOne => Mutability::ImmutableWithExclusion(vec![MOVING.to_owned()]),
    };
    pipeline.aws.ecr().create_repository("210987654321", REPOSITORY, mutability);
    let mut check = Check::new(&pipeline).await;
    let (mut world, mut past) = (World::new(nature), Vec::<Value>::new());
    if nature.clock && nature.before == 0 {
        // From the first run on the repository is watched.
        pass(&mut pipeline, &mut world, &mut check, SignedDuration::from_mins(15)).await;
    }
    for (number, Act { mode, is_later, passes, policy, steps, troubles, seed: order }) in
        acts.into_iter().enumerate()
    {
        let when = format!("seed {seed}, act {number}");
        if let Some(time) = passes {
            let when = format!("seed {seed}, time before act {number}");
            idle(&mut pipeline, &mut world, &mut check, (is_later, time, policy), &when).await;
        }
        let is_deployed = number >= nature.before;
        if number == nature.before && number > 0 {
            world.go_on(is_later);
            world.deploy();
            // To adopt an image costs what an event of it would.
            check.events += world.things.len() as u64;
            pass(&mut pipeline, &mut world, &mut check, SignedDuration::from_mins(15)).await;
        }
        world.is_switched = mode.is_some_and(|mode| mode != world.mode);
        if let Some(mode) = mode.filter(|mode| *mode != world.mode) {
            pipeline.redeploy(deployment(mode, world.policy, nature.limited)).unwrap();
            world.mode = mode;
            let images = world.live().filter(|(_, thing)| thing.kind != Kind::Attestation);
            let images: Vec<String> = images.map(|(digest, _)| digest.clone()).collect();
            world.due.extend(images);
        }
        world.go_on(is_later && passes.is_none() && (number == 0 || number != nature.before));
        world.is_troubled = !troubles.is_empty();
        for step in steps {
            world.take(step, &pipeline.aws);
        }
        let events = std::mem::take(&mut world.events);
        let repetitions = std::mem::take(&mut world.repetitions);
        check.events += u64::from(!repetitions.is_empty());
        pipeline.establish(&stream([events.clone(), repetitions.clone()].concat()));
        world.tell(&pipeline.aws);
        let lost = nature.loses.choose(&events, &mut Chance(!order));
        let events: Vec<Value> = events.into_iter().filter(|event| !lost.contains(event)).collect();
        if !is_deployed {
            world.due.clear();
            world.rest(pipeline.time());
            check.at_rest(&pipeline, &mut world, false, &when).await;
            continue;
        }
        let mut chance = Chance(order);
        let again = events.iter().chain(&past).filter(|_| chance.below(5) == 0).cloned();
        let mut delivered: Vec<Value> = again.chain(events.clone()).collect();
        past.extend(events);
        world.is_behind |= !lost.is_empty();
        let due = std::mem::take(&mut world.due);
        check.events += (delivered.len() + due.len()) as u64;
        delivered.extend(repetitions);
        let delivered = shuffled(delivered, chance.next());
        if number == nature.before {
            world.hear(&delivered);
        }
        if !due.is_empty() {
            look(&pipeline, due).await;
        }
        for trouble in troubles {
            check.troubled = true;
            check.unanswered |= trouble.action == "sns:Publish" && trouble.fault == Fault::ResponseLost;
            pipeline.aws.faults().inject(trouble.action, trouble.fault, trouble.nth);
        }
        pipeline.run(stream(delivered), |_| ()).await.unwrap();
        pipeline.aws.faults().clear();
        world.rest(pipeline.time());
        check.at_rest(&pipeline, &mut world, chance.below(4) == 0, &when).await;
        if number == nature.before && number > 0 {
            let when = format!("seed {seed}, adopted after act {number}");
            find_out(&mut pipeline, &mut world, &mut check, &when).await;
            check.adopted(&world, &when);
        }
    }
    if world.is_behind {
        let when = format!("seed {seed}, after all was found out");
        find_out(&mut pipeline, &mut world, &mut check, &when).await;
    }
    once_more(&mut pipeline, &past, seed).await;
    world.rest(pipeline.time());
    check.at_rest(&pipeline, &mut world, true, &format!("seed {seed}, after all of it once more")).await;
    if nature.limited {
        resume(&mut pipeline, &mut world).await;
        check
            .at_rest(&pipeline, &mut world, false, &format!("seed {seed}, after what was held went on"))
            .await;
    }
}
