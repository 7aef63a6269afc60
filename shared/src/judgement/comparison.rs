//! What the policy makes of each finding, held against what was announced of it before.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Judgement;
use crate::assessment::{AssessedFinding, Change, Changes, Excused, Reason};
use crate::finding::{Finding, KnownExploited, Severity};
use crate::ledger::{Announced, Entry, Ledger, Standing};
use crate::policy::{Excuse, Policy};
use crate::verdict::Action;

/// How many packages a reason names; a kernel finding can have hundreds.
const PACKAGES: usize = 5;

/// What the policy made of each finding, by id.
pub(super) struct Comparison {
    rules: BTreeMap<String, Rules>,
    excuses: BTreeMap<String, Words>,
}

/// What the rules that match a finding say together.
#[derive(Default)]
struct Rules {
    ids: Vec<String>,
    then: BTreeSet<Action>,
    quarantine_from: Option<Timestamp>,
    overrides: Option<Words>,
}

/// An excuse in words: the reason, the owner, the last day.
#[derive(Clone)]
struct Words(String, Option<String>, Option<jiff::civil::Date>);

impl Words {
    fn of(excuse: Excuse, policy: &Policy) -> Self {
        match excuse {
            Excuse::Waiver(place) => {
                let waiver = &policy.waivers[place];
                Self(waiver.reason.clone(), Some(waiver.owner.clone()), Some(waiver.expires))
            }
            Excuse::Suppression => Self("suppressed by a rule in Amazon Inspector".to_owned(), None, None),
        }
    }

    fn about(&self, finding: &Finding) -> Excused {
        let Self(reason, owner, expires) = self.clone();
        Excused {
            vulnerability: finding.vulnerability.clone(),
            severity: finding.severity.clone(),
            reason,
            owner,
            expires,
        }
    }
}

impl Comparison {
    pub(super) fn of(ledger: &Ledger, judgement: &Judgement, policy: &Policy) -> Self {
        debug_assert!(judgement.evaluation.matches.iter().all(|m| ledger.findings.contains_key(&m.finding)));
        let mut rules: BTreeMap<String, Rules> = BTreeMap::new();
        for found in &judgement.evaluation.matches {
            let together = rules.entry(found.finding.clone()).or_default();
            together.ids.push(found.rule.clone());
            together.then.extend(found.alert.then_some(Action::Alert));
            if let Some(deadline) = found.quarantine {
                together.then.insert(Action::Quarantine);
                together.quarantine_from =
                    Some(together.quarantine_from.map_or(deadline.from, |known| known.min(deadline.from)));
            }
            if let Some(excuse) = found.overrides {
                together.overrides = Some(Words::of(excuse, policy));
            }
        }
        let waived = &judgement.evaluation.waived;
        let excuses = waived.iter().map(|w| (w.finding.clone(), Words::of(w.excuse, policy))).collect();
        Self { rules, excuses }
    }

    /// The open findings by severity.
    pub(super) fn open(ledger: &Ledger) -> BTreeMap<Severity, u64> {
        count(ledger.findings.values().filter(|entry| Self::is_open(ledger, entry)))
    }

    /// How many of them are excused.
    pub(super) fn waived(&self) -> u64 {
        self.excuses.len() as u64
    }

    fn is_open(ledger: &Ledger, entry: &Entry) -> bool {
        !matches!(ledger.standing(entry), Standing::Resolved(_))
    }

    pub(super) fn changes(&self, ledger: &Ledger) -> Changes {
        let entries = || ledger.findings.values();
        let mut closed: BTreeMap<Severity, BTreeMap<i64, u64>> = BTreeMap::new();
        for entry in entries().filter(|entry| entry.announced.open) {
            if let Standing::Resolved(gone) = ledger.standing(entry) {
                let minutes = (gone.as_millisecond() - entry.finding.first_seen.as_millisecond()) / 60_000;
                *closed
                    .entry(entry.finding.severity.clone())
                    .or_default()
                    .entry(minutes.max(0))
                    .or_default() += 1;
            }
        }
        let newly_waived =
            |entry: &&Entry| !entry.announced.waived && self.excuses.contains_key(&entry.finding.id);
        Changes {
            opened: count(entries().filter(|entry| !entry.announced.open && Self::is_open(ledger, entry))),
            closed,
            waived: count(entries().filter(newly_waived)),
            reasons: entries().filter(|entry| self.change(ledger, entry).is_some()).count() as u64,
        }
    }

    fn change(&self, ledger: &Ledger, entry: &Entry) -> Option<Change> {
        let Rules { then, .. } = self.rules.get(&entry.finding.id)?;
        let Announced { alert, quarantine, exploited, severity, .. } = &entry.announced;
        if then.contains(&Action::Alert) && !alert || then.contains(&Action::Quarantine) && !quarantine {
            return Some(Change::NewlyMatched);
        }
        if !exploited && ledger.known_exploited(&entry.finding).is_some() {
            return Some(Change::BecameKnownExploited);
        }
        let risen = severity.clone().filter(|severity| *severity < entry.finding.severity);
        risen.map(|from| Change::SeverityRose { from })
    }

    /// The reasons, changed ones first, then by what matters most.
    pub(super) fn reasons(&self, ledger: &Ledger) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self
            .rules
            .iter()
            .filter_map(|(id, rules)| {
                let entry = ledger.findings.get(id)?;
                Some(Reason {
                    rules: rules.ids.clone(),
                    then: rules.then.clone(),
                    quarantine_from: rules.quarantine_from,
                    change: self.change(ledger, entry),
                    overrides: rules.overrides.as_ref().map(|words| words.about(&entry.finding)),
                    finding: assessed_finding(&entry.finding, ledger.known_exploited(&entry.finding)),
                })
            })
            .collect();
        reasons.sort_by(|a, b| {
            weight(b)
                .cmp(&weight(a))
                .then_with(|| a.finding.vulnerability.cmp(&b.finding.vulnerability))
                .then_with(|| a.finding.finding.cmp(&b.finding.finding))
        });
        reasons
    }

    pub(super) fn excused(&self, ledger: &Ledger) -> Vec<Excused> {
        let mut excused: Vec<Excused> = self
            .excuses
            .iter()
            .filter_map(|(id, words)| Some(words.about(&ledger.findings.get(id)?.finding)))
            .collect();
        excused
            .sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.vulnerability.cmp(&b.vulnerability)));
        excused
    }

    /// As what each finding is announced now, in the order of the ledger.
    pub(super) fn announced(&self, ledger: &Ledger) -> Vec<Announced> {
        ledger
            .findings
            .iter()
            .map(|(id, entry)| {
                let open = Self::is_open(ledger, entry);
                let asks = |action| self.rules.get(id).is_some_and(|rules| rules.then.contains(&action));
                Announced {
                    open,
                    waived: self.excuses.contains_key(id),
                    alert: asks(Action::Alert),
                    quarantine: asks(Action::Quarantine),
                    exploited: ledger.known_exploited(&entry.finding).is_some(),
                    severity: open.then(|| entry.finding.severity.clone()),
                }
            })
            .collect()
    }
}

/// What makes one reason matter more than another.
fn weight(reason: &Reason) -> impl Ord {
    (
        reason.change.is_some(),
        reason.finding.known_exploited.is_some(),
        reason.finding.severity.clone(),
        reason.then.contains(&Action::Quarantine),
        reason.finding.score,
        reason.finding.epss,
    )
}

fn assessed_finding(finding: &Finding, known_exploited: Option<KnownExploited>) -> AssessedFinding {
    AssessedFinding {
        finding: finding.id.clone(),
        vulnerability: finding.vulnerability.clone(),
        severity: finding.severity.clone(),
        score: finding.score,
        epss: finding.epss,
        exploit: finding.exploit,
        known_exploited,
        fix: finding.fix,
        packages: finding.packages.iter().take(PACKAGES).cloned().collect(),
        more_packages: finding.packages.len().saturating_sub(PACKAGES) as u64,
        first_seen: finding.first_seen,
    }
}

fn count<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeMap<Severity, u64> {
    let mut counts = BTreeMap::new();
    for entry in entries {
        *counts.entry(entry.finding.severity.clone()).or_default() += 1;
    }
    counts
}
