//! The history of an image: every announcement about it, and every act of enforcement. Pure.
//!
//! An entry is written once and never changed. Its key follows from what happened, so that writing it twice is writing
//! it once, and keys sort by time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::assessment::{Assessment, Excused, Reason, Scan, fill};
use crate::finding::Severity;
use crate::image::ImageId;
use crate::policy::Action;
use crate::provenance::Pusher;
use crate::quarantine::{Deed, DeedKind};
use crate::verdict::Verdict;

/// For how long an entry is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);
/// How many bytes of causes an entry has, and of excuses, and of the steps of an act. DynamoDB takes 400 KB.
const CAUSES_BYTES: usize = 32 * 1024;
const EXCUSES_BYTES: usize = 16 * 1024;
const STEPS_BYTES: usize = 32 * 1024;
/// How many bytes the reason of an act has.
const WHY_BYTES: usize = 2 * 1024;

/// Something that happened to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub image: ImageId,
    pub at: Timestamp,
    /// What tells it from others of the same image and moment; the same whenever the same thing is written.
    pub id: String,
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happening {
    /// A verdict was announced.
    Assessed(Box<Announcement>),
    /// The registry was made to agree with a verdict that quarantines.
    Quarantined(Act),
    /// The registry was made to agree with a verdict that does not.
    Released(Act),
    /// It would have come under quarantine, or under a stricter one, and the hourly limit held it back.
    Held(Act),
    /// A person let it go on.
    Resumed(Act),
    /// It was deleted with its last tag, and put into the registry again.
    PutBack(Act),
    /// What a later version wrote.
    #[serde(other)]
    Unknown,
}

/// An announcement, in brief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The version of the ledger, which is also the end of the assessment's id.
    pub version: u64,
    pub verdict: Verdict,
    pub previous: Verdict,
    #[serde(default)]
    pub was_quarantined: bool,
    /// It takes back what was said before, because the image is judged as a part of an index from then on. What was open
    /// is among the closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub superseded: bool,
    /// The open findings by severity; waived ones are among them.
    pub open: BTreeMap<Severity, u64>,
    /// How many of the open findings were excused.
    pub waived: u64,
    /// What changed since the announcement before: findings opened and closed, by severity.
    #[serde(default)]
    pub opened: BTreeMap<Severity, u64>,
    #[serde(default)]
    pub closed: BTreeMap<Severity, u64>,
    /// How many of the findings that rules match had changed.
    #[serde(default)]
    pub changed_reasons: u64,
    /// What quarantines, at once or after its grace; the worst first.
    #[serde(default)]
    pub causes: Vec<Cause>,
    /// How many more there may be: findings and causes that were left out for lack of space.
    #[serde(default)]
    pub more_causes: u64,
    /// What was excused, the worst first.
    #[serde(default)]
    pub excused: Vec<Excused>,
    #[serde(default)]
    pub more_excused: u64,
    /// Up to fifty tags, sorted.
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub more_tags: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pusher: Option<Pusher>,
    /// The scan that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<Scan>,
}

/// A vulnerability that quarantines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub vulnerability: String,
    /// The worst of its findings.
    pub severity: Severity,
    /// The rules that match it.
    pub rules: Vec<String>,
    /// From when on it quarantines.
    pub from: Timestamp,
}

/// What was done to the registry, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// In the order in which it was done.
    pub done: Vec<String>,
    /// How many steps were left out for lack of space.
    #[serde(default)]
    pub more_done: u64,
    pub why: String,
}

impl Act {
    pub fn new(done: Vec<String>, why: &str) -> Self {
        let (done, more_done) = fill(done, STEPS_BYTES);
        Self { done, more_done, why: why[..why.floor_char_boundary(WHY_BYTES)].to_owned() }
    }
}

impl Entry {
    /// The entry of an announcement.
    pub fn of(assessment: &Assessment) -> Self {
        Self {
            image: assessment.image.id.clone(),
            at: assessment.at,
            // Of two announcements in one moment the later sorts after the earlier.
            id: format!("assessed-{:010}", assessment.version()),
            what: Happening::Assessed(Box::new(Announcement::of(assessment))),
        }
    }

    /// The entry of an act of enforcement. It is written before the act is done.
    pub fn of_deed(image: &ImageId, deed: &Deed) -> Self {
        let mut act = Act::new(deed.done.clone(), &deed.why);
        act.more_done += deed.more;
        let (kind, what): (_, fn(Act) -> Happening) = match deed.kind {
            DeedKind::Quarantined => ("quarantined", Happening::Quarantined),
            DeedKind::Released => ("released", Happening::Released),
            DeedKind::Held => ("held", Happening::Held),
            DeedKind::Resumed => ("resumed", Happening::Resumed),
            DeedKind::PutBack => ("put-back", Happening::PutBack),
        };
        // Two acts can fall into one moment; their numbers have the order in which they were begun.
        let id = format!("enforced-{:010}-{kind}", deed.number);
        Self { image: image.clone(), at: deed.at, id, what: what(act) }
    }

    /// The key among those of the image: `<at>#<id>`, where `at` is as long for every moment.
    pub fn key(&self) -> String {
        format!("{}#{}", Self::begin(self.at), self.id)
    }

    /// What the keys of a moment begin with; it sorts before all of them, and after those of all earlier moments.
    pub fn begin(at: Timestamp) -> String {
        format!("{at:.9}")
    }

    /// Until when it is kept.
    pub fn expires(&self) -> Timestamp {
        self.at.checked_add(KEPT).unwrap_or(Timestamp::MAX)
    }
}

impl Announcement {
    fn of(assessment: &Assessment) -> Self {
        let image = &assessment.image;
        let (causes, more_causes) = fill(causes(&assessment.reasons), CAUSES_BYTES);
        let (excused, more_excused) = fill(assessment.excused.clone(), EXCUSES_BYTES);
        let mut closed = assessment.changes.withdrawn.clone();
        for (severity, times) in &assessment.changes.closed {
            *closed.entry(severity.clone()).or_default() += times.values().sum::<u64>();
        }
        Self {
            version: assessment.version(),
            verdict: assessment.verdict,
            previous: assessment.previous,
            was_quarantined: assessment.was_quarantined,
            superseded: assessment.superseded,
            open: assessment.open.clone(),
            waived: assessment.waived,
            opened: assessment.changes.opened.clone(),
            closed,
            changed_reasons: assessment.changes.reasons,
            causes,
            more_causes: more_causes + assessment.more_reasons,
            excused,
            more_excused: more_excused + assessment.more_excused,
            tags: image.tags.clone(),
            more_tags: image.more_tags,
            owner: image.owner.clone(),
            environment: image.environment.clone(),
            criticality: image.criticality.clone(),
            pushed_at: image.pushed_at,
            pusher: image.pusher.clone(),
            scan: assessment.scan.clone(),
        }
    }
}

/// One cause for each vulnerability, however many findings it has, in the order of the reasons.
fn causes(reasons: &[Reason]) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in reasons.iter().filter(|reason| reason.then.contains(&Action::Quarantine)) {
        let Some(from) = reason.quarantine_from else { continue };
        let finding = &reason.finding;
        let place = *places.entry(&finding.vulnerability).or_insert(causes.len());
        if place == causes.len() {
            causes.push(Cause {
                vulnerability: finding.vulnerability.clone(),
                severity: finding.severity.clone(),
                rules: reason.rules.clone(),
                from,
            });
            continue;
        }
        let cause = &mut causes[place];
        cause.severity = cause.severity.clone().max(finding.severity.clone());
        cause.from = cause.from.min(from);
        let known = cause.rules.clone();
        cause.rules.extend(reason.rules.iter().filter(|rule| !known.contains(rule)).cloned());
    }
    causes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assessment::assess;
    use crate::finding::Finding;
    use crate::policy::Policy;
    use crate::samples::{finding, image, ledger, listing, policy, second, strict};

    fn assessment(findings: Vec<Finding>, policy: &Policy) -> Assessment {
        assess(&ledger([listing(10, findings)]), 7, policy, second(20)).unwrap().assessment
    }

    fn announcement(entry: Entry) -> Announcement {
        match entry.what {
            Happening::Assessed(announcement) => *announcement,
            other => panic!("{other:?}"),
        }
    }

    fn of(vulnerability: &str, id: &str) -> Finding {
        Finding { vulnerability: vulnerability.to_owned(), ..finding(id, 1) }
    }

    #[test]
    fn entry_of_an_announcement_says_what_quarantines_and_what_is_excused() {
        let policy = policy(
            "
rules:
  - { id: critical, match: { severity: [CRITICAL] }, then: [alert, quarantine] }
  - { id: named, match: { vulnerabilities: [CVE-a] }, then: [alert] }
  - { id: later, match: { severity: [HIGH] }, then: [quarantine], grace_days: 3 }
  - { id: said, match: { severity: [LOW] }, then: [alert] }
waivers: [{ vulnerability: CVE-w, reason: not reachable, owner: shop, expires: 2031-06-01 }]
repositories: [{ match: ['prod/*'], environment: production, owner: shop }]
",
        );
        let high = Finding { severity: Severity::High, ..of("CVE-h", "4") };
        let low = Finding { severity: Severity::Low, ..of("CVE-l", "5") };
        let found = vec![of("CVE-a", "1"), of("CVE-a", "2"), of("CVE-w", "3"), high, low];
        let entry = Entry::of(&assessment(found, &policy));
        assert_eq!(
            (entry.image.clone(), entry.at, entry.id.as_str()),
            (image(), second(20), "assessed-0000000007")
        );
        let said = announcement(entry);
        assert_eq!((said.verdict, said.previous, said.version), (Verdict::Quarantine, Verdict::Pending, 7));
        let causes: Vec<_> = said
            .causes
            .iter()
            .map(|cause| (cause.vulnerability.as_str(), cause.rules.join(" "), cause.from))
            .collect();
        assert_eq!(
            causes,
            [
                ("CVE-a", "critical named".to_owned(), second(0)),
                ("CVE-h", "later".to_owned(), second(3 * 86_400)),
            ]
        );
        assert_eq!(said.excused[0].vulnerability, "CVE-w");
        assert_eq!((said.open.values().sum::<u64>(), said.waived, said.more_causes), (5, 1, 0));
        assert_eq!(said.opened, said.open);
        assert_eq!((said.owner.as_deref(), said.environment.as_deref()), (Some("shop"), Some("production")));
        assert_eq!(said.scan.unwrap().completed_at, second(10));
    }

    #[test]
    fn largest_entries_stay_far_below_what_an_item_may_have() {
        let found = (0..10_000).map(|n| of(&format!("CVE-2031-{n:06}"), &n.to_string())).collect();
        let said = Entry::of(&assessment(found, &strict()));
        let json = serde_json::to_string(&said.what).unwrap();
        assert!((20_000..100_000).contains(&json.len()), "{} bytes", json.len());
        let said = announcement(said);
        assert_eq!(said.causes.len() as u64 + said.more_causes, 10_000, "what was left out is counted");

        let act = Act::new(vec!["x".repeat(100); 10_000], &"ä".repeat(10_000));
        let kept = act.done.len() as u64;
        assert_eq!((kept + act.more_done, act.why.len()), (10_000, 2_048));
        let json = serde_json::to_string(&Happening::Quarantined(act)).unwrap();
        assert!((32_000..40_000).contains(&json.len()), "{} bytes", json.len());
    }

    #[test]
    fn what_happened_is_read_back_and_what_a_later_version_wrote_is_no_error() {
        let act =
            Act::new(vec!["put the tag quarantine-ab12ab12ab12".to_owned()], "the verdict is quarantine");
        for what in [
            Entry::of(&assessment(vec![finding("a", 1)], &strict())).what,
            Happening::Quarantined(act.clone()),
            Happening::Released(act.clone()),
            Happening::Held(act.clone()),
            Happening::Resumed(act.clone()),
            Happening::PutBack(act),
        ] {
            let json = serde_json::to_string(&what).unwrap();
            assert_eq!(serde_json::from_str::<Happening>(&json).unwrap(), what);
        }
        let later = r#"{"kind":"moved_to_mars","by":"somebody"}"#;
        assert_eq!(serde_json::from_str::<Happening>(later).unwrap(), Happening::Unknown);
    }

    #[test]
    fn key_is_the_same_whenever_the_same_announcement_is_written() {
        let said = assessment(vec![finding("a", 1)], &strict());
        let entry = Entry::of(&said);
        assert_eq!(entry.key(), "2031-01-01T00:00:20.000000000Z#assessed-0000000007");
        assert_eq!(Entry::of(&said), entry);
        assert_eq!(entry.expires(), second(20) + SignedDuration::from_hours(400 * 24));
    }

    proptest! {
        #[test]
        fn keys_sort_by_time(a in 0_i128..4_000_000_000_000_000_000, b in 0_i128..4_000_000_000_000_000_000,
            ids in ("[ -~]{1,8}", "[ -~]{1,8}")) {
            let entry = |nanoseconds: i128, id: &str| Entry {
                image: image(),
                at: Timestamp::from_nanosecond(nanoseconds).unwrap(),
                id: id.to_owned(),
                what: Happening::Unknown,
            };
            let (first, second) = (entry(a, &ids.0), entry(b, &ids.1));
            prop_assume!(a != b);
            prop_assert_eq!(first.key() < second.key(), first.at < second.at);
            prop_assert_eq!(Entry::begin(first.at) < second.key(), first.at <= second.at);
            prop_assert!(Entry::begin(first.at) < first.key());
        }
    }
}
