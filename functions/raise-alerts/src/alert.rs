//! Which alerts a batch of assessments is worth. Pure.

use std::collections::{BTreeMap, VecDeque};

use domain::assessment::{Assessment, Reason, Worst};
use domain::finding::Severity;
use domain::image::ImageId;
use domain::policy::Action;
use domain::verdict::Verdict;

use crate::group;

/// Something that people need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: Kind,
    /// The assessments that it tells of; several where they have the same news.
    pub assessments: Vec<Assessment>,
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// The alerts of a batch, in the order in which to send them: one an image, but one for all that share their news
/// ([`group`]). Of one image the older announcement is told first, and an alert tells an image once.
pub fn alerts(batch: &[Assessment]) -> Vec<Alert> {
    let mut sorted: Vec<&Assessment> = batch.iter().collect();
    sorted.sort_by_key(|assessment| assessment.version());
    let mut by_image: BTreeMap<&ImageId, VecDeque<(&Assessment, Kind)>> = BTreeMap::new();
    for assessment in sorted {
        if let Some(kind) = kind(assessment) {
            by_image.entry(&assessment.image.id).or_default().push_back((assessment, kind));
        }
    }
    let mut alerts = Vec::new();
    while !by_image.is_empty() {
        let next: Vec<(&Assessment, Kind)> = by_image.values_mut().filter_map(VecDeque::pop_front).collect();
        by_image.retain(|_, told| !told.is_empty());
        alerts.extend(group::groups(&next).into_iter().map(|group| {
            let first = group.first().map_or(Kind::Change, |(_, kind)| *kind);
            let spreads = group.len() > 1 && group.iter().any(|(_, kind)| *kind == Kind::Change);
            let assessments = group.into_iter().map(|(assessment, _)| assessment.clone()).collect();
            Alert { kind: if spreads { Kind::Spread } else { first }, assessments }
        }));
    }
    alerts
}

/// Which alert an assessment is worth, if any.
fn kind(assessment: &Assessment) -> Option<Kind> {
    if assessment.superseded {
        return None;
    }
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

pub(crate) fn changed(assessment: &Assessment) -> impl Iterator<Item = &Reason> {
    assessment.reasons.iter().filter(|reason| reason.change.is_some())
}

/// Whether a reason is what puts its image under quarantine.
fn quarantines(assessment: &Assessment, reason: &Reason) -> bool {
    assessment.is_quarantined() && reason.quarantines(assessment.at)
}

/// Which reasons an alert tells, the worst first. Of a first scan all. Later those that changed, and those that
/// quarantine if it is the verdict that changed; all if there are none of these.
pub(crate) fn told(kind: Kind, assessment: &Assessment) -> Vec<&Reason> {
    let is_news = |reason: &&Reason| reason.change.is_some() || quarantines(assessment, reason);
    let all = kind == Kind::FirstScan || !assessment.reasons.iter().any(|reason| is_news(&reason));
    let mut told: Vec<&Reason> = assessment.reasons.iter().filter(|reason| all || is_news(reason)).collect();
    told.sort_by(|a, b| weight(assessment, b).cmp(&weight(assessment, a)));
    told
}

/// What makes one reason worse than another: what quarantines comes first.
fn weight<'a>(assessment: &Assessment, reason: &'a Reason) -> impl Ord + use<'a> {
    let finding = &reason.finding;
    (
        quarantines(assessment, reason),
        finding.known_exploited.is_some(),
        &finding.severity,
        finding.score,
        finding.epss,
    )
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

    /// The worst severity of what it tells, that included for which an announcement had no room.
    pub fn severity(&self) -> Option<&Severity> {
        let unlisted = self.assessments.iter().filter_map(|assessment| {
            let Worst { all, changed, quarantining } = &assessment.worst;
            let quarantining = quarantining.as_ref().filter(|_| assessment.is_quarantined());
            let news = quarantining.max(changed.as_ref()).filter(|_| self.kind != Kind::FirstScan);
            news.or(all.as_ref())
        });
        self.reasons().map(|reason| &reason.finding.severity).chain(unlisted).max()
    }

    /// The reasons that it tells, image by image, the worst of each first.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.assessments.iter().flat_map(|assessment| told(self.kind, assessment))
    }

    /// The worst of the reasons that it tells.
    pub fn worst(&self) -> Option<&Reason> {
        let firsts = self.assessments.iter().filter_map(|assessment| {
            let first = told(self.kind, assessment).into_iter().next()?;
            Some((assessment, first))
        });
        // Of equal ones the first.
        firsts
            .reduce(|a, b| if weight(b.0, b.1) > weight(a.0, a.1) { b } else { a })
            .map(|(_, reason)| reason)
    }
}

#[cfg(test)]
mod tests;
