//! Which alerts a batch of assessments is worth. Pure.

use std::collections::{BTreeMap, VecDeque};

use domain::assessment::{Assessment, Reason, Worst};
use domain::finding::Severity;
use domain::image::ImageId;
use domain::verdict::Verdict;

use crate::group;
use crate::kind::{Kind, kind, told, weight};

/// Something that people need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: Kind,
    /// The assessments that it tells of; several where they have the same news.
    pub assessments: Vec<Assessment>,
}

/// The alerts of a batch, in the order in which to send them: one an image, but one for all that share their news
/// ([`group`]). Of one image the older announcement is told first, and an alert tells an image once.
pub fn alerts(batch: &[Assessment]) -> Vec<Alert> {
    let mut sorted: Vec<&Assessment> = batch.iter().collect();
    sorted.sort_by_key(|assessment| assessment.version());
    let mut by_image: BTreeMap<&ImageId, VecDeque<(&Assessment, Kind)>> = BTreeMap::new();
    // What an adoption or a new policy brings is told in one notice.
    for assessment in sorted.into_iter().filter(|assessment| assessment.occasion.is_none()) {
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
