use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::assessment::asks_whether_exploited;
use crate::assessment::{Platform, Row, Subject, judge, look};
use crate::finding::{Finding, Fix, KnownExploited, Source, Status};
use crate::image::{Digest, ImageId};
use crate::ledger::{Evidence, Exploitation, Ledger};
use crate::manifest::{Child, ChildKind, Contents};
use crate::policy::Policy;
use crate::quarantine::Mode;
use crate::samples::{closed, coverage, finding, image, ledger, listing, policy, second};
use crate::verdict::Verdict;

const DAY: i64 = 86_400;
/// By how much what ages is spread at most.
const SPREAD: i64 = 6 * 3_600;

/// Two days for what is critical and has a fix, a waiver for one of them, half an hour for a scan.
fn graced() -> Policy {
    policy(
        "
rules: [{ id: critical, match: { severity: [CRITICAL] }, then: [quarantine], grace_days: 2 }]
waivers: [{ vulnerability: CVE-w, reason: not reachable, owner: shop, expires: 2031-01-20 }]
unscanned: { after_minutes: 30, then: [alert] }
",
    )
}

fn pushed(at: i64) -> Evidence {
    Evidence::Described { pushed_at: second(at), media_type: None }
}

fn due(ledger: &Ledger, policy: &Policy, now: i64) -> Option<i64> {
    let due = look(ledger, 1, None, policy, second(now)).due?;
    Some(due.as_second() - second(0).as_second())
}

#[test]
fn image_is_due_when_the_first_grace_ends_that_has_not() {
    let older = Finding { first_seen: second(-100), ..finding("a", 1) };
    let image = ledger([listing(10, vec![older, finding("b", 1)])]);
    assert_eq!(due(&image, &graced(), 20), Some(2 * DAY - 100));
    // Under quarantine nothing more comes of the second grace.
    assert_eq!(due(&image, &graced(), 2 * DAY - 100), None);
    assert_eq!(judge(&image, &graced(), second(2 * DAY - 100)).verdict, Verdict::Quarantine);
}

#[test]
fn grace_that_ends_in_a_stricter_quarantine_is_waited_for() {
    let policy = policy(
        "
rules:
  - { id: now, match: { severity: [CRITICAL] }, then: [quarantine] }
  - { id: archive, match: { severity: [CRITICAL] }, then: [quarantine], grace_days: 9, quarantine_mode: archive }
",
    );
    let image = ledger([listing(10, vec![finding("a", 1)])]);
    assert_eq!(due(&image, &policy, 20), Some(9 * DAY));
    assert_eq!(due(&image, &policy, 9 * DAY), None);
}

#[test]
fn image_is_due_on_the_day_after_a_waiver() {
    let image = ledger([listing(10, vec![finding("w", 1)])]);
    // The waiver holds on 20 January, UTC.
    assert_eq!(due(&image, &graced(), 20), Some(20 * DAY));
    assert_eq!(judge(&image, &graced(), second(20 * DAY - 1)).verdict, Verdict::Clear);
    assert_eq!(judge(&image, &graced(), second(20 * DAY)).verdict, Verdict::Quarantine);
    assert_eq!(due(&image, &graced(), 20 * DAY), None);
}

#[test]
fn image_that_nothing_scans_is_due_when_the_scan_is_overdue_and_then_daily() {
    let unscanned = ledger([pushed(100)]);
    assert_eq!(due(&unscanned, &graced(), 100), Some(1_900));
    assert_eq!(due(&unscanned, &graced(), 5_000), Some(1_900), "nobody has asked yet");
    let asked_early = ledger([pushed(100), coverage(1_800, false)]);
    assert_eq!(due(&asked_early, &graced(), 1_900), Some(1_900));
    let asked = ledger([pushed(100), coverage(1_900, false)]);
    let again = due(&asked, &graced(), 1_900).unwrap();
    assert!((1_900 + DAY..1_900 + DAY + SPREAD).contains(&again), "{again}");
    let without = policy("rules: [{ id: any, match: { severity: [LOW] }, then: [alert] }]");
    assert_eq!(due(&unscanned, &without, 100), None);
    assert_eq!(due(&ledger([pushed(100), listing(200, vec![])]), &graced(), 200), None);
}

#[test]
fn image_is_due_when_it_has_to_be_asked_again_whether_a_vulnerability_is_exploited() {
    let policy = policy("rules: [{ id: kev, match: { known_exploited: true }, then: [quarantine] }]");
    let answered = |known| {
        let answer = Exploitation { asked_at: second(50), known };
        Evidence::Exploitation([("CVE-a".to_owned(), answer)].into())
    };
    let open = || listing(10, vec![finding("a", 7)]);
    assert_eq!(due(&ledger([open()]), &policy, 20), Some(7), "nobody has asked yet");
    let aged = due(&ledger([open(), answered(None)]), &policy, 60).unwrap();
    assert!((50 + DAY..50 + DAY + SPREAD).contains(&aged), "{aged}");
    let yes = answered(Some(KnownExploited { added: None, due: None }));
    assert_eq!(due(&ledger([open(), yes]), &policy, 60), None);
    let unlikely = Finding { exploit: Some(false), epss: Some(0.001.into()), ..finding("a", 7) };
    assert_eq!(due(&ledger([listing(10, vec![unlikely])]), &policy, 60), None);
}

#[test]
fn image_is_due_when_it_can_be_told_whether_what_closed_is_fixed() {
    let image = ledger([listing(10, vec![finding("a", 1)]), Evidence::Findings(vec![closed("a", 1_000)])]);
    let settled = due(&image, &graced(), 1_001).unwrap();
    // Ten minutes after it closed, and later for each image by another time; before the end of the grace.
    assert!((1_600..1_600 + SPREAD).contains(&settled), "{settled}");
}

#[test]
fn what_ages_is_spread_and_what_the_policy_dates_is_not() {
    let mut aged = std::collections::BTreeSet::new();
    for number in 0..50 {
        let digest: Digest = format!("sha256:{number:064x}").try_into().unwrap();
        let mut one = Ledger::new(ImageId { digest, ..image() });
        one.merge(pushed(100));
        assert_eq!(due(&one, &graced(), 100), Some(1_900));
        one.merge(coverage(1_900, false));
        aged.insert(due(&one, &graced(), 1_900).unwrap());
    }
    assert!(aged.len() > 45, "{aged:?}");
    let (first, last) = (aged.first().unwrap(), aged.last().unwrap());
    assert!((5 * 3_600..SPREAD).contains(&(last - first)), "over six hours, not minutes: {aged:?}");
}

#[test]
fn image_that_is_gone_or_no_root_is_never_due() {
    let gone = ledger([pushed(1), Evidence::Gone { at: second(5) }]);
    assert_eq!(due(&gone, &graced(), 6), None);
    let link = crate::ledger::Link { at: second(1), kind: ChildKind::Image, ended: false };
    let contained = Evidence::ContainedIn { index: image().digest, link };
    assert_eq!(due(&ledger([pushed(1), contained.clone()]), &graced(), 6), None);
    // Whatever it has.
    let open = || listing(2, vec![finding("a", 1)]);
    for ledger in [ledger([open(), Evidence::Gone { at: second(5) }]), ledger([open(), contained])] {
        let subject = Subject::from(&ledger);
        assert_eq!(judge(subject, &graced(), second(6)).due(subject, &graced(), second(6)), None);
    }
}

#[test]
fn image_is_due_when_a_finding_is_past_the_time_in_which_it_is_to_be_fixed_if_a_rule_asks() {
    let policy = |asks: &str| {
        policy(&format!(
            "
rules: [{{ id: late, match: {{ severity: [CRITICAL]{asks} }}, then: [alert] }}]
remediate_within: {{ CRITICAL: 7 }}
"
        ))
    };
    let asking = policy(", overdue: true");
    let image = ledger([listing(10, vec![finding("a", 1)])]);
    assert_eq!(due(&image, &asking, 20), Some(7 * DAY));
    assert_eq!(due(&image, &asking, 7 * DAY - 1), Some(7 * DAY));
    assert_eq!(due(&image, &asking, 7 * DAY), None, "it is judged as overdue now");
    assert_eq!(due(&image, &asking, 8 * DAY), None);
    assert_eq!(due(&image, &policy(""), 20), None, "nothing hangs on it");
}

#[test]
fn exempt_image_is_not_due_for_a_grace_that_ends_now() {
    let mut image = ledger([listing(10, vec![finding("a", 1)])]);
    image.merge(Evidence::Adopted { at: second(20) });
    let policy = graced();
    let judged = judge(&image, &policy, second(2 * DAY));
    assert!(judged.verdict == Verdict::Quarantine && judged.exempt);
    assert_eq!(due(&image, &graced(), 2 * DAY - 1), Some(2 * DAY));
    assert_eq!(due(&image, &graced(), 2 * DAY), None);
}

#[test]
fn index_is_due_for_each_of_its_platforms() {
    let child = Child { digest: image().digest, kind: ChildKind::Image, platform: None, os_version: None };
    let root = ledger([pushed(0), Evidence::Contents(Contents { children: vec![child], left_out: 0 })]);
    let at = |platforms: Vec<Ledger>, now| {
        let named = |(n, ledger)| Platform { name: format!("linux/{n}"), ledger };
        let platforms: Vec<Platform> = platforms.into_iter().enumerate().map(named).collect();
        let subject = Subject { ledger: &root, platforms: &platforms, is_complete: true };
        let policy = graced();
        let asked: usize = subject.platforms_due(&policy, second(now)).count();
        let due = judge(subject, &policy, second(now)).due(subject, &policy, second(now));
        (due.map(|due| due.as_second() - second(0).as_second()), asked)
    };
    let scanned = || ledger([pushed(0), listing(10, vec![finding("a", 1)])]);
    assert_eq!(at(vec![scanned(), ledger([])], 20), (Some(1_800), 0), "a push that is not known of");
    assert_eq!(at(vec![scanned(), ledger([])], 1_800), (Some(1_800), 1));
    assert_eq!(at(vec![scanned(), scanned()], 20), (Some(2 * DAY), 0));
}

#[test]
fn image_that_waits_for_its_index_is_due_when_it_has_waited_long_enough() {
    let mut waiting = ledger([listing(10, vec![])]);
    waiting.announced.waiting_since = Some(second(20));
    assert_eq!(due(&waiting, &graced(), 30), Some(20 + 300));
}

/// What a history is made of.
fn evidence() -> impl Strategy<Value = Evidence> {
    let id = prop_oneof![Just("a"), Just("b"), Just("w")];
    let at = 1..40 * DAY;
    prop_oneof![
        (id.clone(), at.clone(), 0..20 * DAY, any::<bool>()).prop_map(|(id, at, seen, fix)| {
            let fix = if fix { Fix::Yes } else { Fix::Unknown };
            Evidence::Findings(vec![Finding { first_seen: second(seen), fix, ..finding(id, at) }])
        }),
        (id, at.clone()).prop_map(|(id, at)| Evidence::Findings(vec![closed(id, at)])),
        at.clone().prop_map(|at| listing(at, vec![finding("a", at), finding("w", at)])),
        (at.clone(), any::<bool>()).prop_map(|(at, covered)| coverage(at, covered)),
        at.clone().prop_map(pushed),
        (at.clone(), any::<bool>()).prop_map(|(at, known)| {
            let known = known.then_some(KnownExploited { added: None, due: None });
            let answer = Exploitation { asked_at: second(at), known };
            Evidence::Exploitation([("CVE-a".to_owned(), answer)].into())
        }),
    ]
}

/// With every kind of date.
fn dated() -> Policy {
    policy(
        "
rules:
  - { id: kev, match: { known_exploited: true }, then: [quarantine], overrides_waivers: true }
  - { id: critical, match: { severity: [CRITICAL] }, then: [alert, quarantine], grace_days: 3 }
  - { id: fixed, match: { fix_available: true }, then: [quarantine], grace_days: 11, quarantine_mode: untag }
waivers:
  - { vulnerability: CVE-w, reason: not reachable, owner: shop, expires: 2031-01-20 }
  - { vulnerability: CVE-a, reason: not reachable, owner: shop, expires: 2031-02-03 }
unscanned: { after_minutes: 30, then: [quarantine] }
",
    )
}

/// What is said of an image: of one that is pending nothing.
fn said(ledger: &Ledger, policy: &Policy, now: Timestamp) -> (Verdict, Option<Mode>, bool, usize) {
    let judgement = judge(ledger, policy, now);
    let excused = |row: &&Row| row.ruling.as_ref().is_some_and(|ruling| ruling.waived().is_some());
    match judgement.verdict {
        Verdict::Pending => (Verdict::Pending, None, false, 0),
        Verdict::Quarantine => {
            let waived = judgement.rows.iter().filter(excused).count();
            (Verdict::Quarantine, judgement.quarantine_mode, judgement.exempt, waived)
        }
        verdict => (verdict, None, false, judgement.rows.iter().filter(excused).count()),
    }
}

proptest! {
    /// Invariant 11, the pure half: between now and what is due nothing changes by itself.
    #[test]
    fn nothing_that_is_said_changes_before_it_is_due(
        pieces in prop::collection::vec(evidence(), 0..8),
        now in 0..60 * DAY,
        adopted in prop::option::of(0..30 * DAY),
        later in prop::collection::vec(0..60 * DAY, 1..20),
    ) {
        let policy = dated();
        let mut image = ledger(pieces);
        if let Some(at) = adopted {
            image.merge(Evidence::Adopted { at: second(at) });
        }
        let now = second(now);
        let due = look(&image, 1, None, &policy, now).due.unwrap_or(Timestamp::MAX);
        for seconds in later {
            let then = now + SignedDuration::from_secs(seconds);
            if then < due {
                prop_assert_eq!(said(&image, &policy, then), said(&image, &policy, now), "at {}", then);
            }
        }
    }

    /// What is due by a date of the policy is over once that date has come: it is looked at once.
    #[test]
    fn a_date_that_has_taken_effect_is_not_due_again(
        seen in 0..20 * DAY,
        now in 0..60 * DAY,
    ) {
        let policy = graced();
        let image = ledger([listing(30 * DAY, vec![Finding { first_seen: second(seen), ..finding("b", 1) }])]);
        if let Some(due) = look(&image, 1, None, &policy, second(now)).due {
            prop_assert!(due > second(now));
            prop_assert_ne!(look(&image, 1, None, &policy, due).due, Some(due));
        }
    }
}

/// What is known to be exploited is quarantined, whatever waivers say.
fn exploited() -> Policy {
    policy(
        "
rules: [{ id: kev, match: { known_exploited: true }, then: [quarantine], overrides_waivers: true }]
",
    )
}

#[test]
fn what_nobody_can_be_asked_about_is_not_due_and_is_not_asked() {
    let basic = Finding { source: Source::Basic, ..finding("a", 1) };
    let scan = |source, finding: Finding| Evidence::Listing {
        source,
        at: second(10),
        scanned: true,
        findings: vec![finding],
        tags: vec![],
    };
    let of_basic = ledger([scan(Source::Basic, basic)]);
    assert_eq!(due(&of_basic, &exploited(), 20), None);
    let of_inspector = ledger([scan(Source::Inspector, finding("a", 1))]);
    assert_eq!(due(&of_inspector, &exploited(), 20), Some(1), "it was to be asked with the finding");
    let asks = |ledger: &Ledger| {
        ledger
            .facts
            .findings
            .values()
            .any(|entry| asks_whether_exploited(ledger, entry, &exploited(), second(20)))
    };
    assert_eq!((asks(&of_basic), asks(&of_inspector)), (false, true));
}

#[test]
fn an_answer_about_a_suppressed_finding_is_asked_for_again_where_a_rule_overrides_that() {
    let suppressed = Finding { status: Status::Suppressed, ..finding("a", 1) };
    let mut image = ledger([listing(10, vec![suppressed])]);
    let answer = Exploitation { known: None, asked_at: second(20) };
    image.merge(Evidence::Exploitation([("CVE-a".to_owned(), answer)].into()));
    let aged = due(&image, &exploited(), 30).unwrap();
    assert!((20 + DAY..=20 + DAY + SPREAD).contains(&aged), "{aged}");
    assert_eq!(due(&image, &graced(), 30), None, "nothing hangs on it");
}
