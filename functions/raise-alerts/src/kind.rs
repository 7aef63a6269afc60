//! What an alert of an assessment is about, and which of its reasons it tells. Pure.

use domain::assessment::{Assessment, Reason};
use domain::policy::Action;
use domain::verdict::Verdict;

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

/// Which alert an assessment is worth, if any.
pub(crate) fn kind(assessment: &Assessment) -> Option<Kind> {
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
pub(crate) fn weight<'a>(assessment: &Assessment, reason: &'a Reason) -> impl Ord + use<'a> {
    let finding = &reason.finding;
    (
        quarantines(assessment, reason),
        finding.known_exploited.is_some(),
        &finding.severity,
        finding.score,
        finding.epss,
    )
}
