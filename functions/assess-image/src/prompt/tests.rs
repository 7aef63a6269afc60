use domain::assessment::Occasion;
use domain::event::{Event, FindingReport, ImageDue};
use domain::ledger::Evidence;
use domain::policy::Fingerprint;
use domain::samples::{finding, image, ledger, policy, second};

use super::*;

fn fingerprint(id: &str) -> Fingerprint {
    policy(&format!("rules: [{{ id: {id}, match: {{ severity: [LOW] }}, then: [alert] }}]")).fingerprint()
}

fn wanting(id: &str) -> Event {
    let policy = Some((second(0), fingerprint(id)));
    Event::Due(Box::new(ImageDue { policy, ..ImageDue::new(image()) }))
}

fn plain(adoption: bool) -> Event {
    Event::Due(Box::new(ImageDue { adoption, ..ImageDue::new(image()) }))
}

fn news() -> Event {
    let report = FindingReport { image: image(), finding: finding("a", 1), tags: vec![], pushed_at: None };
    Event::Finding(Box::new(report))
}

#[test]
fn new_policy_is_the_reason_only_where_nothing_else_is() {
    let (old, new) = (fingerprint("old"), fingerprint("new"));
    for (events, known, expected) in [
        (vec![wanting("new")], Some(&old), true),
        (vec![wanting("new"), wanting("new")], Some(&old), true),
        (vec![wanting("new")], None, true),
        (vec![wanting("new")], Some(&new), false),
        (vec![wanting("new"), news()], Some(&old), false),
        (vec![wanting("new"), plain(false)], Some(&old), false),
        (vec![news()], Some(&old), false),
        (vec![], Some(&old), false),
    ] {
        assert_eq!(Prompt::of(&events, known, &new).new_policy, expected, "{events:?}");
    }
}

#[test]
fn adoption_is_the_reason_only_where_nothing_else_is() {
    let ours = fingerprint("ours");
    for (events, adoption, is_due) in [
        (vec![plain(true)], true, true),
        (vec![plain(true), plain(true)], true, true),
        (vec![plain(true), plain(false)], false, true),
        (vec![plain(true), news()], false, true),
        (vec![news()], false, false),
    ] {
        let prompt = Prompt::of(&events, None, &ours);
        assert_eq!((prompt.adoption, prompt.is_due), (adoption, is_due), "{events:?}");
    }
}

#[test]
fn occasion_is_named_of_what_was_there_before_and_of_what_a_policy_changed() {
    let ours = fingerprint("ours");
    let adopted = ledger([Evidence::Adopted { at: second(1) }]).facts;
    let new = ledger([]).facts;
    let adoption = Prompt { adoption: true, ..Prompt::default() };
    let of = |prompt: &Prompt, facts: &Facts, announced, learnt| {
        prompt.occasion(facts, announced, learnt, &ours, Some("Mary"))
    };
    assert_eq!(of(&adoption, &adopted, false, true), Some(Occasion::Adopted));
    assert_eq!(of(&adoption, &adopted, true, true), None, "it was announced before");
    assert_eq!(of(&adoption, &new, false, true), None, "it was pushed since");
    let changed = Prompt { new_policy: true, ..Prompt::default() };
    let by = Some(Occasion::PolicyChanged { policy: ours.clone(), deployed_by: Some("Mary".to_owned()) });
    assert_eq!(of(&changed, &new, true, false), by);
    assert_eq!(of(&changed, &new, true, true), None, "there is news");
    assert_eq!(of(&changed, &new, false, false), None, "nothing was said before");
    assert_eq!(of(&Prompt::default(), &adopted, true, false), None);
}

#[test]
fn another_policy_is_waited_for_a_quarter_of_an_hour() {
    let ours = fingerprint("ours");
    assert!(awaits_policy(&wanting("new"), &ours, second(0)));
    assert!(awaits_policy(&wanting("new"), &ours, second(899)));
    assert!(!awaits_policy(&wanting("new"), &ours, second(900)), "the one that is there will do");
    assert!(!awaits_policy(&wanting("ours"), &ours, second(0)));
    assert!(!awaits_policy(&plain(true), &ours, second(0)));
    assert!(!awaits_policy(&news(), &ours, second(0)));
}

#[test]
fn only_what_the_sweep_sends_comes_again() {
    assert!(comes_again(&wanting("any")));
    assert!(!comes_again(&plain(false)));
    assert!(!comes_again(&news()));
}
