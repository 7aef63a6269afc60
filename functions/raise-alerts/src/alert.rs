//! Which alerts a batch of assessments is worth. Pure.

use std::collections::BTreeMap;

use domain::assessment::{Assessment, Reason};
use domain::finding::Severity;
use domain::policy::Action;
use domain::verdict::Verdict;

/// Something that people need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: Kind,
    /// The assessments that it tells of; one, but for a vulnerability that hit several images.
    pub assessments: Vec<Assessment>,
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first scan of an image ended.
    FirstScan,
    /// Something that matters changed about an image.
    Change,
    /// The same vulnerabilities came to matter in several images.
    Spread,
    /// An image came out of quarantine.
    Released,
    /// An image could not be scanned.
    Unscannable,
}

/// The alerts of a batch: one an image, and one for all images that the same vulnerabilities have hit.
pub fn alerts(batch: &[Assessment]) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let mut spreading: BTreeMap<Vec<&str>, Vec<&Assessment>> = BTreeMap::new();
    for assessment in batch {
        match kind(assessment) {
            Some(Kind::Change) if all_changes_are_listed(assessment) => {
                spreading.entry(changed_vulnerabilities(assessment)).or_default().push(assessment);
            }
            Some(kind) => alerts.push(Alert { kind, assessments: vec![assessment.clone()] }),
            None => {}
        }
    }
    alerts.extend(spreading.into_iter().flat_map(|(vulnerabilities, assessments)| {
        if vulnerabilities.is_empty() || assessments.len() == 1 {
            let alone =
                |assessment: &Assessment| Alert { kind: Kind::Change, assessments: vec![assessment.clone()] };
            return assessments.into_iter().map(alone).collect();
        }
        vec![Alert { kind: Kind::Spread, assessments: assessments.into_iter().cloned().collect() }]
    }));
    alerts
}

/// Which alert an assessment is worth, if any.
fn kind(assessment: &Assessment) -> Option<Kind> {
    if assessment.is_released() {
        return Some(Kind::Released);
    }
    if assessment.verdict == Verdict::Unscannable && assessment.previous != Verdict::Unscannable {
        return Some(Kind::Unscannable);
    }
    let news =
        assessment.is_quarantined() || changed(assessment).any(|reason| reason.then.contains(&Action::Alert));
    match (news, assessment.is_first()) {
        (true, true) => Some(Kind::FirstScan),
        (true, false) => Some(Kind::Change),
        (false, _) => None,
    }
}

fn changed(assessment: &Assessment) -> impl Iterator<Item = &Reason> {
    assessment.reasons.iter().filter(|reason| reason.change.is_some())
}

fn changed_vulnerabilities(assessment: &Assessment) -> Vec<&str> {
    let mut names: Vec<&str> =
        changed(assessment).map(|reason| reason.finding.vulnerability.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn all_changes_are_listed(assessment: &Assessment) -> bool {
    changed(assessment).count() as u64 == assessment.changes.reasons
}

impl Alert {
    /// Whether the alert is about an assessment.
    pub fn tells(&self, assessment: &Assessment) -> bool {
        self.assessments.iter().any(|told| told.id == assessment.id)
    }

    /// The worst of the verdicts.
    pub fn verdict(&self) -> Verdict {
        self.assessments.iter().map(|assessment| assessment.verdict).max().unwrap_or_default()
    }

    /// The worst severity of what it tells.
    pub fn severity(&self) -> Option<&Severity> {
        self.reasons().map(|reason| &reason.finding.severity).max()
    }

    /// The reasons that it tells: of a first scan all, of a change the changed ones, or all if it is the
    /// verdict that changed.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.assessments.iter().flat_map(|assessment| {
            let all = changed(assessment).next().is_none() || self.kind == Kind::FirstScan;
            assessment.reasons.iter().filter(move |reason| all || reason.change.is_some())
        })
    }
}

#[cfg(test)]
mod tests;
