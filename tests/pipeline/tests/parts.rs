//! The images in an index under quarantine: archived with it, there for whoever else needs them, and released with what
//! they are a part of.
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

mod enforcing;

use domain::image::ImageId;
use domain::manifest::ChildKind;
use domain::quarantine::{Mode, tag};
use domain::verdict::Verdict;
use enforcing::{ACCOUNT, REPOSITORY, World, due, image};
use pipeline_tests::buildx::Manifest;
use sim_aws::{Fault, Mutability, Nth, SeedImage};

/// Two indexes, a and b. Each has a part of its own, 1 and 2, and both have 3.
async fn world(mode: Mode) -> World {
    let mut world = World::new(Mutability::Immutable).await;
    world.mode(mode);
    for part in ['1', '2', '3'] {
        world.push(&image(part), &[]);
    }
    world.push_index(&image('a'), &[image('1'), image('3')], &["a"]).await;
    world.push_index(&image('b'), &[image('2'), image('3')], &["b"]).await;
    world
}

async fn judge(world: &World, image: &ImageId, verdict: Verdict) {
    world.judge(image, verdict, 0).await;
    world.settle(image).await;
}

fn shown(world: &World) -> [String; 5] {
    ['a', 'b', '1', '2', '3'].map(|digit| world.shown(&image(digit)))
}

#[tokio::test]
async fn parts_are_archived_with_the_last_index_that_needs_them_and_restored_with_the_first() {
    let world = world(Mode::Archive).await;
    judge(&world, &image('b'), Verdict::Clear).await;
    judge(&world, &image('a'), Verdict::Quarantine).await;
    assert_eq!(shown(&world), ["archived: a M", "b", "archived: ", "", ""], "b needs 2 and 3");
    judge(&world, &image('b'), Verdict::Quarantine).await;
    let all = ["archived: a M", "archived: b M", "archived: ", "archived: ", "archived: "];
    assert_eq!(shown(&world), all);
    judge(&world, &image('a'), Verdict::Clear).await;
    assert_eq!(shown(&world), ["a R", "archived: b M", "", "archived: ", ""]);
    judge(&world, &image('b'), Verdict::Clear).await;
    assert_eq!(shown(&world), ["a R", "b R", "", "", ""]);
    for digit in ['a', 'b', '1', '2', '3'] {
        let notes = world.memory.notes(&image(digit)).await.unwrap().value;
        assert_eq!(notes, domain::quarantine::Notes::default(), "{digit}");
    }
}

#[tokio::test]
async fn index_that_nobody_judged_and_a_tag_of_their_own_keep_parts_where_they_are() {
    let world = world(Mode::Archive).await;
    judge(&world, &image('a'), Verdict::Quarantine).await;
    assert_eq!(shown(&world), ["archived: a M", "b", "archived: ", "", ""], "b is pending");

    let world = self::world(Mode::Archive).await;
    world.deploy(&image('1'), "one").await;
    judge(&world, &image('a'), Verdict::Quarantine).await;
    assert_eq!(world.shown(&image('1')), "one");
}

#[tokio::test]
async fn new_index_over_an_archived_part_gets_it_back() {
    for verdict in [Verdict::Clear, Verdict::Unscannable] {
        let world = world(Mode::Archive).await;
        judge(&world, &image('a'), Verdict::Quarantine).await;
        assert_eq!(world.shown(&image('1')), "archived: ");
        world.push_index(&image('c'), &[image('1')], &["c"]).await;
        judge(&world, &image('c'), verdict).await;
        assert_eq!(
            (world.shown(&image('1')), world.shown(&image('a'))),
            (String::new(), "archived: a M".to_owned())
        );
        world.settle(&image('a')).await;
        assert_eq!(world.shown(&image('1')), "", "c needs it");
    }
}

#[tokio::test]
async fn crash_after_any_call_changes_nothing_for_the_parts() {
    let mut crashes = 0;
    for call in 1..=60 {
        let world = world(Mode::Archive).await;
        judge(&world, &image('b'), Verdict::Clear).await;
        for (verdict, expected) in [
            (Verdict::Quarantine, ["archived: a M", "b", "archived: ", "", ""]),
            (Verdict::Clear, ["a R", "b", "", "", ""]),
        ] {
            world.judge(&image('a'), verdict, 0).await;
            world.aws.faults().inject("*", Fault::Crash, Nth::Call(call));
            let bodies = [due(&image('a'))];
            crashes += tokio::select! {
                _ = world.handle(&bodies) => 0,
                () = world.aws.faults().crashed() => 1,
            };
            world.aws.faults().clear();
            world.settle(&image('a')).await;
            assert_eq!(shown(&world), expected, "after call {call}");
        }
    }
    assert!(crashes > 40, "{crashes}");
}

#[tokio::test]
async fn image_that_becomes_a_part_keeps_its_mark_until_its_indexes_are_clear() {
    let part = image('1');
    for mode in [Mode::Tag, Mode::Untag] {
        let mut world = World::new(Mutability::Immutable).await;
        world.mode(mode);
        world.set("QUARANTINE_UNTAGGED", &true);
        world.push(&part, &[]);
        judge(&world, &part, Verdict::Quarantine).await;
        assert_eq!(world.shown(&part), "M");
        world.push_index(&image('a'), std::slice::from_ref(&part), &["a"]).await;
        world.judge(&image('a'), Verdict::Quarantine, 0).await;
        for image in [&part, &image('a')] {
            world.settle(image).await;
        }
        assert_eq!(world.shown(&part), "M", "it is vulnerable, and must not be called released");
        judge(&world, &image('a'), Verdict::Clear).await;
        assert_eq!(world.shown(&part), "R");
        assert!(world.find(&part).is_some_and(|view| !view.tags.contains(&tag(&part))));
    }
}

#[tokio::test]
async fn part_whose_own_tags_were_taken_off_does_not_get_them_because_it_has_none() {
    let part = image('1');
    let mut world = World::new(Mutability::Immutable).await;
    world.mode(Mode::Untag);
    world.push(&part, &[]);
    world.push_index(&image('a'), std::slice::from_ref(&part), &["a"]).await;
    world.deploy(&part, "one").await;
    judge(&world, &part, Verdict::Quarantine).await;
    judge(&world, &image('a'), Verdict::Quarantine).await;
    assert_eq!((world.shown(&part), world.shown(&image('a'))), ("M".to_owned(), "M".to_owned()));
    // The deletion of its tag reaches its ledger, and it is a root no more.
    world.undeploy(&part).await;
    world.settle(&part).await;
    assert_eq!(world.shown(&part), "M");
    judge(&world, &image('a'), Verdict::Clear).await;
    assert_eq!(world.shown(&part), "one R");
}

#[tokio::test]
async fn tagged_part_waits_for_its_index_and_is_archived_and_released_with_it() {
    let world = world(Mode::Archive).await;
    let (index, part) = (image('a'), image('1'));
    world.deploy(&part, "one").await;
    judge(&world, &part, Verdict::Quarantine).await;
    assert_eq!(world.shown(&part), "one M", "ECR refuses to archive it, and a can be pulled");
    judge(&world, &index, Verdict::Quarantine).await;
    assert_eq!(
        (world.shown(&index), world.shown(&part)),
        ("archived: a M".to_owned(), "archived: one M".to_owned())
    );
    judge(&world, &part, Verdict::Clear).await;
    judge(&world, &index, Verdict::Clear).await;
    assert_eq!((world.shown(&index), world.shown(&part)), ("a R".to_owned(), "one R".to_owned()));
}

#[tokio::test]
async fn image_in_an_index_of_which_nobody_told_us_is_marked_and_no_failure() {
    let mut world = World::new(Mutability::Immutable).await;
    world.mode(Mode::Archive);
    let (platform, index) = {
        let image = Manifest::image("linux/amd64", "any");
        let index = Manifest::index(std::slice::from_ref(&image));
        (image, index)
    };
    for (manifest, tags) in [(&platform, vec!["one".to_owned()]), (&index, vec!["1.0".to_owned()])] {
        world.aws.ecr().seed_image(SeedImage {
            registry: ACCOUNT.to_owned(),
            repository: REPOSITORY.to_owned(),
            digest: manifest.digest(),
            tags,
            manifest: Some(manifest.body.clone()),
            ..SeedImage::default()
        });
    }
    let part = ImageId { digest: platform.digest().try_into().unwrap(), ..image('1') };
    judge(&world, &part, Verdict::Quarantine).await;
    assert_eq!(world.shown(&part), "one M");
    assert_eq!(world.memory.notes(&part).await.unwrap().value.storage, None);
}

#[tokio::test]
async fn part_of_an_inner_index_stays_for_another_index_over_that() {
    for inner_is_tagged in [false, true] {
        let mut world = World::new(Mutability::Immutable).await;
        world.mode(Mode::Archive);
        // The registry is one that refuses nothing.
        for (digit, tags) in
            [('a', &["a"][..]), ('b', if inner_is_tagged { &["b"] } else { &[] }), ('c', &["c"]), ('1', &[])]
        {
            world.push(&image(digit), tags);
        }
        world.contain(&image('b'), &[(&image('1'), ChildKind::Image)]).await;
        world.contain(&image('a'), &[(&image('b'), ChildKind::Index)]).await;
        if inner_is_tagged {
            world.deploy(&image('b'), "b").await;
        } else {
            world.contain(&image('c'), &[(&image('b'), ChildKind::Index)]).await;
        }
        judge(&world, &image('a'), Verdict::Quarantine).await;
        let seen = ['a', 'b', '1'].map(|digit| world.shown(&image(digit)));
        let inner = if inner_is_tagged { "b" } else { "" };
        assert_eq!(seen, ["archived: a M", inner, ""], "{inner_is_tagged}");
        assert_eq!(world.aws.calls()["ecr:UpdateImageStorageClass"], 1, "not even for a while");
    }
}
