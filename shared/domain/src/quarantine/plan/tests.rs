use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::{Child, Mutability};
use super::*;
use crate::samples::{image, second};

const TAG: &str = "quarantine-ab12ab12ab12";
const RELEASED: &str = "released-from-quarantine-ab12ab12ab12";
const ACTING: [Mode; 3] = [Mode::Tag, Mode::Untag, Mode::Archive];

fn put(tag: &str) -> Step {
    Step::Put(tag.to_owned())
}

fn remove(tags: &[&str]) -> Step {
    Step::Remove(texts(tags))
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn digest(letter: char) -> Digest {
    format!("sha256:{}", letter.to_string().repeat(64)).try_into().unwrap()
}

fn tagged(tags: &[&str]) -> Registered {
    Registered { tags: texts(tags), ..Registered::default() }
}

fn immutable(tags: &[&str]) -> Registered {
    Registered { mutability: Mutability::Immutable, ..tagged(tags) }
}

fn archived(status: Status) -> Registered {
    Registered { status, ..tagged(&["1.0", TAG]) }
}

fn noted(notes: impl IntoIterator<Item = Note>) -> Notes {
    let mut written = Notes::default();
    for note in notes {
        written.take(note, second(0));
    }
    written
}

fn claimed(mode: Mode) -> Note {
    Note::Claimed { episode: "a#1".to_owned(), mode }
}

/// A plan by the defaults.
fn planned(verdict: Verdict, mode: Mode, registered: &Registered, notes: &Notes) -> Plan {
    plan(&Situation {
        image: &image(),
        part_of: None,
        verdict,
        mode,
        scanned_at: None,
        registered: Some(registered),
        notes,
        untag_mutable: false,
        untagged: false,
    })
}

fn steps(verdict: Verdict, tags: &[&str]) -> Vec<Step> {
    planned(verdict, Mode::Tag, &tagged(tags), &Notes::default()).steps
}

#[test]
fn tag_goes_on_with_quarantine_and_off_with_clear() {
    assert_eq!(steps(Verdict::Quarantine, &["1.0"]), [put(TAG)]);
    assert_eq!(steps(Verdict::Quarantine, &["1.0", TAG]), []);
    assert_eq!(steps(Verdict::Quarantine, &["1.0", RELEASED]), [put(TAG), remove(&[RELEASED])]);
    assert_eq!(steps(Verdict::Quarantine, &[RELEASED]), [put(TAG), remove(&[RELEASED])]);
    assert_eq!(steps(Verdict::Clear, &["1.0", TAG]), [put(RELEASED), remove(&[TAG])]);
    assert_eq!(steps(Verdict::Clear, &["1.0", TAG, RELEASED]), [remove(&[TAG])]);
    assert_eq!(steps(Verdict::Clear, &["1.0"]), []);
}

#[test]
fn reason_says_whether_an_image_under_quarantine_is_as_it_should_be() {
    let reason = |tags: &[&str]| {
        planned(Verdict::Quarantine, Mode::Tag, &tagged(tags), &noted([claimed(Mode::Tag)])).reason
    };
    assert_eq!(reason(&["1.0"]), "the verdict is quarantine");
    assert_eq!(reason(&["1.0", TAG]), "the image is under quarantine as it should be");
}

#[test]
fn image_without_a_tag_is_marked_only_if_that_was_chosen() {
    assert_eq!(steps(Verdict::Quarantine, &[]), []);
    let (image, registered, notes) = (image(), Registered::default(), Notes::default());
    let situation = |untagged| Situation {
        image: &image,
        part_of: None,
        verdict: Verdict::Quarantine,
        mode: Mode::Tag,
        scanned_at: None,
        registered: Some(&registered),
        notes: &notes,
        untag_mutable: false,
        untagged,
    };
    assert_eq!(plan(&situation(true)).steps, [put(TAG)]);
    assert_eq!(plan(&situation(false)).steps, []);
}

#[test]
fn what_is_not_known_to_be_clear_stays_as_it_is() {
    for verdict in [Verdict::Pending, Verdict::Unscannable] {
        assert_eq!(steps(verdict, &["1.0", TAG]), []);
        assert_eq!(steps(verdict, &["1.0"]), []);
        // What is under quarantine stays so, and is held like any other.
        let notes = noted([claimed(Mode::Tag)]);
        assert_eq!(planned(verdict, Mode::Tag, &tagged(&["1.0"]), &notes).steps, [put(TAG)]);
    }
}

#[test]
fn what_was_archived_with_an_index_that_is_gone_is_given_back_if_nothing_is_known_against_it() {
    let notes = noted([Note::Archiving(BTreeSet::new()), Note::Archived]);
    let stored = |status| Registered { status, ..Registered::default() };
    let plan = |status| planned(Verdict::Pending, Mode::Archive, &stored(status), &notes);
    let archived = plan(Status::Archived);
    assert_eq!(archived.steps, [Step::Note(Note::Restoring), Step::Restore(image().digest)]);
    assert!(archived.waits && plan(Status::Activating).waits);
    assert_eq!(plan(Status::Active).steps, [Step::Note(Note::Restored)]);
}

#[test]
fn another_quarantine_tag_is_not_ours() {
    let other = "quarantine-ffffffffffff";
    assert_eq!(steps(Verdict::Quarantine, &[other]), [put(TAG)]);
    assert_eq!(steps(Verdict::Clear, &["1.0", other]), []);
    let plan = planned(Verdict::Quarantine, Mode::Untag, &immutable(&[other, TAG]), &Notes::default());
    assert_eq!(plan.steps, []);
}

#[test]
fn missing_image_and_an_observed_one_are_left_alone() {
    let situation = Situation {
        image: &image(),
        part_of: None,
        verdict: Verdict::Quarantine,
        mode: Mode::Archive,
        scanned_at: None,
        registered: None,
        notes: &Notes::default(),
        untag_mutable: true,
        untagged: true,
    };
    assert_eq!(plan(&situation).steps, []);
    for verdict in [Verdict::Quarantine, Verdict::Clear] {
        assert_eq!(planned(verdict, Mode::Observe, &immutable(&["1.0", TAG]), &Notes::default()).steps, []);
    }
}

#[test]
fn untag_notes_before_it_removes_and_leaves_what_can_move() {
    let removing = |tags: &[&str]| {
        Step::Note(Note::Removing(tags.iter().map(|tag| ((*tag).to_owned(), true)).collect()))
    };
    let plan = planned(Verdict::Quarantine, Mode::Untag, &immutable(&["1.0", "latest"]), &Notes::default());
    assert_eq!(plan.steps, [put(TAG), removing(&["1.0", "latest"]), remove(&["1.0", "latest"])]);
    assert_eq!(plan.remarks, []);

    let mutable = planned(Verdict::Quarantine, Mode::Untag, &tagged(&["1.0"]), &Notes::default());
    assert_eq!(mutable.steps, [put(TAG)]);
    assert!(matches!(&mutable.remarks[..], [Remark::LeftOn { tags, .. }] if *tags == ["1.0"]));

    let mixed = Registered {
        mutability: Mutability::ImmutableExcept(texts(&["latest"])),
        ..tagged(&["1.0", "latest", TAG])
    };
    let mixed = planned(Verdict::Quarantine, Mode::Untag, &mixed, &Notes::default());
    assert_eq!(mixed.steps, [removing(&["1.0"]), remove(&["1.0"])]);
    assert!(matches!(&mixed.remarks[..], [Remark::LeftOn { tags, .. }] if *tags == ["latest"]));

    let cache = Registered { kind: RepositoryKind::PullThroughCache, ..immutable(&["1.0", TAG]) };
    let cache = planned(Verdict::Quarantine, Mode::Untag, &cache, &Notes::default());
    assert_eq!(cache.steps, []);
    assert!(matches!(&cache.remarks[..], [Remark::LeftOn { .. }]));
}

#[test]
fn operator_can_choose_to_take_off_what_can_move() {
    let registered = tagged(&["latest", TAG]);
    let situation = Situation {
        image: &image(),
        part_of: None,
        verdict: Verdict::Quarantine,
        mode: Mode::Untag,
        scanned_at: None,
        registered: Some(&registered),
        notes: &Notes::default(),
        untag_mutable: true,
        untagged: false,
    };
    let noted = Step::Note(Note::Removing(vec![("latest".to_owned(), false)]));
    let plan = plan(&situation);
    assert_eq!((plan.steps, plan.remarks), (vec![noted, remove(&["latest"])], vec![]));
}

#[test]
fn release_gives_back_what_cannot_move_and_says_what_it_does_not() {
    let notes = noted([
        claimed(Mode::Untag),
        Note::Removing(vec![("1.0".to_owned(), true), ("latest".to_owned(), false)]),
    ]);
    let registered =
        Registered { mutability: Mutability::ImmutableExcept(texts(&["latest"])), ..tagged(&[TAG]) };
    let plan = planned(Verdict::Clear, Mode::Untag, &registered, &notes);
    assert_eq!(
        plan.steps,
        [
            Step::GiveBack("1.0".to_owned()),
            Step::Note(Note::GivenBack(texts(&["1.0"]))),
            put(RELEASED),
            remove(&[TAG]),
            Step::Note(Note::Released),
        ]
    );
    assert_eq!(plan.remarks, [Remark::NotGivenBack(texts(&["latest"]))]);
    let command = give_back_command(&image(), "latest");
    assert!(command.contains("/prod/cart:latest ") && command.ends_with(&image().uri()), "{command}");
}

#[test]
fn archive_takes_the_index_before_its_children_and_leaves_those_of_others() {
    let child = |letter, used_by_others| Child { digest: digest(letter), used_by_others };
    let registered = Registered { children: vec![child('c', false), child('d', true)], ..tagged(&["1.0"]) };
    let plan = planned(Verdict::Quarantine, Mode::Archive, &registered, &Notes::default());
    let root = image().digest;
    assert_eq!(
        plan.steps,
        [
            put(TAG),
            Step::Note(Note::Archiving(BTreeSet::from([digest('c')]))),
            Step::Archive(root.clone()),
            Step::Archive(digest('c')),
            Step::Note(Note::Archived),
        ]
    );
    let notes =
        noted([claimed(Mode::Archive), Note::Archiving(BTreeSet::from([digest('c')])), Note::Archived]);
    let released = planned(Verdict::Clear, Mode::Archive, &archived(Status::Archived), &notes);
    let restore = [Step::Note(Note::Restoring), Step::Restore(digest('c')), Step::Restore(root)];
    assert_eq!((released.steps, released.waits), (restore.to_vec(), true));
}

#[test]
fn archiving_that_was_cut_off_is_brought_to_its_end_and_a_child_that_nobody_else_needs_any_more_follows() {
    let child = Child { digest: digest('c'), used_by_others: false };
    let registered = Registered { children: vec![child], ..archived(Status::Archived) };
    let (with_child, without) = (BTreeSet::from([digest('c')]), BTreeSet::new());
    let archive = vec![
        Step::Note(Note::Archiving(with_child.clone())),
        Step::Archive(digest('c')),
        Step::Note(Note::Archived),
    ];
    for (notes, steps) in [
        (noted([Note::Archiving(with_child.clone())]), archive.clone()),
        (noted([Note::Archiving(without), Note::Archived]), archive),
        (noted([Note::Archiving(with_child), Note::Archived]), vec![]),
    ] {
        assert_eq!(
            planned(Verdict::Quarantine, Mode::Archive, &registered, &notes).steps,
            steps,
            "{notes:?}"
        );
    }
}

#[test]
fn image_in_an_index_that_is_not_archived_is_marked_and_left_where_it_is() {
    let needed = |tags| Registered { needed_by: Some(digest('f')), ..tagged(tags) };
    let remarks = [Remark::NeededBy(digest('f'))];
    let plan =
        planned(Verdict::Quarantine, Mode::Archive, &needed(&["1.0"]), &noted([claimed(Mode::Archive)]));
    assert_eq!((plan.steps, plan.remarks, plan.waits), (vec![put(TAG)], remarks.to_vec(), false));
    let plan =
        planned(Verdict::Quarantine, Mode::Archive, &needed(&["1.0", TAG]), &noted([claimed(Mode::Archive)]));
    assert_eq!((plan.steps, plan.remarks), (vec![], remarks.to_vec()));
    // What was begun when no index was known is not to be undone one day.
    let begun = noted([claimed(Mode::Archive), Note::Archiving(BTreeSet::new())]);
    let plan = planned(Verdict::Quarantine, Mode::Archive, &needed(&["1.0", TAG]), &begun);
    assert_eq!(plan.steps, [Step::Note(Note::Restored)]);
}

#[test]
fn part_keeps_its_mark_until_all_that_contains_it_is_clear() {
    let marked = noted([claimed(Mode::Tag)]);
    let part = |whole, registered: &Registered, notes: &Notes| {
        let plan = plan(&Situation {
            image: &image(),
            part_of: Some(whole),
            verdict: Verdict::Pending,
            mode: Mode::Tag,
            scanned_at: None,
            registered: Some(registered),
            notes,
            untag_mutable: false,
            untagged: true,
        });
        (plan.steps, plan.waits)
    };
    let active = tagged(&[TAG]);
    assert_eq!(part(Whole::Withdrawn, &active, &marked), (vec![], false));
    assert_eq!(part(Whole::Pulled, &active, &marked), (vec![], false));
    let released = vec![put(RELEASED), remove(&[TAG]), Step::Note(Note::Released)];
    assert_eq!(part(Whole::Clear, &active, &marked), (released, false));
    // Nobody marks it, neither anew nor again.
    for whole in [Whole::Clear, Whole::Pulled, Whole::Withdrawn] {
        assert_eq!(part(whole, &tagged(&[]), &Notes::default()), (vec![], false));
    }
    assert_eq!(part(Whole::Pulled, &tagged(&[]), &marked), (vec![], false));

    let with_index = noted([Note::Archiving(BTreeSet::new())]);
    let stored = |status| Registered { status, ..tagged(&[]) };
    let restore = vec![Step::Note(Note::Restoring), Step::Restore(image().digest)];
    assert_eq!(part(Whole::Withdrawn, &stored(Status::Archived), &with_index), (vec![], false));
    assert_eq!(part(Whole::Pulled, &stored(Status::Archived), &with_index), (restore.clone(), true));
    assert_eq!(part(Whole::Clear, &stored(Status::Archived), &with_index), (restore, true));
    let seen = (vec![Step::Note(Note::Restored)], false);
    assert_eq!(part(Whole::Pulled, &stored(Status::Active), &with_index), seen);
    assert_eq!(part(Whole::Pulled, &stored(Status::Archived), &Notes::default()), (vec![], false));

    // A part whose tags we took off gets them with its release, and not because it seems to have none.
    let untagged = noted([claimed(Mode::Untag), Note::Removing(vec![("1.0".to_owned(), true)])]);
    let plan = plan(&Situation {
        image: &image(),
        part_of: Some(Whole::Pulled),
        verdict: Verdict::Pending,
        mode: Mode::Untag,
        scanned_at: None,
        registered: Some(&immutable(&[TAG])),
        notes: &untagged,
        untag_mutable: false,
        untagged: false,
    });
    assert_eq!(plan.steps, []);
}

#[test]
fn part_that_others_restored_is_archived_again_after_a_scan_if_nothing_that_contains_it_is_to_be_pulled() {
    let ours = noted([Note::Archiving(BTreeSet::new())]);
    let archive = vec![Step::Note(Note::Archiving(BTreeSet::new())), Step::Archive(image().digest)];
    for (whole, status, activated, scanned, notes, steps, waits) in [
        (Whole::Withdrawn, Status::Active, Some(100), Some(101), &ours, archive, false),
        (Whole::Withdrawn, Status::Active, Some(100), Some(100), &ours, vec![], false),
        (Whole::Withdrawn, Status::Active, None, Some(101), &ours, vec![], false),
        (Whole::Withdrawn, Status::Active, Some(100), Some(101), &Notes::default(), vec![], false),
        (Whole::Withdrawn, Status::Activating, Some(100), Some(101), &ours, vec![], true),
        (Whole::Pulled, Status::Active, Some(100), Some(101), &ours, vec![Step::Note(Note::Restored)], false),
    ] {
        let registered = Registered { status, activated_at: activated.map(second), ..tagged(&[]) };
        let plan = plan(&Situation {
            image: &image(),
            part_of: Some(whole),
            verdict: Verdict::Pending,
            mode: Mode::Archive,
            scanned_at: scanned.map(second),
            registered: Some(&registered),
            notes,
            untag_mutable: false,
            untagged: false,
        });
        assert_eq!(
            (plan.steps, plan.waits),
            (steps, waits),
            "{whole:?} {status:?} {activated:?} {scanned:?}"
        );
    }
}

#[test]
fn archived_image_is_restored_first_and_released_when_it_is_active() {
    let ours = noted([claimed(Mode::Archive), Note::Archiving(BTreeSet::new()), Note::Archived]);
    let restoring = noted([claimed(Mode::Archive), Note::Archived, Note::Restoring]);
    for status in [Status::Archived, Status::Activating] {
        let plan = planned(Verdict::Clear, Mode::Archive, &archived(status), &restoring);
        assert!(plan.waits, "{plan:?}");
        let touches = |step: &Step| matches!(step, Step::Put(_) | Step::Remove(_) | Step::GiveBack(_));
        assert!(!plan.steps.iter().any(touches), "a push would restore it");
    }
    assert_eq!(planned(Verdict::Quarantine, Mode::Archive, &archived(Status::Archived), &ours).steps, []);
    let plan = planned(Verdict::Clear, Mode::Archive, &archived(Status::Active), &restoring);
    assert_eq!(plan.steps, [put(RELEASED), remove(&[TAG]), Step::Note(Note::Released)]);
}

#[test]
fn what_others_archived_is_left_to_them() {
    for status in [Status::Archived, Status::Activating] {
        for verdict in [Verdict::Quarantine, Verdict::Clear] {
            for mode in ACTING {
                let plan = planned(verdict, mode, &archived(status), &noted([claimed(mode)]));
                assert_eq!((plan.steps, plan.waits), (vec![], false), "{status:?} {verdict} {mode}");
            }
        }
    }
}

#[test]
fn restore_by_others_suspends_archiving_until_a_scan() {
    let ours = noted([claimed(Mode::Archive), Note::Archiving(BTreeSet::new()), Note::Archived]);
    let mut notes = ours.clone();
    notes.take(Note::RestoredByOthers, second(100));
    for status in [Status::Activating, Status::Active] {
        for (notes, steps) in [(&ours, vec![Step::Note(Note::RestoredByOthers)]), (&notes, vec![])] {
            let seen = planned(Verdict::Quarantine, Mode::Archive, &archived(status), notes);
            let remarks = vec![Remark::RestoredByOthers];
            assert_eq!((seen.steps, seen.remarks, seen.waits), (steps, remarks, false), "{status:?}");
        }
    }
    let scanned = |at: Option<i64>| {
        let registered = archived(Status::Active);
        let steps = plan(&Situation {
            image: &image(),
            part_of: None,
            verdict: Verdict::Quarantine,
            mode: Mode::Archive,
            scanned_at: at.map(second),
            registered: Some(&registered),
            notes: &notes,
            untag_mutable: false,
            untagged: false,
        })
        .steps;
        steps.contains(&Step::Archive(image().digest))
    };
    assert_eq!([None, Some(99), Some(100), Some(101)].map(scanned), [false, false, false, true]);
}

#[test]
fn rescan_restores_without_tags_waits_for_a_scan_and_archives_again() {
    let rescan = Note::Rescan { by: "ana".to_owned(), why: "fixed".to_owned() };
    let mut notes =
        noted([claimed(Mode::Archive), Note::Archiving(BTreeSet::from([digest('c')])), Note::Archived]);
    notes.take(rescan, second(100));
    let planned = |mutability: &Mutability, status, tags: &[&str], scanned: Option<i64>| {
        let registered = Registered { status, mutability: mutability.clone(), ..tagged(tags) };
        plan(&Situation {
            image: &image(),
            part_of: None,
            verdict: Verdict::Quarantine,
            mode: Mode::Archive,
            scanned_at: scanned.map(second),
            registered: Some(&registered),
            notes: &notes,
            untag_mutable: false,
            untagged: false,
        })
    };
    let (fixed, loose) = (&Mutability::Immutable, &Mutability::Mutable);
    let off = [Step::Note(Note::Removing(vec![("1.0".to_owned(), true)])), remove(&["1.0"])];
    let restore = [Step::Restore(digest('c')), Step::Restore(image().digest)];
    let archive = [Step::Archive(image().digest), Step::Note(Note::Archived)];
    for (mutability, status, tags, scanned, steps, waits, remarks) in [
        (fixed, Status::Archived, vec!["1.0", TAG], None, [off.to_vec(), restore.to_vec()].concat(), true, 0),
        // Our tag may move, or is gone: without it the last tag could go.
        (loose, Status::Archived, vec!["1.0", TAG], None, restore.to_vec(), true, 0),
        (fixed, Status::Archived, vec!["1.0"], None, restore.to_vec(), true, 0),
        (fixed, Status::Activating, vec![TAG], None, vec![], true, 0),
        (fixed, Status::Active, vec![TAG], Some(100), vec![], false, 0),
        (fixed, Status::Active, vec!["1.0", TAG], None, off.to_vec(), false, 0),
        (loose, Status::Active, vec!["1.0", TAG], None, vec![], false, 1),
    ] {
        let plan = planned(mutability, status, &tags, scanned);
        let seen = (plan.steps, plan.waits, plan.remarks.len());
        assert_eq!(seen, (steps, waits, remarks), "{mutability:?} {status:?} {tags:?}");
    }
    let scanned = planned(fixed, Status::Active, &[TAG], Some(101)).steps;
    assert!(archive.iter().all(|step| scanned.contains(step)), "{scanned:?}");
}

#[test]
fn rescan_takes_tags_that_can_move_off_only_where_the_image_is_active() {
    let mut notes = noted([claimed(Mode::Archive), Note::Archived]);
    notes.take(Note::Rescan { by: "ana".to_owned(), why: "fixed".to_owned() }, second(100));
    for (status, off) in [(Status::Archived, vec!["1.0"]), (Status::Active, vec!["1.0", "latest"])] {
        let mutability = Mutability::ImmutableExcept(texts(&["latest"]));
        let registered = Registered { status, mutability, ..tagged(&["1.0", "latest", TAG]) };
        let plan = plan(&Situation {
            image: &image(),
            part_of: None,
            verdict: Verdict::Quarantine,
            mode: Mode::Archive,
            scanned_at: None,
            registered: Some(&registered),
            notes: &notes,
            untag_mutable: true,
            untagged: false,
        });
        assert!(plan.steps.contains(&remove(&off)), "{status:?} {plan:?}");
    }
}

#[test]
fn milder_mode_restores_and_gives_back_and_keeps_the_mark() {
    let archive = noted([claimed(Mode::Archive), Note::Archiving(BTreeSet::new()), Note::Archived]);
    let mut rescanned = archive.clone();
    rescanned.take(Note::Rescan { by: "ana".to_owned(), why: "fixed".to_owned() }, second(1));
    for (mode, notes) in [(Mode::Tag, &archive), (Mode::Untag, &archive), (Mode::Tag, &rescanned)] {
        let plan = planned(Verdict::Quarantine, mode, &archived(Status::Archived), notes);
        assert_eq!(plan.steps, [Step::Note(Note::Restoring), Step::Restore(image().digest)]);
        assert!(plan.waits);
    }
    let restoring = noted([claimed(Mode::Archive), Note::Archived, Note::Restoring]);
    let restored = planned(Verdict::Quarantine, Mode::Tag, &archived(Status::Active), &restoring);
    assert_eq!(restored.steps, [Step::Note(Note::Restored)]);

    let untagged = noted([claimed(Mode::Untag), Note::Removing(vec![("1.0".to_owned(), true)])]);
    let given = planned(Verdict::Quarantine, Mode::Tag, &immutable(&[TAG]), &untagged);
    assert_eq!(given.steps, [Step::GiveBack("1.0".to_owned()), Step::Note(Note::GivenBack(texts(&["1.0"])))]);
}

#[test]
fn history_names_each_tag_and_image_that_a_step_changes_and_no_note() {
    let restore = Step::Restore(image().digest);
    for (step, parts) in [
        (Step::Note(Note::Restoring), vec![]),
        (put(TAG), vec!["put the tag quarantine-ab12ab12ab12 on"]),
        (Step::GiveBack("1.0".to_owned()), vec!["gave the tag 1.0 back, unless another image has it"]),
        (remove(&["1.0", "latest"]), vec!["took the tag 1.0 off", "took the tag latest off"]),
        (Step::Archive(digest('c')), vec!["archived the part cccccccccccc"]),
        (restore, vec!["asked for the restore of the image"]),
    ] {
        assert_eq!(step.parts(&image()), parts, "{step:?}");
    }
}

#[test]
fn plan_untags_by_the_tags_of_others_and_unmarks_by_the_mark_of_the_image() {
    for (step, untags, unmarks) in [
        (remove(&["1.0"]), true, false),
        (remove(&["1.0", TAG]), true, true),
        (remove(&[TAG]), false, true),
        (remove(&[RELEASED, "quarantine-ffffffffffff"]), false, false),
        (put(TAG), false, false),
    ] {
        let steps = vec![Step::Note(Note::Restored), step];
        let plan = Plan { steps, ..Plan::leave("") };
        assert_eq!((plan.untags(), plan.unmarks(&image())), (untags, unmarks), "{plan:?}");
    }
}

#[test]
fn release_takes_the_mark_off_first_only_where_there_is_no_room_for_another_tag() {
    for (there, removed, put_first) in [(999, 0, true), (998, 1, true), (999, 1, false), (1_000, 0, false)] {
        let mut registered = immutable(&[TAG]);
        registered.tags.extend((1..there).map(|number| format!("1.{number}")));
        let gone = (0..removed).map(|number| (format!("2.{number}"), true)).collect();
        let notes = noted([claimed(Mode::Untag), Note::Removing(gone)]);
        let steps = planned(Verdict::Clear, Mode::Untag, &registered, &notes).steps;
        let place = |wanted: Step| steps.iter().position(|step| *step == wanted).unwrap();
        assert_eq!(place(put(RELEASED)) < place(remove(&[TAG])), put_first, "{there} and {removed}");
    }
}

/// A registry of one image, in which steps take effect as in ECR.
struct World {
    registered: Registered,
    notes: Notes,
}

impl World {
    /// Takes a step, and checks what must never happen.
    fn take(&mut self, step: Step) {
        let active = self.registered.status == Status::Active;
        match step {
            Step::Note(note) => {
                self.notes.take(note, second(0));
            }
            Step::Put(tag) | Step::GiveBack(tag) => {
                assert!(active, "a push restores an archived image");
                if !self.registered.tags.contains(&tag) {
                    self.registered.tags.push(tag);
                }
            }
            Step::Remove(tags) => {
                assert!(active);
                for tag in tags {
                    let ours = is_quarantine_tag(&tag);
                    assert!(ours || self.notes.removed.contains_key(&tag), "{tag} is not noted");
                    self.registered.tags.retain(|other| *other != tag);
                }
                let left = |tag: &String| tag == TAG || tag == RELEASED;
                assert!(self.registered.tags.iter().any(left), "the last tag of ours went");
            }
            Step::Archive(_) => {
                assert_eq!(self.notes.storage, Some(Storage::Archiving), "not noted");
                self.registered.status = Status::Archived;
            }
            Step::Restore(_) => {
                let noted =
                    matches!(self.notes.storage, Some(Storage::Restoring | Storage::Rescanning { .. }));
                assert!(noted, "not noted");
                self.registered.status = Status::Activating;
            }
        }
    }
}

proptest! {
    /// Whatever happened before, and wherever a crash cuts a plan off: no step takes the last tag, all is noted before it
    /// is done, and with the same verdict and mode it comes to rest.
    #[test]
    fn no_step_takes_the_last_tag_and_every_plan_comes_to_rest(
        tags in proptest::sample::subsequence(vec!["1.0", "latest", TAG, RELEASED, "quarantine-ffffffffffff"], 0..=5),
        mutability in prop_oneof![
            Just(Mutability::Mutable), Just(Mutability::Immutable),
            Just(Mutability::ImmutableExcept(vec!["latest".to_owned()])),
        ],
        turns in proptest::collection::vec(
            (prop_oneof![Just(Verdict::Clear), Just(Verdict::Quarantine), Just(Verdict::Unscannable)],
             proptest::sample::select(ACTING.to_vec()), 0_usize..9, any::<bool>()),
            1..8,
        ),
        is_needed in any::<bool>(),
        untag_mutable in any::<bool>(),
        untagged in any::<bool>(),
    ) {
        let deployable: Vec<String> = texts(&tags).into_iter().filter(|tag| !is_quarantine_tag(tag)).collect();
        let mut world = World {
            registered: Registered {
                tags: texts(&tags), mutability, needed_by: is_needed.then(|| digest('f')), ..Registered::default()
            },
            notes: Notes::default(),
        };
        for (verdict, mode, cut, others_restore) in turns {
            let mut rests = false;
            for round in 0..12 {
                if verdict == Verdict::Quarantine && world.notes.mode() != Some(mode) {
                    world.notes.take(claimed(mode), second(0));
                }
                let plan = plan(&Situation {
                    image: &image(), part_of: None, verdict, mode, scanned_at: None, registered: Some(&world.registered),
                    notes: &world.notes, untag_mutable, untagged,
                });
                rests = plan.steps.is_empty() && !plan.waits;
                if rests {
                    break;
                }
                let cut = if round == 0 { cut } else { usize::MAX };
                for step in plan.steps.into_iter().take(cut) {
                    world.take(step);
                }
                let restored = world.registered.status == Status::Activating;
                if restored || round == 0 && others_restore {
                    world.registered.status = Status::Active;
                }
            }
            prop_assert!(rests, "{verdict} {mode}: {:?} {:?}", world.registered, world.notes);
            for tag in &deployable {
                let kept = world.registered.tags.contains(tag) || world.notes.removed.contains_key(tag);
                let told = verdict == Verdict::Clear && untag_mutable && world.registered.mutability.can_move(tag);
                prop_assert!(kept || told || untag_mutable, "{tag} is lost");
            }
            if verdict == Verdict::Clear {
                prop_assert!(!world.registered.tags.contains(&TAG.to_owned()) || world.registered.status != Status::Active);
                prop_assert_eq!(world.registered.status, Status::Active);
            }
        }
    }
}
