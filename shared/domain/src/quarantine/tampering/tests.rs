use proptest::prelude::*;

use super::*;
use crate::quarantine::{Note, released_tag};
use crate::samples::{actor, image, second};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

fn basis(mode: Mode) -> Basis {
    Basis::new("a#1", mode, false, &Registered::default())
}

/// Under quarantine since second 0, as it should be since second 1.
fn held(mode: Mode) -> Notes {
    let mut notes = Notes::default();
    notes.take(Note::Claimed { episode: "a#1".to_owned(), mode }, second(0));
    notes.take(Note::Agrees(basis(mode)), second(1));
    notes
}

fn mark_gone() -> Found {
    Found { mark_removed: true, ..Found::default() }
}

fn removal(at: i64, name: Option<&str>) -> Sighting {
    let actor = name.map(|name| Actor { at: second(at), ..actor(name) });
    Sighting { act: Act::MarkRemoved, at: second(at), actor }
}

#[test]
fn what_changes_after_our_own_decision_is_nobody_elses_doing() {
    let put = [Step::Put(tag(&image()))];
    let remove = [Step::Remove(vec!["1.0".to_owned()])];
    let mut first = Notes::default();
    first.take(Note::Claimed { episode: "a#1".to_owned(), mode: Mode::Untag }, second(0));
    assert_eq!(found(&image(), &first, &basis(Mode::Untag), &put), None, "the first marking");
    let notes = held(Mode::Tag);
    assert_eq!(found(&image(), &notes, &basis(Mode::Untag), &remove), None, "a stricter mode");
    let other = Basis { episode: "a#9".to_owned(), ..basis(Mode::Tag) };
    assert_eq!(found(&image(), &notes, &other, &put), None, "another quarantine");
    let notes = held(Mode::Untag);
    let moving =
        Basis { untag: Some((true, Mutability::Mutable, RepositoryKind::Normal)), ..basis(Mode::Untag) };
    assert_eq!(found(&image(), &notes, &moving, &remove), None, "the operator's choice");
    let leftover = [Step::Remove(vec![released_tag(&image())])];
    assert_eq!(found(&image(), &notes, &basis(Mode::Untag), &leftover), None, "a tag of ours");
}

#[test]
fn mark_and_tags_and_storage_that_others_changed_are_found() {
    let notes = held(Mode::Untag);
    let steps = [Step::Put(tag(&image())), Step::Remove(vec!["1.0".to_owned()])];
    let expected = Found { tags: ["1.0".to_owned()].into(), ..mark_gone() };
    assert_eq!(found(&image(), &notes, &basis(Mode::Untag), &steps), Some(expected));
    let milder = found(&image(), &notes, &basis(Mode::Tag), &steps[..1]);
    assert_eq!(milder, Some(mark_gone()), "the mark belongs to every mode");
    let restored = [Step::Note(Note::RestoredByOthers)];
    let found = found(&image(), &held(Mode::Archive), &basis(Mode::Archive), &restored);
    assert_eq!(found, Some(Found { restored: true, ..Found::default() }));
}

#[test]
fn until_it_is_put_right_it_is_not_found_twice() {
    let put = [Step::Put(tag(&image()))];
    let mut notes = held(Mode::Tag);
    notes.take(Note::Disturbed(mark_gone()), second(60));
    assert_eq!(found(&image(), &notes, &basis(Mode::Tag), &put), None);
    notes.take(Note::Agrees(basis(Mode::Tag)), second(61));
    assert_eq!(found(&image(), &notes, &basis(Mode::Tag), &put), Some(mark_gone()));
}

#[test]
fn people_are_told_when_it_is_known_who_did_it_or_after_ten_minutes() {
    let mut notes = held(Mode::Tag);
    notes.take(Note::Disturbed(mark_gone()), second(60));
    notes.take(Note::Seen(vec![removal(58, None)]), second(60));
    assert_eq!(notes.tampering.due(), Some(second(60 + 10 * MINUTE)));
    notes.take(Note::Seen(vec![removal(58, Some("Mary"))]), second(200));
    assert_eq!(notes.tampering.due(), Some(second(60)));
    let account = notes.tampering.unsaid.clone().unwrap();
    assert_eq!((account.at, account.actors.len()), (Some(second(58)), 1));
}

#[test]
fn who_did_it_earlier_or_something_else_did_not_do_this() {
    let mut notes = held(Mode::Tag);
    notes.take(Note::Agrees(Basis { episode: "a#2".to_owned(), ..basis(Mode::Tag) }), second(HOUR));
    notes.take(Note::Disturbed(mark_gone()), second(2 * HOUR));
    let tagged = Sighting { act: Act::Tagged("1.0".to_owned()), ..removal(2 * HOUR, Some("Bob")) };
    for other in [removal(HOUR - 60, Some("Eve")), tagged] {
        assert!(!notes.take(Note::Seen(vec![other.clone()]), second(2 * HOUR)), "{other:?}");
    }
    assert!(notes.take(Note::Seen(vec![removal(2 * HOUR - 1, Some("Mary"))]), second(2 * HOUR)));
}

#[test]
fn only_an_act_that_can_have_led_to_what_was_found_says_who_did_it() {
    let tagged = || Found { tags: ["1.0".to_owned()].into(), ..Found::default() };
    let restored = || Found { restored: true, ..Found::default() };
    let tag = |tag: &str| Act::Tagged(tag.to_owned());
    for (found, act, follows) in [
        (mark_gone(), Act::MarkRemoved, true),
        (mark_gone(), tag("1.0"), false),
        (mark_gone(), Act::Restored, false),
        (tagged(), tag("1.0"), true),
        (tagged(), tag("2.0"), false),
        (tagged(), Act::Pushed, false),
        (restored(), Act::Restored, true),
        (restored(), Act::Pushed, true),
        (restored(), tag("2.0"), true),
        (restored(), Act::MarkRemoved, false),
        (restored(), Act::Deleted, false),
    ] {
        let mut notes = held(Mode::Archive);
        notes.take(Note::Disturbed(found.clone()), second(60));
        let seen = Sighting { act: act.clone(), ..removal(60, Some("Mary")) };
        assert_eq!(notes.take(Note::Seen(vec![seen]), second(60)), follows, "{found:?} {act:?}");
    }
}

#[test]
fn event_may_be_two_seconds_older_than_what_it_changed() {
    for (at, counts) in [(1, true), (-1, true), (-2, false)] {
        let mut notes = held(Mode::Tag);
        notes.take(Note::Disturbed(mark_gone()), second(60));
        assert_eq!(notes.take(Note::Seen(vec![removal(at, None)]), second(60)), counts, "{at}");
    }
}

#[test]
fn what_is_found_before_people_are_told_adds_up_to_fifty_tags_and_five_people() {
    let tags = |numbers: std::ops::Range<i32>| Found {
        tags: numbers.map(|number| format!("{number:02}")).collect(),
        ..Found::default()
    };
    let mut notes = held(Mode::Archive);
    for found in [mark_gone(), Found { restored: true, ..Found::default() }, tags(0..50), tags(40..60)] {
        notes.take(Note::Disturbed(found), second(60));
    }
    let people = ["Ada", "Bob", "Cid", "Dora", "Eve", "Fay"];
    notes.take(Note::Seen(people.map(|name| removal(58, Some(name))).to_vec()), second(60));
    let account = notes.tampering.unsaid.unwrap();
    assert_eq!(account.found, Found { mark_removed: true, restored: true, ..tags(0..50) });
    assert_eq!(
        account.actors,
        people[..5].iter().map(|name| removal(58, Some(name)).actor.unwrap()).collect::<Vec<_>>()
    );
}

#[test]
fn message_that_has_it_said_in_time_is_under_way_until_it_is_said() {
    let mut notes = held(Mode::Tag);
    assert!(!notes.take(Note::Wake(true), second(50)), "there is nothing to say");
    notes.take(Note::Disturbed(mark_gone()), second(60));
    assert!(notes.take(Note::Wake(true), second(60)) && notes.tampering.unsaid.as_ref().unwrap().wake);
    assert!(!notes.tampering.is_repeated());
    notes.take(Note::TamperingSaid, second(700));
    notes.take(Note::Disturbed(mark_gone()), second(900));
    assert!(notes.tampering.is_repeated() && !notes.tampering.unsaid.unwrap().wake);
}

#[test]
fn who_becomes_known_after_the_alert_is_noted_and_nothing_is_said() {
    let mut notes = held(Mode::Tag);
    notes.take(Note::Disturbed(mark_gone()), second(60));
    notes.take(Note::TamperingSaid, second(700));
    assert!(notes.take(Note::Seen(vec![removal(58, Some("Mary"))]), second(900)));
    assert_eq!(notes.tampering.due(), None);
    assert_eq!(notes.tampering.said.unwrap().account.actors.len(), 1);
}

#[test]
fn event_is_about_what_is_not_said_yet_or_else_about_what_was_said() {
    let mut notes = held(Mode::Tag);
    notes.take(Note::Disturbed(mark_gone()), second(60));
    notes.take(Note::TamperingSaid, second(700));
    notes.take(Note::Agrees(basis(Mode::Tag)), second(1_000));
    notes.take(Note::Disturbed(mark_gone()), second(2_000));
    let events = [(1_999, "Bob"), (58, "Mary"), (1_999, "Bob"), (1_998, "Eve"), (1_999, "Eve")];
    notes.take(Note::Seen(events.map(|(at, name)| removal(at, Some(name))).to_vec()), second(2_001));
    let known = |account: Account| {
        (account.at, account.actors.into_iter().map(|actor| (actor.at, actor.who.arn)).collect::<Vec<_>>())
    };
    let expected = |at: i64, actors: &[(i64, &str)]| {
        let who = |(at, name): &(i64, &str)| (second(*at), actor(name).who.arn);
        (Some(second(at)), actors.iter().map(who).collect())
    };
    let new = known(notes.tampering.unsaid.unwrap());
    assert_eq!(new, expected(1_998, &[(1_999, "Bob"), (1_998, "Eve"), (1_999, "Eve")]));
    assert_eq!(known(notes.tampering.said.unwrap().account), expected(58, &[(58, "Mary")]));
}

#[test]
fn fight_is_one_alert_a_day_with_a_count() {
    let mut notes = held(Mode::Tag);
    let mut said = Vec::new();
    for round in 0..(3 * 24 * 4) {
        let now = second(15 * MINUTE * round + 100);
        if round < 24 * 4 {
            notes.take(Note::Disturbed(mark_gone()), now);
            notes.take(Note::Seen(vec![removal(15 * MINUTE * round + 99, Some("Mary"))]), now);
            notes.take(Note::Agrees(basis(Mode::Tag)), now);
        }
        if notes.tampering.due().is_some_and(|due| due <= now) {
            said.push(notes.tampering.unsaid.as_ref().unwrap().times);
            notes.take(Note::TamperingSaid, now);
        }
    }
    assert_eq!(said, [1, 24 * 4 - 1], "every blow is counted once");
}

fn any_sighting() -> impl Strategy<Value = Sighting> {
    (0..3_u8, 2..120_i64, prop::option::of("[A-C]")).prop_map(|(act, at, name)| {
        let act = [Act::MarkRemoved, Act::Tagged("1.0".to_owned()), Act::Restored][usize::from(act)].clone();
        let actor = name.map(|name| Actor { at: second(at), ..actor(&name) });
        Sighting { act, at: second(at), actor }
    })
}

proptest! {
    /// Whatever events come, in whichever order and however often: one finding is told once.
    #[test]
    fn order_and_repetition_of_events_make_no_second_alert(
        events in prop::collection::vec(any_sighting(), 0..8).prop_shuffle(),
        repeated in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let again = repeated.iter().filter(|_| !events.is_empty()).map(|index| index.get(&events).clone());
        let all: Vec<Sighting> = events.iter().cloned().chain(again).collect();
        let mut notes = held(Mode::Tag);
        notes.take(Note::Disturbed(mark_gone()), second(120));
        notes.take(Note::Agrees(basis(Mode::Tag)), second(121));
        let mut said = 0;
        for (minute, event) in all.iter().enumerate() {
            let now = second(120 + i64::try_from(minute).unwrap() * 3 * MINUTE);
            notes.take(Note::Seen(vec![event.clone()]), now);
            prop_assert!(!notes.take(Note::Seen(vec![event.clone()]), now), "a duplicate changes nothing");
            if notes.tampering.due().is_some_and(|due| due <= now) {
                said += 1;
                notes.take(Note::TamperingSaid, now);
            }
        }
        if notes.tampering.due().is_some() {
            said += 1;
            notes.take(Note::TamperingSaid, second(HOUR));
        }
        prop_assert_eq!(said, 1);
        let account = notes.tampering.said.unwrap().account;
        prop_assert_eq!(account.times, 1);
        let about = |event: &&Sighting| event.act == Act::MarkRemoved;
        let named = events.iter().filter(about).filter_map(|event| event.actor.clone());
        let named: BTreeSet<Actor> = named.collect();
        prop_assert_eq!(account.actors.len(), named.len().min(ACTORS), "early or late, all are noted");
    }
}
