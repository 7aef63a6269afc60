use crate::image::{Digest, ImageId};
use crate::ledger::{CoverageAnswer, Evidence};
use crate::manifest::{Contents, OCI_INDEX};
use crate::policy::Fingerprint;
use crate::quarantine::tag;
use crate::row::StatusRow;
use crate::samples::{coverage, finding, image, ledger, listing, policy, second};
use crate::verdict::Verdict;

use super::*;

fn fingerprint(id: &str) -> Fingerprint {
    policy(&format!("rules: [{{ id: {id}, match: {{ severity: [LOW] }}, then: [alert] }}]")).fingerprint()
}

#[test]
fn a_round_sends_every_shard_page_by_page_and_ends() {
    let position = Position { due: "7".to_owned(), id: "image#a".to_owned() };
    let mut round = Round::new(second(0)).after_page(Some(position.clone()), 2).unwrap();
    assert_eq!((round.shard, round.position.clone()), (0, Some(position)));
    round = round.after_page(None, 2).unwrap();
    assert_eq!((round.shard, round.position.clone(), round.until), (1, None, second(0)));
    assert_eq!(round.after_page(None, 2), None);
}

#[test]
fn a_new_policy_is_done_when_nothing_differs_any_more() {
    let (old, new) = (fingerprint("a"), fingerprint("b"));
    let known = PolicyState { done: Some(old.clone()), ..PolicyState::default() };
    assert_eq!(known.clone().meet(&old, second(1)), known);
    let begun = known.meet(&new, second(1));
    assert_eq!(begun.under_way, Some((second(1), new.clone())));
    assert_eq!(begun.clone().meet(&new, second(9)), begun, "it began once");
    let (half, ended) = begun.after_shard(3, 2);
    assert!(!ended);
    let (again, ended) = half.after_shard(0, 2);
    assert!(!ended && again.passes == 1 && again.shard == 0);
    let (half, _) = again.after_shard(0, 2);
    let (done, ended) = half.after_shard(0, 2);
    assert!(ended);
    assert_eq!(done, PolicyState { done: Some(new), ..PolicyState::default() });
}

#[test]
fn a_policy_that_comes_meanwhile_begins_anew_and_an_earlier_one_ends_it() {
    let (old, new) = (fingerprint("a"), fingerprint("b"));
    let begun = PolicyState { done: Some(old.clone()), ..PolicyState::default() }.meet(&new, second(1));
    let (half, _) = begun.after_shard(3, 2);
    let back = half.meet(&old, second(5));
    assert_eq!((back.under_way.clone(), back.shard, back.differ), (Some((second(1), old)), 0, 0));
}

#[test]
fn an_image_that_cannot_be_judged_does_not_keep_a_policy_from_being_done() {
    let mut state = PolicyState::default().meet(&fingerprint("a"), second(0));
    for pass in 1..=PASSES {
        let (next, ended) = state.after_shard(1, 1);
        assert_eq!(ended, pass == PASSES);
        state = next;
    }
}

#[test]
fn one_run_is_continued_by_one_other() {
    let state = |at| State { continues_at: at, ..State::default() };
    assert!(state(None).sends_continuation(second(0)));
    assert!(!state(Some(second(60))).sends_continuation(second(0)));
    assert!(!state(Some(second(60))).sends_continuation(second(359)));
    assert!(state(Some(second(60))).sends_continuation(second(360)), "the message was lost");
}

#[test]
fn a_duplicate_of_a_continuation_does_not_begin_another_chain() {
    let mut state = State { continues_at: Some(second(60)), ..State::default() };
    state.note_continuation(second(59));
    assert!(!state.sends_continuation(second(59)));
    state.note_continuation(second(60));
    assert!(state.sends_continuation(second(60)));
}

#[test]
fn a_repository_is_watched_since_its_patterns_include_it() {
    let mut watches = Watches::default();
    assert!(watches.note("prod/*", "", second(10)));
    assert!(!watches.note("prod/*", "", second(20)));
    assert!(watches.note("*", "prod/old", second(30)));
    assert_eq!(watches.since("prod/cart"), Some(second(10)));
    assert_eq!(watches.since("test/cart"), Some(second(30)));
    assert_eq!(watches.since("prod/old"), None);
    watches.note("*", "", second(40));
    assert_eq!(watches.since("prod/old"), Some(second(40)));
    assert_eq!(watches.adopts("prod/old", second(39)), Some(second(40)));
    assert_eq!(watches.adopts("prod/old", second(40)), None);
    for change in 0..50 {
        watches.note(&format!("prod/*,shop/{change}"), "", second(100 + change));
    }
    assert_eq!(watches.since("prod/cart"), Some(second(10)), "what was always watched");
    assert!(serde_json::to_string(&watches).unwrap().len() < 4_000);
}

#[test]
fn changes_are_asked_for_hourly_with_an_overlap_and_to_the_last_page() {
    let hour = |hours: i64| second(hours * 3_600);
    let (first, walks) = Changes::default().next(hour(10));
    assert_eq!((first.clone(), walks), (Some((hour(10), hour(10), None)), false));
    let known = Changes::default().after_page((hour(10), hour(10)), None);
    assert_eq!(first.map(|(from, to, _)| (from, to)), Some((hour(10), hour(10))));
    assert_eq!(known.next(second(10 * 3_600 + 3_599)), (None, false));
    let (asked, walks) = known.next(hour(11));
    assert_eq!((asked.clone(), walks), (Some((second(10 * 3_600 - 1_800), hour(11), None)), false));
    let (from, to, _) = asked.unwrap();
    let half = known.after_page((from, to), Some("2".to_owned()));
    let (asked, _) = half.next(hour(12));
    assert_eq!(asked, Some((second(10 * 3_600 - 1_800), hour(11), Some("2".to_owned()))), "the end is fixed");
    let (from, to, _) = asked.unwrap();
    let known = half.after_page((from, to), None);
    assert_eq!(known.until, Some(hour(11)));
    assert!(!known.next(hour(31)).1);
    assert!(known.next(second(31 * 3_600 + 1)).1, "findings may have been removed meanwhile");
}

#[test]
fn a_finding_is_seen_as_it_is_listed_or_lost_when_no_event_brought_it_in_time() {
    let known = ledger([Evidence::Findings(vec![finding("a", 100)])]);
    let now = |seconds: i64| second(100 + seconds);
    for (listed, ledger, at, expected) in [
        (finding("a", 100), Some(&known), 9_000, Seen::Yes),
        (finding("a", 99), Some(&known), 9_000, Seen::Yes),
        (finding("a", 101), Some(&known), 60, Seen::NotYet),
        (finding("a", 101), Some(&known), 1_800, Seen::NotYet),
        (finding("a", 101), Some(&known), 1_801, Seen::Lost),
        (finding("b", 100), Some(&known), 7_200, Seen::Lost),
        (finding("b", 100), None, 7_200, Seen::Lost),
    ] {
        assert_eq!(Seen::of(&listed, ledger, now(at)), expected, "{} {at}", listed.id);
    }
}

fn found(media_type: Option<&str>) -> Registered {
    Registered {
        image: image(),
        tags: vec!["1.0".to_owned()],
        pushed_at: second(0),
        media_type: media_type.map(str::to_owned),
        artifact_media_type: None,
        is_archived: false,
    }
}

/// What a ledger says of the tags of [`found`].
fn tagged(tag: &str) -> Evidence {
    Evidence::Tagged { at: second(1), tags: vec![tag.to_owned()] }
}

fn answer(reason: &str, scanned: bool) -> CoverageAnswer {
    let status = if reason == "SUCCESSFUL" { "ACTIVE" } else { "INACTIVE" };
    CoverageAnswer::read(status, reason, scanned.then(|| second(5)))
}

#[test]
fn what_no_ledger_knows_is_judged_and_an_index_is_read_first() {
    let now = second(10_000);
    assert_eq!(want(&found(None), None, None, false, now), Want::Judge);
    assert_eq!(want(&found(Some(OCI_INDEX)), None, None, false, now), Want::Record);
    assert_eq!(want(&found(None), None, None, false, second(60)), Want::Nothing, "its event is under way");
    assert_eq!(want(&found(None), None, None, true, second(60)), Want::Judge, "nobody listened yet");
    let read = ledger([tagged("1.0"), Evidence::Contents(Contents::default())]);
    assert_eq!(want(&found(Some(OCI_INDEX)), None, Some(&read), false, now), Want::Nothing);
    let unread = ledger([]);
    assert_eq!(want(&found(Some(OCI_INDEX)), None, Some(&unread), false, now), Want::Record);
    let artifact =
        Registered { artifact_media_type: Some("application/spdx+json".to_owned()), ..found(None) };
    assert_eq!(want(&artifact, None, None, false, now), Want::Nothing);
    let archived = Registered { is_archived: true, ..found(None) };
    assert_eq!(want(&archived, None, None, false, now), Want::Nothing, "nobody can pull it");
}

#[test]
fn image_that_is_known_is_judged_again_when_coverage_says_something_else() {
    let now = second(10_000);
    let known = ledger([tagged("1.0"), listing(10, vec![]), coverage(20, true)]);
    let same = CoverageAnswer { reason: "MADE_UP".to_owned(), covered: true, ..answer("SUCCESSFUL", true) };
    assert_eq!(want(&found(None), Some(&same), Some(&known), false, now), Want::Nothing);
    assert_eq!(
        want(&found(None), Some(&answer("IMAGE_ARCHIVED", false)), Some(&known), false, now),
        Want::Judge
    );
    // Of what was never asked about, only a "no" is news.
    let never = ledger([tagged("1.0"), listing(10, vec![])]);
    assert_eq!(
        want(&found(None), Some(&answer("SUCCESSFUL", true)), Some(&never), false, now),
        Want::Nothing
    );
    assert_eq!(
        want(&found(None), Some(&answer("UNSUPPORTED_OS", false)), Some(&never), false, now),
        Want::Judge
    );
    let unscanned = ledger([tagged("1.0")]);
    assert_eq!(
        want(&found(None), Some(&answer("SUCCESSFUL", true)), Some(&unscanned), false, now),
        Want::Judge
    );
    assert_eq!(
        want(&found(None), Some(&answer("SUCCESSFUL", false)), Some(&unscanned), false, now),
        Want::Nothing
    );
    let gone = ledger([listing(10, vec![]), Evidence::Gone { at: second(30) }]);
    assert_eq!(want(&found(None), None, Some(&gone), false, now), Want::Judge, "it is there");
}

#[test]
fn image_that_has_other_tags_than_its_ledger_says_is_described() {
    let now = second(10_000);
    let with = |tags: &[&str]| Registered {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..found(None)
    };
    let ours = tag(&image());
    let known = ledger([tagged("1.0"), listing(10, vec![])]);
    for (tags, expected) in [
        (&["1.0"][..], Want::Nothing),
        (&["1.0", &ours], Want::Nothing),
        (&["1.0", "2.0"], Want::Describe),
        (&["2.0"], Want::Describe),
        (&[], Want::Describe),
    ] {
        assert_eq!(want(&with(tags), None, Some(&known), false, now), expected, "{tags:?}");
    }
    let index = |tags| Registered { media_type: Some(OCI_INDEX.to_owned()), ..with(tags) };
    let read = ledger([tagged("1.0"), Evidence::Contents(Contents::default())]);
    assert_eq!(want(&index(&["2.0"]), None, Some(&read), false, now), Want::Describe);
    let archived = Registered { is_archived: true, ..with(&[]) };
    assert_eq!(want(&archived, None, Some(&known), false, now), Want::Nothing, "nobody can pull it");
    // A ledger does not remember more tags than this.
    let many: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let many = Registered { tags: many, ..found(None) };
    assert_eq!(want(&many, None, Some(&known), false, now), Want::Nothing);
}

#[test]
fn rows_are_held_against_all_that_a_repository_has() {
    let of = |number: u8| -> ImageId {
        let digest: Digest = format!("sha256:{number:064x}").try_into().unwrap();
        ImageId { digest, ..image() }
    };
    let row = |quarantined| StatusRow { quarantined, tags: vec!["1.0".to_owned()], ..StatusRow::default() };
    let registered = |number: u8, marked: bool| {
        let mark = marked.then(|| crate::quarantine::tag(&of(number)));
        Registered { image: of(number), tags: mark.into_iter().collect(), ..found(None) }
    };
    let rows = [
        (of(1), row(true)),
        (of(2), row(true)),
        (of(3), row(false)),
        (of(4), row(false)),
        (of(5), row(false)),
    ];
    let there = [registered(1, true), registered(2, false), registered(3, true), registered(4, false)];
    let drifted = missing(&rows, &[], &there, true);
    assert_eq!(drifted, Missing { gone: vec![of(5)], drifted: vec![of(2), of(3)] });
    // Of those whose rows cannot be read it is known only that they should be there.
    let unreadable = missing(&[], &[of(1), of(2), of(5)], &there, true);
    assert_eq!(unreadable, Missing { gone: vec![of(5)], drifted: vec![] });
    assert_eq!(missing(&rows, &[], &there, false).drifted, vec![], "nobody keeps tags");
}

#[test]
fn standing_counts_all_and_names_the_worst() {
    let mut standing = Standing::default();
    for number in 0..30_u64 {
        let mut row = StatusRow { exempt: number == 3, ..StatusRow::default() };
        row.verdict = if number == 3 { Verdict::Quarantine } else { Verdict::Clear };
        row.open = [(crate::finding::Severity::High, number)].into();
        row.waived = number % 3;
        row.oldest = [(crate::finding::Severity::High, second(40 - i64::from(number == 7)))].into();
        // Of two the time is over.
        row.remediate_by = Some(second(i64::try_from(number).unwrap() - 1));
        let digest: Digest = format!("sha256:{number:064x}").try_into().unwrap();
        standing.add(&ImageId { digest, ..image() }, &row, second(0));
    }
    assert_eq!((standing.count(), standing.exempt), (30, 1));
    assert_eq!((standing.waived, standing.overdue), (30, 2));
    assert_eq!(standing.oldest[&crate::finding::Severity::High], second(39));
    assert_eq!(standing.images[&Verdict::Quarantine], 1);
    assert_eq!(standing.open[&crate::finding::Severity::High], 435);
    let worst: Vec<u64> = standing.worst.iter().map(|worst| worst.row.open.values().sum()).collect();
    assert_eq!(worst, [3, 29, 28, 27, 26, 25, 24, 23, 22, 21]);
}

#[test]
fn a_walk_has_three_stages_and_is_due_once_a_day() {
    let walk = Walk { token: Some("7".to_owned()), ..Walk::new(second(0)) };
    let covered = walk.next_stage().unwrap();
    assert_eq!((covered.stage, covered.token.clone(), covered.since), (Stage::Covered, None, second(0)));
    let registry = covered.next_stage().unwrap();
    assert_eq!((registry.stage, registry.next_stage()), (Stage::Registry, None));
    assert!(Walk::is_due(None, second(0)));
    assert!(!Walk::is_due(Some(second(0)), second(86_399)));
    assert!(Walk::is_due(Some(second(0)), second(86_400)));
}

/// A row that a new policy judged.
fn moved(from: Verdict, to: Verdict, by: &Fingerprint) -> StatusRow {
    let occasion = crate::assessment::Occasion::PolicyChanged { policy: by.clone(), deployed_by: None };
    StatusRow {
        verdict: to,
        previous: from,
        occasion: Some(occasion),
        since: Some(second(6)),
        ..StatusRow::default()
    }
}

fn numbered(number: u64) -> ImageId {
    let digest: Digest = format!("sha256:{number:064x}").try_into().unwrap();
    ImageId { digest, ..image() }
}

#[test]
fn a_new_policy_is_told_with_what_it_changed_and_the_worst_first() {
    use crate::notice::{About, VerdictChange};
    let (old, new) = (fingerprint("a"), fingerprint("b"));
    let (clear, bad) = (Verdict::Clear, Verdict::Quarantine);
    let rows = [
        (numbered(1), moved(bad, clear, &new)),
        (numbered(2), moved(clear, bad, &new)),
        (numbered(3), StatusRow { since: Some(second(4)), ..moved(clear, bad, &old) }),
        (numbered(4), moved(clear, clear, &new)),
        (numbered(5), StatusRow { verdict: bad, ..StatusRow::default() }),
    ];
    let notice = policy_changed((Some(&old), &new), second(5), &rows, Some("Mary"), second(9)).unwrap();
    let again = policy_changed((Some(&old), &new), second(5), &[], None, second(99)).unwrap();
    assert_eq!(notice.id, again.id, "told once");
    assert_eq!(policy_changed((None, &new), second(5), &[], None, second(9)), None, "a first deployment");
    assert!(policy_changed((None, &new), second(5), &rows, None, second(9)).is_some(), "an upgrade");
    let About::PolicyChanged(told) = notice.about else { panic!("{notice:?}") };
    assert_eq!((told.judged, told.deployed_by.as_deref()), (5, Some("Mary")));
    let change = |from, to, images| VerdictChange { from, to, images };
    assert_eq!(told.changes, [change(clear, bad, 1), change(bad, clear, 1)]);
    let named: Vec<&ImageId> = told.changed.named.iter().map(|one| &one.image.image).collect();
    assert_eq!(named, [&numbered(2), &numbered(1)]);
}

#[test]
fn what_a_policy_changed_that_another_replaced_is_told_with_that() {
    let (replaced, last) = (fingerprint("b"), fingerprint("c"));
    let rows = [(numbered(1), moved(Verdict::Clear, Verdict::Quarantine, &replaced))];
    let notice = policy_changed((None, &last), second(5), &rows, None, second(9)).unwrap();
    let crate::notice::About::PolicyChanged(told) = notice.about else { panic!("{notice:?}") };
    assert_eq!(told.changed.count(), 1);
}

#[test]
fn an_adoption_is_told_with_what_was_there_before_and_nothing_else() {
    use crate::notice::About;
    let rows = [
        (
            numbered(1),
            StatusRow {
                adopted_at: Some(second(1)),
                verdict: Verdict::Quarantine,
                exempt: true,
                ..StatusRow::default()
            },
        ),
        (
            numbered(2),
            StatusRow { adopted_at: Some(second(1)), unread: Some("why".to_owned()), ..StatusRow::default() },
        ),
        (numbered(3), StatusRow { verdict: Verdict::Quarantine, ..StatusRow::default() }),
        // Of an earlier adoption.
        (numbered(4), StatusRow { adopted_at: Some(second(0)), ..StatusRow::default() }),
    ];
    let adoption = Adoption { since: Some(second(1)), from: Some(second(1)), sent: 7, ..Adoption::default() };
    let policy = policy("rules: [{ id: any, match: { severity: [LOW] }, then: [alert] }]");
    let About::Adopted(told) = adopted(&adoption, &rows, &policy, second(9)).unwrap().about else { panic!() };
    assert_eq!((told.images, told.roots, told.would_quarantine), (7, 2, 1));
    assert_eq!(told.worst.iter().map(|one| &one.image.image).collect::<Vec<_>>(), [&numbered(1)]);
    assert_eq!(told.unreadable.named[0].because, "why");
    assert_eq!(adopted(&Adoption::default(), &rows, &policy, second(9)), None);
}

#[test]
fn an_adoption_is_told_when_all_is_judged_and_after_a_day_whatever_is_not() {
    const DAY: i64 = 86_400;
    let sent = Adoption { since: Some(second(0)), all_sent_at: Some(second(0)), ..Adoption::default() };
    for (adoption, waiting, now, expected) in [
        (Adoption { all_sent_at: None, ..sent.clone() }, 0, 2 * DAY, ToBeTold::No),
        (sent.clone(), 0, 599, ToBeTold::No),
        (sent.clone(), 20, 600, ToBeTold::IfSomebodyReadsIt),
        (sent.clone(), 21, 600, ToBeTold::No),
        (sent.clone(), 21, DAY, ToBeTold::Yes),
        (Adoption::told(second(DAY)), 0, 2 * DAY, ToBeTold::No),
    ] {
        assert_eq!(adoption.is_to_be_told(waiting, second(now)), expected, "{waiting} {now}");
    }
}

/// Rows in which a waiver excuses so many findings, and a rule matches.
fn excused(policy: &crate::policy::Policy, findings: u64) -> Vec<(ImageId, StatusRow)> {
    let mut row = StatusRow { rules: ["any".to_owned()].into(), ..StatusRow::default() };
    if findings > 0 {
        row.waivers = [(policy.waivers[0].key(), findings)].into();
    }
    vec![(image(), row)]
}

fn with_waiver() -> crate::policy::Policy {
    policy(
        "
rules: [{ id: any, match: { severity: [LOW] }, then: [alert] }, { id: idle, match: { severity: [HIGH] }, then: [alert] }]
waivers: [{ vulnerability: CVE-1, reason: not reachable, owner: shop, expires: 2031-01-20 }]
",
    )
}

/// What is told over the days, an hour apart from each other, by kind.
fn told(days: std::ops::Range<i64>, rows: impl Fn(i64) -> u64) -> Vec<(i64, String)> {
    told_of(days, rows, |_| true)
}

/// The same, where on some days the rows are not those of all images.
fn told_of(
    days: std::ops::Range<i64>,
    rows: impl Fn(i64) -> u64,
    are_all: impl Fn(i64) -> bool,
) -> Vec<(i64, String)> {
    let policy = with_waiver();
    let mut reminders = Reminders::default();
    let mut told = Vec::new();
    for hour in days.start * 24..days.end * 24 {
        let day = hour / 24;
        let excused = excused(&policy, rows(day));
        let (next, notices) = reminders.look(&policy, &excused, are_all(day), second(hour * 3_600));
        reminders = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
        told.extend(
            notices.into_iter().map(|notice| (hour / 24, notice.id.split('#').next().unwrap().to_owned())),
        );
    }
    told
}

#[test]
fn a_waiver_is_told_before_its_end_and_at_its_end_each_once() {
    // It holds on 20 January; second 0 is 1 January.
    let told = told(0..40, |_| 3);
    assert_eq!(told, [(13, "waivers-ending".to_owned()), (20, "waivers-ended".to_owned())]);
}

#[test]
fn a_waiver_that_excuses_nothing_for_a_week_is_told_once() {
    let told = told(0..12, |day| u64::from(day < 2));
    assert_eq!(told, [(8, "waivers-unused".to_owned())]);
}

#[test]
fn nothing_is_said_to_be_of_no_use_while_a_row_cannot_be_read() {
    assert_eq!(told_of(30..150, |_| 0, |day| day >= 125), [(125, "rules-idle".to_owned())]);
    assert_eq!(told_of(0..12, |day| u64::from(day < 2), |day| day < 2), []);
    let all = told_of(0..40, |_| 0, |_| false);
    assert_eq!(all, [(13, "waivers-ending".to_owned()), (20, "waivers-ended".to_owned())]);
}

#[test]
fn a_waiver_that_had_ended_before_is_nobodys_news() {
    assert_eq!(told(30..40, |_| 0), []);
}

#[test]
fn a_rule_that_matches_nothing_for_ninety_days_is_told_once() {
    let told = told(30..150, |_| 0);
    assert_eq!(told, [(120, "rules-idle".to_owned())]);
}

#[test]
fn the_end_of_waivers_tells_what_they_excused_and_what_came_under_quarantine_that_day() {
    use crate::notice::About;
    const MIDNIGHT: i64 = 20 * 86_400;
    let policy = with_waiver();
    let excusing = |number, findings| {
        let waivers = [(policy.waivers[0].key(), findings)].into();
        (numbered(number), StatusRow { waivers, ..StatusRow::default() })
    };
    let row = |number, verdict, since: i64| {
        (numbered(number), StatusRow { verdict, since: Some(second(since)), ..StatusRow::default() })
    };
    let before = [excusing(1, 3), excusing(2, 4)];
    let (reminders, notices) = Reminders::default().look(&policy, &before, true, second(MIDNIGHT - 3_600));
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    let About::WaiversEnding(told) = &notice.about else { panic!("{notice:?}") };
    assert_eq!((told.owner.as_str(), told.waivers.named[0].images), ("shop", 2));

    let after = [
        row(1, Verdict::Quarantine, MIDNIGHT + 100),
        row(2, Verdict::Quarantine, MIDNIGHT - 1),
        row(3, Verdict::Clear, MIDNIGHT + 100),
        row(4, Verdict::Quarantine, MIDNIGHT),
    ];
    let (_, notices) = reminders.look(&policy, &after, true, second(MIDNIGHT));
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    let About::WaiversEnded(told) = &notice.about else { panic!("{notice:?}") };
    assert_eq!((told.images, told.findings, told.waivers.named[0].images), (2, 7, 2));
    let quarantined: Vec<&ImageId> = told.quarantined.named.iter().map(|named| &named.image).collect();
    assert_eq!(quarantined, [&numbered(1), &numbered(4)]);
}
