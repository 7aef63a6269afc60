//! Repositories that cache another registry, and repositories that are replicated.
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

mod enforcing;

use std::collections::BTreeSet;
use std::time::Duration;

use domain::image::ImageId;
use domain::quarantine::Mode;
use domain::verdict::Verdict;
use enforcing::{ACCOUNT, World, due, image};
use pipeline_tests::{ACTS, act, pipeline, play};
use sim_aws::{Fault, Mutability, Nth, SeedReplicationRule};

const CACHE: &str = "ecr-public/nginx";
const CACHE_RULES: &str = "ecr:DescribePullThroughCacheRules";
const REGISTRY: &str = "ecr:DescribeRegistry";

fn cached(digit: char) -> ImageId {
    ImageId { repository: CACHE.to_owned(), ..image(digit) }
}

/// A world with a repository of immutable tags, and another one under a pull-through cache rule.
async fn world(mode: Mode) -> World {
    let mut world = World::new(Mutability::Immutable).await;
    world.mode(mode);
    world.aws.ecr().create_repository(ACCOUNT, CACHE, Mutability::Immutable);
    world.aws.ecr().seed_cache_rule(ACCOUNT, "ecr-public", "public.ecr.aws");
    world
}

async fn quarantine(world: &World, image: &ImageId, tag: &str) {
    world.push(image, &[tag]);
    world.judge(image, Verdict::Quarantine, 0).await;
    world.settle(image).await;
}

fn asked(world: &World, action: &str) -> u64 {
    world.aws.calls().get(action).copied().unwrap_or_default()
}

#[tokio::test]
async fn untag_leaves_the_tags_of_a_cache_on_and_says_why() {
    let world = world(Mode::Untag).await;
    let (in_cache, other) = (cached('a'), image('b'));
    for _ in 0..3 {
        quarantine(&world, &in_cache, "1.0").await;
    }
    quarantine(&world, &other, "1.0").await;
    assert_eq!((world.shown(&in_cache).as_str(), world.shown(&other).as_str()), ("1.0 M", "M"));
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "said once, and only of the cache: {notices:?}");
    let notice = &notices[0];
    assert_eq!((&notice["kind"], &notice["cache"]), (&"tags_left_on".into(), &true.into()));
    assert_eq!((&notice["image"]["repository"], &notice["tags"][0]), (&CACHE.into(), &"1.0".into()));
    assert!(notice["because"].as_str().unwrap().contains("pull-through cache"), "{notice}");

    // A pull fetches another tag, and that is no tampering.
    world.push(&in_cache, &["1.0.1"]);
    world.settle(&in_cache).await;
    world.pass(30);
    world.settle(&in_cache).await;
    assert_eq!(world.shown(&in_cache), "1.0 1.0.1 M");
    assert_eq!(world.notices().len(), 0);
    world.judge(&in_cache, Verdict::Clear, 0).await;
    world.settle(&in_cache).await;
    assert_eq!(world.shown(&in_cache), "1.0 1.0.1 R");
}

#[tokio::test(start_paused = true)]
async fn cache_rules_that_cannot_be_read_hold_no_quarantine_back() {
    for fault in [Fault::Denied, Fault::Throttle, Fault::ServerError, Fault::Slow(Duration::from_mins(1))] {
        let world = world(Mode::Untag).await;
        world.aws.faults().inject(CACHE_RULES, fault, Nth::Times(100));
        quarantine(&world, &cached('a'), "1.0").await;
        assert_eq!(world.shown(&cached('a')), "M", "{fault:?}");
        assert!(asked(&world, CACHE_RULES) > 0, "{fault:?}");
        assert_eq!(world.notices().len(), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn cache_rules_are_asked_for_once_and_only_where_tags_would_go() {
    for mode in [Mode::Observe, Mode::Tag, Mode::Archive] {
        let world = world(mode).await;
        quarantine(&world, &image('a'), "1.0").await;
        assert_eq!(asked(&world, CACHE_RULES), 0, "{mode}");
    }
    let world = world(Mode::Untag).await;
    quarantine(&world, &image('a'), "1.0").await;
    let before = asked(&world, CACHE_RULES);
    assert_eq!(before, 1);
    world.settle(&image('a')).await;
    assert_eq!(asked(&world, CACHE_RULES), before, "nothing is left to take off");
    let bodies = ['b', 'c', 'd'].map(|digit| due(&image(digit)));
    for digit in ['b', 'c', 'd'] {
        world.push(&image(digit), &[&digit.to_string()]);
        world.judge(&image(digit), Verdict::Quarantine, 0).await;
    }
    assert_eq!(world.handle(&bodies).await.failed, []);
    assert_eq!(asked(&world, CACHE_RULES), before + 1, "one call for a batch");
}

#[tokio::test]
async fn release_says_which_copies_keep_the_tag() {
    let world = world(Mode::Tag).await;
    let to = |region: &str, account: &str| (region.to_owned(), account.to_owned());
    let rule = |destinations, prefixes: &[&str]| SeedReplicationRule {
        destinations,
        prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
    };
    let rules = vec![
        rule(vec![to("us-east-1", ACCOUNT), to("eu-west-1", "444455556666")], &["shop/"]),
        rule(vec![to("ap-southeast-2", ACCOUNT)], &["else"]),
    ];
    world.aws.ecr().seed_replication(ACCOUNT, rules);
    for image in [image('a'), image('b'), cached('c')] {
        quarantine(&world, &image, &image.digest.short()[..1]).await;
    }
    assert_eq!((world.notices().len(), asked(&world, REGISTRY)), (0, 0), "before the release");
    let mut said = Vec::new();
    for image in [image('a'), image('b'), cached('c')] {
        world.judge(&image, Verdict::Clear, 0).await;
        for _ in 0..3 {
            world.settle(&image).await;
        }
        for notice in world.notices() {
            let text = |of: &str, name: &str| notice[of][name].as_str().unwrap().to_owned();
            assert_eq!(notice["kind"], "mark_on_copy");
            assert_eq!(text("copy", "digest"), image.digest.as_str());
            assert_eq!(text("image", "region"), image.region);
            let copy = format!("{}/{}", text("copy", "account"), text("copy", "region"));
            assert_eq!(notice["id"], format!("replication#{}#{copy}", image.repository));
            said.push((image.digest.short()[..1].to_owned(), copy));
        }
    }
    let near = format!("{ACCOUNT}/us-east-1");
    let said: Vec<_> = said.iter().map(|(digit, copy)| (digit.as_str(), copy.as_str())).collect();
    let far = "444455556666/eu-west-1";
    // Once for each release, with the same id: raise-alerts says it once for the repository.
    assert_eq!(said, [("a", &near[..]), ("a", far), ("b", &near[..]), ("b", far)]);
}

#[tokio::test(start_paused = true)]
async fn release_goes_on_where_the_replication_is_not_known() {
    for fault in [Fault::Denied, Fault::Throttle, Fault::Slow(Duration::from_mins(1))] {
        let world = world(Mode::Tag).await;
        let destinations = vec![("us-east-1".to_owned(), ACCOUNT.to_owned())];
        world.aws.ecr().seed_replication(
            ACCOUNT,
            vec![SeedReplicationRule { destinations, ..SeedReplicationRule::default() }],
        );
        quarantine(&world, &image('a'), "1.0").await;
        world.judge(&image('a'), Verdict::Clear, 0).await;
        world.aws.faults().inject(REGISTRY, fault, Nth::Times(100));
        world.settle(&image('a')).await;
        assert_eq!(world.shown(&image('a')), "1.0 R", "{fault:?}");
        assert!(asked(&world, REGISTRY) > 0 && world.notices().is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn people_are_told_of_copies_once_for_a_repository_and_a_destination() {
    let mut pipeline = pipeline().await;
    let destinations = vec![("us-east-1".to_owned(), ACCOUNT.to_owned())];
    let rules = vec![SeedReplicationRule { destinations, ..SeedReplicationRule::default() }];
    pipeline.aws.ecr().seed_replication(ACCOUNT, rules);
    let mut subjects = Vec::new();
    for name in ACTS.iter().chain(&ACTS) {
        play(&mut pipeline, act(name)).await;
    }
    for published in pipeline.aws.sns().published() {
        subjects.extend(published.subject.filter(|subject| subject.starts_with("Copies keep")));
    }
    let repositories: BTreeSet<_> = subjects.iter().filter_map(|subject| subject.split('@').next()).collect();
    assert!(!subjects.is_empty());
    assert_eq!(repositories.len(), subjects.len(), "{subjects:?}");
}
