//! Which alerts a batch of assessments is worth. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::assessment::{Assessment, Reason, Worst};
use domain::finding::Severity;
use domain::image::{Digest, ImageId};
use domain::policy::Action;
use domain::verdict::Verdict;

/// Something that people need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: Kind,
    /// The assessments that it tells of; one, but for vulnerabilities that hit several images, and for indexes of the same
    /// images.
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

/// The alerts of a batch, in the order in which to send them: one an image, one for all images that the same
/// vulnerabilities have hit, and one for all indexes of the same images: a rebuild of unchanged images makes another
/// index. Of one image the older announcement is told first, and an alert tells an image once.
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
        let mut spreading: BTreeMap<Vec<&str>, Vec<&Assessment>> = BTreeMap::new();
        let mut alike: BTreeMap<(Kind, Vec<&Digest>), Vec<&Assessment>> = BTreeMap::new();
        for told in by_image.values_mut() {
            while let Some((assessment, kind)) = told.pop_front() {
                if kind == Kind::Change && all_news_is_listed(assessment) {
                    spreading.entry(vulnerabilities(assessment)).or_default().push(assessment);
                    break;
                }
                if !assessment.image.platforms.is_empty() {
                    let parts = assessment.image.platforms.iter().map(|platform| &platform.digest);
                    alike.entry((kind, parts.collect())).or_default().push(assessment);
                    break;
                }
                alerts.push(Alert { kind, assessments: vec![assessment.clone()] });
            }
        }
        alerts.extend(alike.into_iter().map(|((kind, _), assessments)| Alert {
            kind,
            assessments: assessments.into_iter().cloned().collect(),
        }));
        by_image.retain(|_, told| !told.is_empty());
        for (vulnerabilities, assessments) in spreading {
            if vulnerabilities.is_empty() || assessments.len() == 1 {
                alerts.extend(
                    assessments.into_iter().map(|assessment| Alert {
                        kind: Kind::Change,
                        assessments: vec![assessment.clone()],
                    }),
                );
            } else {
                let assessments = assessments.into_iter().cloned().collect();
                alerts.push(Alert { kind: Kind::Spread, assessments });
            }
        }
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

fn changed(assessment: &Assessment) -> impl Iterator<Item = &Reason> {
    assessment.reasons.iter().filter(|reason| reason.change.is_some())
}

/// Whether a reason is what puts its image under quarantine.
fn quarantines(assessment: &Assessment, reason: &Reason) -> bool {
    assessment.is_quarantined() && reason.quarantines(assessment.at)
}

/// Which reasons an alert tells, the worst first. Of a first scan all. Later those that changed, and those that
/// quarantine if it is the verdict that changed; all if there are none of these.
fn told(kind: Kind, assessment: &Assessment) -> Vec<&Reason> {
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

fn vulnerabilities(assessment: &Assessment) -> Vec<&str> {
    let told = told(Kind::Change, assessment).into_iter();
    let names: BTreeSet<&str> = told.map(|reason| reason.finding.vulnerability.as_str()).collect();
    names.into_iter().collect()
}

/// Of what quarantines only the announcement itself knows how much there is.
fn all_news_is_listed(assessment: &Assessment) -> bool {
    assessment.more_reasons == 0
        || !assessment.is_quarantined() && changed(assessment).count() as u64 == assessment.changes.reasons
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
