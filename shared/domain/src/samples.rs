//! What tests are made of: one image, findings in it, moments after a fixed one.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)] // A sample that cannot be made fails the test.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::assessment::judge;
use crate::event::FindingReport;
use crate::finding::{Finding, Fix, Severity, Source, Status};
use crate::image::ImageId;
use crate::ledger::{CoverageAnswer, Evidence, Ledger, Usage};
use crate::notice::{
    About, Adopted, AdoptedImage, ChangedImage, IdleRule, IdleRules, Listed, NamedImage, NoticedWaiver,
    OwnedWaivers, PolicyChanged, ScanningOff, Unreadable, UnscannedGroup, UnscannedImages, VerdictChange,
    WaiversEnded,
};
use crate::policy::Policy;
use crate::provenance::{Actor, Origin, Pusher};
use crate::verdict::Verdict;

pub fn image() -> ImageId {
    ImageId {
        account: "111122223333".to_owned(),
        region: "eu-west-1".to_owned(),
        repository: "prod/cart".to_owned(),
        digest: format!("sha256:{}", "ab12".repeat(16)).try_into().unwrap(),
    }
}

/// So many seconds after a fixed moment.
pub fn second(seconds: i64) -> Timestamp {
    "2031-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

/// An active, critical Inspector finding, first seen at second 0 and updated at the one given.
pub fn finding(id: &str, updated: i64) -> Finding {
    Finding {
        updated_at: second(updated),
        status: Status::Active,
        severity: Severity::Critical,
        id: id.to_owned(),
        source: Source::Inspector,
        vulnerability: format!("CVE-{id}"),
        score: None,
        epss: None,
        exploit: None,
        fix: Fix::Unknown,
        packages: Vec::new(),
        last_seen: second(updated),
        first_seen: second(0),
    }
}

pub fn closed(id: &str, updated: i64) -> Finding {
    Finding { status: Status::Closed, ..finding(id, updated) }
}

pub fn report(finding: Finding) -> Evidence {
    Evidence::Finding(Box::new(FindingReport { image: image(), finding, tags: Vec::new(), pushed_at: None }))
}

/// A complete Inspector scan that ended at a second.
pub fn listing(at: i64, findings: Vec<Finding>) -> Evidence {
    Evidence::Listing { source: Source::Inspector, at: second(at), scanned: true, findings, tags: Vec::new() }
}

pub fn coverage(at: i64, covered: bool) -> Evidence {
    let answer = CoverageAnswer { covered, reason: "MADE_UP".to_owned(), ..CoverageAnswer::not_listed() };
    Evidence::Coverage { at: second(at), answer }
}

/// Covered, with so many tasks and pods that run the image.
pub fn used(at: i64, count: Option<u64>) -> Evidence {
    let usage = Usage { count, ..Usage::default() };
    let answer = CoverageAnswer { usage, ..CoverageAnswer::read("ACTIVE", "SUCCESSFUL", None) };
    Evidence::Coverage { at: second(at), answer }
}

pub fn ledger(evidence: impl IntoIterator<Item = Evidence>) -> Ledger {
    let mut ledger = Ledger::new(image());
    for evidence in evidence {
        ledger.merge(evidence);
    }
    ledger
}

/// A policy that must be readable, on the day of [`second`] 0.
pub fn policy(yaml: &str) -> Policy {
    Policy::read(yaml, "policy.yaml", "2031-01-01".parse().unwrap()).unwrap()
}

/// A policy that quarantines what is critical.
pub fn strict() -> Policy {
    policy("rules: [{ id: critical, match: { severity: [CRITICAL] }, then: [alert, quarantine] }]")
}

pub fn verdict(ledger: &Ledger) -> Verdict {
    judge(ledger, &strict(), second(1_000_000)).verdict
}

/// An IAM user of this name, who called at second 0.
pub fn actor(name: &str) -> Actor {
    let who = Pusher { arn: format!("arn:aws:iam::111122223333:user/{name}"), provider: None, service: None };
    let from = Origin { address: Some("198.51.100.7".to_owned()), agent: Some("aws-cli/2.31.0".to_owned()) };
    Actor { who, from, at: second(0) }
}

fn named(owner: &str) -> NamedImage {
    NamedImage { tags: vec!["1.0".to_owned()], owner: Some(owner.to_owned()), ..NamedImage::bare(image()) }
}

fn waivers() -> Listed<NoticedWaiver> {
    let waiver = NoticedWaiver {
        vulnerability: Some("CVE-1".to_owned()),
        package: None,
        repositories: vec!["prod/*".to_owned()],
        digest: None,
        reason: "not reachable".to_owned(),
        expires: "2031-02-01".parse().unwrap(),
        images: 3,
    };
    Listed { named: vec![waiver], more: 2 }
}

/// One notice of each kind about many images or waivers.
pub fn about_many() -> [About; 8] {
    let open: BTreeMap<_, _> = [("CRITICAL".into(), 2_u64)].into();
    let images = Listed { named: vec![named("shop"), named("pay")], more: 4 };
    let (since, until) = (second(0), second(60));
    let owned = || OwnedWaivers { owner: "shop".to_owned(), waivers: waivers() };
    [
        About::Adopted(Adopted {
            since,
            until,
            images: 5,
            roots: 3,
            open: open.clone(),
            would_quarantine: 1,
            quarantine_adopted: false,
            worst: vec![AdoptedImage { image: named("shop"), verdict: Verdict::Quarantine, open }],
            unreadable: Listed {
                named: vec![Unreadable { image: named("pay"), because: "no answer".to_owned() }],
                more: 0,
            },
        }),
        About::PolicyChanged(PolicyChanged {
            from: None,
            to: "ab12".to_owned(),
            deployed_by: Some("Mary".to_owned()),
            since,
            until,
            judged: 9,
            changes: vec![VerdictChange { from: Verdict::Clear, to: Verdict::Quarantine, images: 2 }],
            changed: Listed {
                named: vec![ChangedImage {
                    image: named("shop"),
                    from: Verdict::Clear,
                    to: Verdict::Quarantine,
                }],
                more: 1,
            },
        }),
        About::WaiversEnding(owned()),
        About::WaiversUnused(owned()),
        About::WaiversEnded(WaiversEnded {
            owner: "shop".to_owned(),
            waivers: waivers(),
            findings: 4,
            images: 2,
            quarantined: images.clone(),
        }),
        About::Unscanned(UnscannedImages {
            after_minutes: 30,
            groups: vec![UnscannedGroup { reason: "UNSUPPORTED_OS".to_owned(), images: images.clone() }],
        }),
        About::ScanningOff(ScanningOff { reason: "SCAN_FREQUENCY_MANUAL".to_owned(), since, of: 10, images }),
        About::RuleIdle(IdleRules {
            days: 90,
            rules: Listed { named: vec![IdleRule { id: "old".to_owned(), last_matched: None }], more: 0 },
        }),
    ]
}
