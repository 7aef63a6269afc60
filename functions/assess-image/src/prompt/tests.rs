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

fn plain() -> Event {
    Event::Due(Box::new(ImageDue::new(image())))
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
        (vec![wanting("new"), plain()], Some(&old), false),
        (vec![news()], Some(&old), false),
        (vec![], Some(&old), false),
    ] {
        assert_eq!(Prompt::of(&events, known, &new).new_policy, expected, "{events:?}");
    }
}

#[test]
fn adopted_image_is_announced_first_as_such_unless_there_is_news_or_a_week_has_passed() {
    const WEEK: i64 = 7 * 86_400;
    let ours = fingerprint("ours");
    let adopted = || ledger([Evidence::Adopted { at: second(0) }]);
    let mut announced = adopted();
    announced.announced.at = Some(second(5));
    for (events, ledger, now, expected) in [
        (vec![plain()], adopted(), 9, true),
        (vec![plain(), wanting("ours")], adopted(), WEEK - 1, true),
        (vec![plain()], adopted(), WEEK, false),
        (vec![plain(), news()], adopted(), 9, false),
        (vec![news()], adopted(), 9, false),
        (vec![plain()], announced, 9, false),
        (vec![plain()], ledger([]), 9, false),
    ] {
        let prompt = Prompt::of(&events, None, &ours);
        let occasion = prompt.occasion(&ledger, true, &ours, second(now));
        assert_eq!(occasion, expected.then_some(Occasion::Adopted), "{events:?} {now}");
    }
}

#[test]
fn what_a_new_policy_changes_is_announced_as_such_unless_there_is_news() {
    let ours = fingerprint("new");
    let mut known = ledger([]);
    let of = |ledger: &Ledger, is_news| {
        Prompt::of(&[wanting("new")], Some(&fingerprint("old")), &ours)
            .occasion(ledger, is_news, &ours, second(9))
            .map(|occasion| occasion.by(Some("Mary")))
    };
    assert_eq!(of(&known, false), None, "nothing was said before");
    known.announced.at = Some(second(5));
    let changed = Occasion::PolicyChanged { policy: ours.clone(), deployed_by: Some("Mary".to_owned()) };
    assert_eq!(of(&known, false), Some(changed));
    assert_eq!(of(&known, true), None);
}

#[test]
fn another_policy_is_waited_for_a_quarter_of_an_hour() {
    let ours = fingerprint("ours");
    assert!(awaits_policy(&wanting("new"), &ours, second(0)));
    assert!(awaits_policy(&wanting("new"), &ours, second(899)));
    assert!(!awaits_policy(&wanting("new"), &ours, second(900)), "the one that is there will do");
    assert!(!awaits_policy(&wanting("ours"), &ours, second(0)));
    assert!(!awaits_policy(&plain(), &ours, second(0)));
    assert!(!awaits_policy(&news(), &ours, second(0)));
}

#[test]
fn only_what_the_clock_alone_asks_for_comes_again() {
    let carrying = |change: &dyn Fn(&mut ImageDue)| {
        let mut due = ImageDue { policy: Some((second(0), fingerprint("any"))), ..ImageDue::new(image()) };
        change(&mut due);
        Event::Due(Box::new(due))
    };
    assert!(comes_again(&carrying(&|_| ())));
    assert!(!comes_again(&carrying(&|due| due.unseen = true)));
    assert!(!comes_again(&carrying(&|due| due.coverage = Some((second(0), CoverageAnswer::not_listed())))));
    assert!(!comes_again(&plain()));
    assert!(!comes_again(&news()));
}

#[test]
fn of_two_answers_the_newer_counts() {
    let said = |at, covered| {
        let answer = CoverageAnswer { covered, ..CoverageAnswer::not_listed() };
        Event::Due(Box::new(ImageDue { coverage: Some((second(at), answer)), ..ImageDue::new(image()) }))
    };
    let prompt = Prompt::of(&[said(9, true), said(3, false)], None, &fingerprint("ours"));
    assert!(prompt.coverage.is_some_and(|(at, answer)| at == second(9) && answer.covered));
}
