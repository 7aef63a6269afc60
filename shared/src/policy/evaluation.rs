//! Which rule matches which finding, and which waiver excuses it. Pure.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{Condition, Policy, Rule, Waiver};
use crate::finding::{Epss, Finding, KnownExploited, Status};
use crate::image::ImageId;
use crate::ledger::{Ledger, Standing};
use crate::verdict::Action;

/// Below this probability of being exploited within 30 days EPSS expects no exploit: 1 %.
const UNLIKELY: Epss = Epss::from_millionths(10_000);

/// What the policy says of the findings of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evaluation {
    /// A rule and a finding that it matches, by rule in the order of the file, then by finding.
    pub matches: Vec<Match>,
    /// The open findings that are excused, whether or not a rule would match them.
    pub waived: Vec<WaivedFinding>,
}

/// A rule that matches a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The rule's id.
    pub rule: String,
    /// The finding's id.
    pub finding: String,
    /// Whether the rule alerts.
    pub alert: bool,
    /// Whether and from when the rule quarantines.
    pub quarantine: Option<Deadline>,
    /// The excuse that the rule overrides.
    pub overrides: Option<Excuse>,
}

/// From when on a finding leads to quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The end of the grace.
    pub from: Timestamp,
    /// Whether that has come.
    pub reached: bool,
}

/// An open finding that is excused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaivedFinding {
    /// The finding's id.
    pub finding: String,
    /// By what.
    pub excuse: Excuse,
}

/// What excuses a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excuse {
    /// The waiver at this place of the policy.
    Waiver(usize),
    /// A suppression rule in Inspector.
    Suppression,
}

impl Policy {
    /// Judges every open finding of an image.
    pub fn evaluate(&self, ledger: &Ledger, now: Timestamp) -> Evaluation {
        let mut evaluation = Evaluation::default();
        let mut overridden = std::collections::BTreeSet::new();
        let open: Vec<_> = ledger
            .findings
            .values()
            .filter_map(|entry| {
                let excuse = match ledger.standing(entry) {
                    Standing::Resolved(_) => return None,
                    Standing::Suppressed => Some(Excuse::Suppression),
                    Standing::Open => None,
                };
                let finding = &entry.finding;
                let waiver =
                    || self.waivers.iter().position(|waiver| waiver.excuses(&ledger.image, finding, now));
                Some((finding, excuse.or_else(|| waiver().map(Excuse::Waiver))))
            })
            .collect();
        for rule in &self.rules {
            for (finding, excuse) in &open {
                if (excuse.is_some() && !rule.overrides_waivers)
                    || !rule.condition.holds(&ledger.image, finding, ledger.known_exploited(finding))
                {
                    continue;
                }
                if excuse.is_some() {
                    overridden.insert(finding.id.as_str());
                }
                evaluation.matches.push(Match {
                    rule: rule.id.clone(),
                    finding: finding.id.clone(),
                    alert: rule.then.contains(&Action::Alert),
                    quarantine: rule.deadline(finding, now),
                    overrides: *excuse,
                });
            }
        }
        evaluation.waived = open
            .iter()
            .filter(|(finding, _)| !overridden.contains(finding.id.as_str()))
            .filter_map(|(finding, excuse)| {
                Some(WaivedFinding { finding: finding.id.clone(), excuse: (*excuse)? })
            })
            .collect();
        evaluation
    }

    /// Whether it could change the outcome to know whether a vulnerability is exploited: a rule asks for it
    /// and all that the rule asks besides holds. A vulnerability is not asked about for which Inspector knows no
    /// exploit and EPSS expects none: one that is exploited shows in either soon, and Inspector reports the
    /// finding anew when it learns of it.
    pub fn exploitation_matters(&self, ledger: &Ledger, finding: &Finding, now: Timestamp) -> bool {
        let unlikely = finding.exploit == Some(false) && finding.epss.is_some_and(|epss| epss < UNLIKELY);
        !unlikely
            && self.rules.iter().any(|rule| {
                rule.condition.known_exploited.is_some_and(|wanted| {
                    let supposed = wanted.then_some(KnownExploited { added: None, due: None });
                    rule.condition.holds(&ledger.image, finding, supposed)
                }) && (rule.overrides_waivers
                    || finding.status != Status::Suppressed
                        && !self.waivers.iter().any(|waiver| waiver.excuses(&ledger.image, finding, now)))
            })
    }
}

impl Rule {
    fn deadline(&self, finding: &Finding, now: Timestamp) -> Option<Deadline> {
        self.then.contains(&Action::Quarantine).then(|| {
            // An overflow is a time far beyond all others; the latest one there is serves as well.
            let from = finding
                .first_seen
                .checked_add((i64::from(self.grace_days) * 24).hours())
                .unwrap_or(Timestamp::MAX);
            Deadline { from, reached: from <= now }
        })
    }
}

impl Condition {
    /// Whether a condition was given at all.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            known_exploited,
            severity,
            severity_at_least,
            score_at_least,
            epss_at_least,
            exploit_available,
            fix_available,
            repositories,
            vulnerabilities,
            packages,
        } = self;
        severity.is_empty()
            && severity_at_least.is_none()
            && [known_exploited, exploit_available, fix_available].iter().all(|flag| flag.is_none())
            && score_at_least.is_none()
            && epss_at_least.is_none()
            && [repositories, vulnerabilities, packages].iter().all(|patterns| patterns.is_none())
    }

    /// Whether all conditions hold. What the source does not say of a finding satisfies neither `true` nor a
    /// bound, except a severity that is not known, which satisfies every lower bound.
    fn holds(&self, image: &ImageId, finding: &Finding, known_exploited: Option<KnownExploited>) -> bool {
        let is = |wanted: Option<bool>, actual: bool| wanted.is_none_or(|wanted| wanted == actual);
        let matches = |patterns: &Option<super::Patterns>, name: &str| {
            patterns.as_ref().is_none_or(|patterns| patterns.matches(name))
        };
        (self.severity.is_empty() || self.severity.iter().any(|severity| severity.0 == finding.severity))
            && self.severity_at_least.as_ref().is_none_or(|least| finding.severity >= least.0)
            && self.score_at_least.is_none_or(|least| finding.score >= Some(least))
            && self.epss_at_least.is_none_or(|least| finding.epss >= Some(least))
            && is(self.known_exploited, known_exploited.is_some())
            && is(self.exploit_available, finding.exploit == Some(true))
            && is(self.fix_available, finding.has_fix())
            && matches(&self.repositories, &image.repository)
            && matches(&self.vulnerabilities, &finding.vulnerability)
            && (self.packages.is_none()
                || finding.packages.iter().any(|package| matches(&self.packages, &package.name)))
    }
}

impl Waiver {
    /// Whether it holds and all that it names fits. A waiver for a package excuses a finding only if all of
    /// the finding's packages are that one.
    fn excuses(&self, image: &ImageId, finding: &Finding, now: Timestamp) -> bool {
        let fits = |named: &Option<String>, actual: &str| named.as_ref().is_none_or(|named| named == actual);
        now.to_zoned(TimeZone::UTC).date() <= self.expires
            && fits(&self.vulnerability, &finding.vulnerability)
            && self.repositories.as_ref().is_none_or(|patterns| patterns.matches(&image.repository))
            && self.digest.as_ref().is_none_or(|digest| *digest == image.digest)
            && self.package.as_ref().is_none_or(|name| {
                !finding.packages.is_empty() && finding.packages.iter().all(|package| package.name == *name)
            })
    }
}
