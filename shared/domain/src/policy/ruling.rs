//! What the policy says of one finding: which rules match it, and what excuses it. Pure.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{Action, Condition, Fingerprint, Policy, Rule, Waiver};
use crate::finding::{Epss, Finding, KnownExploited, Severity, Status};
use crate::image::{Digest, ImageId};
use crate::quarantine::Mode;

/// Below this probability of being exploited within 30 days EPSS expects no exploit: 1 %.
const UNLIKELY: Epss = Epss::from_millionths(10_000);

/// Where a finding is.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub image: &'a ImageId,
    /// The index by which people deploy the image, where it is judged as a platform of one.
    pub index: Option<&'a Digest>,
    /// How much depends on what people deploy, where that is known.
    pub criticality: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// An image that is judged by itself.
    pub fn alone(image: &'a ImageId) -> Self {
        Self { image, index: None, criticality: None }
    }
}

/// What the policy says of an open finding.
#[derive(Debug, Clone)]
pub struct Ruling<'p> {
    /// The rules that match it, in the order of the file. One that is excused is matched only by rules that override
    /// waivers.
    pub matches: Vec<Match<'p>>,
    pub excuse: Option<Excuse<'p>>,
}

/// What is known of a finding besides what its source says.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// Since when its vulnerability is known in the image.
    pub known_since: Timestamp,
    /// What CISA says of its vulnerability.
    pub known_exploited: Option<KnownExploited>,
    /// Whether Inspector hides it.
    pub suppressed: bool,
    /// Whether tasks or pods run the image; `None` where that is not known.
    pub in_use: Option<bool>,
}

/// A rule that matches a finding.
#[derive(Debug, Clone, Copy)]
pub struct Match<'p> {
    pub rule: &'p Rule,
    /// The end of the grace, where the rule quarantines.
    pub quarantine_from: Option<Timestamp>,
}

/// What excuses a finding.
#[derive(Debug, Clone, Copy)]
pub enum Excuse<'p> {
    Waiver(&'p Waiver),
    /// A suppression rule in Inspector.
    Suppression,
}

impl<'p> Ruling<'p> {
    /// What the policy says of findings that are told as one: each rule that matches any, with its earliest end of the
    /// grace. They are excused only where all of them are. `None` for none.
    pub fn all<'r>(rulings: impl Iterator<Item = &'r Self>) -> Option<Self>
    where
        'p: 'r,
    {
        rulings.cloned().reduce(|mut all, other| {
            for found in other.matches {
                match all.matches.iter_mut().find(|known| known.rule.id == found.rule.id) {
                    Some(known) => known.quarantine_from = known.quarantine_from.min(found.quarantine_from),
                    None => all.matches.push(found),
                }
            }
            all.excuse = all.excuse.and(other.excuse);
            all
        })
    }

    /// The excuse, where no rule overrides it.
    pub fn waived(&self) -> Option<Excuse<'p>> {
        self.excuse.filter(|_| self.matches.is_empty())
    }

    /// The excuse, where a rule overrides it.
    pub fn overridden(&self) -> Option<Excuse<'p>> {
        self.excuse.filter(|_| !self.matches.is_empty())
    }

    /// Whether a rule asks for this, at once or later.
    pub fn asks_for(&self, action: Action) -> bool {
        self.matches.iter().any(|found| found.rule.then.contains(&action))
    }

    /// From when on the finding leads to quarantine, the earliest of its rules.
    pub fn quarantine_from(&self) -> Option<Timestamp> {
        self.matches.iter().filter_map(|found| found.quarantine_from).min()
    }
}

impl Ruling<'_> {
    /// The strictest quarantine mode that the rules ask for whose grace has ended by then.
    pub fn quarantine_mode(&self, now: Timestamp) -> Option<Mode> {
        let quarantining =
            self.matches.iter().filter(|found| found.quarantine_from.is_some_and(|from| from <= now));
        quarantining.filter_map(|found| found.rule.quarantine_mode).max()
    }
}

impl Policy {
    /// Rules on an open finding.
    pub fn rule_on(
        &self,
        place: Place<'_>,
        finding: &Finding,
        circumstances: Circumstances,
        now: Timestamp,
    ) -> Ruling<'_> {
        let Circumstances { known_since, known_exploited, suppressed, in_use } = circumstances;
        let excuse = if suppressed {
            Some(Excuse::Suppression)
        } else {
            self.waivers.iter().find(|waiver| waiver.excuses(place, finding, now)).map(Excuse::Waiver)
        };
        let overdue = self.overdue_from(&finding.severity, known_since).is_some_and(|from| from <= now);
        let matches = self
            .rules
            .iter()
            .filter(|rule| excuse.is_none() || rule.overrides_waivers)
            .filter(|rule| rule.condition.holds(place, finding, known_exploited, in_use, overdue))
            .map(|rule| Match { rule, quarantine_from: rule.quarantine_from(known_since, in_use) })
            .collect();
        Ruling { matches, excuse }
    }

    /// From when on a finding of this severity, known since then, is past the time in which it is to be fixed; `None` for a
    /// severity that has no such time. One that is not known may be any, and counts as the worst that has one.
    pub fn overdue_from(&self, severity: &Severity, known_since: Timestamp) -> Option<Timestamp> {
        let within = &self.remediate_within;
        let days = match severity {
            Severity::Unknown(_) => within.last_key_value().map(|(_, days)| days),
            known => within.get(known),
        }?;
        Some(days_after(known_since, *days))
    }

    /// Whether any rule asks whether a finding is past the time in which it is to be fixed.
    pub fn asks_what_is_overdue(&self) -> bool {
        self.rules.iter().any(|rule| rule.condition.overdue.is_some())
    }

    /// Whether any rule asks whether an image is in use.
    pub fn asks_for_usage(&self) -> bool {
        self.rules.iter().any(|rule| rule.condition.in_use.is_some() || rule.grace_days_in_use.is_some())
    }

    /// Whether it could change the outcome to know whether a vulnerability is exploited: a rule asks for it
    /// and all that the rule asks besides holds. A vulnerability is not asked about for which Inspector knows no
    /// exploit and EPSS expects none: one that is exploited shows in either soon, and Inspector reports the
    /// finding anew when it learns of it.
    pub fn exploitation_matters(&self, image: &ImageId, finding: &Finding, now: Timestamp) -> bool {
        let unlikely = finding.exploit == Some(false) && finding.epss.is_some_and(|epss| epss < UNLIKELY);
        !unlikely
            && self.rules.iter().any(|rule| {
                rule.condition.known_exploited.is_some_and(|wanted| {
                    let supposed = wanted.then_some(KnownExploited { added: None, due: None });
                    // Whether the image is in use, and how much depends on it, may become known later.
                    let criticality = rule.condition.criticality.first().map(String::as_str);
                    let place = Place { criticality, ..Place::alone(image) };
                    // Like these, a finding that is not overdue becomes so.
                    let Condition { in_use, overdue, .. } = rule.condition;
                    rule.condition.holds(place, finding, supposed, in_use, overdue == Some(true))
                }) && (rule.overrides_waivers
                    || finding.status != Status::Suppressed
                        && !self
                            .waivers
                            .iter()
                            .any(|waiver| waiver.excuses(Place::alone(image), finding, now)))
            })
    }
}

impl Rule {
    /// The end of the grace of a vulnerability that is known since then, where the rule quarantines.
    fn quarantine_from(&self, known_since: Timestamp, in_use: Option<bool>) -> Option<Timestamp> {
        let days = self.grace_days_in_use.filter(|_| in_use == Some(true)).unwrap_or(self.grace_days);
        self.then.contains(&Action::Quarantine).then(|| days_after(known_since, days))
    }
}

/// So many times 24 hours later. An overflow is a time far beyond all others; the latest one there is serves as well.
fn days_after(time: Timestamp, days: u16) -> Timestamp {
    time.checked_add((i64::from(days) * 24).hours()).unwrap_or(Timestamp::MAX)
}

/// Whether two words are the same but for capitals.
fn alike(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
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
            in_use,
            overdue,
            criticality,
            repositories,
            vulnerabilities,
            packages,
        } = self;
        severity.is_empty()
            && criticality.is_empty()
            && severity_at_least.is_none()
            && [known_exploited, exploit_available, fix_available, in_use, overdue]
                .iter()
                .all(|flag| flag.is_none())
            && score_at_least.is_none()
            && epss_at_least.is_none()
            && [repositories, vulnerabilities, packages].iter().all(|patterns| patterns.is_none())
    }

    /// Whether all conditions hold. What the source does not say of a finding satisfies neither `true` nor a
    /// bound, except a severity that is missing or not known: it may be any, so it satisfies every condition on it.
    /// Where it is not known whether the image is in use, neither `true` nor `false` holds; where it is not known how
    /// much depends on it, no criticality does.
    fn holds(
        &self,
        Place { image, criticality, .. }: Place<'_>,
        finding: &Finding,
        known_exploited: Option<KnownExploited>,
        in_use: Option<bool>,
        overdue: bool,
    ) -> bool {
        let is = |wanted: Option<bool>, actual: bool| wanted.is_none_or(|wanted| wanted == actual);
        let matches = |patterns: &Option<super::Patterns>, name: &str| {
            patterns.as_ref().is_none_or(|patterns| patterns.matches(name))
        };
        let unknown = matches!(finding.severity, Severity::Unknown(_));
        (unknown
            || self.severity.is_empty()
            || self.severity.iter().any(|severity| severity.0 == finding.severity))
            && (self.criticality.is_empty()
                || criticality.is_some_and(|is| self.criticality.iter().any(|one| alike(one, is))))
            && self.severity_at_least.as_ref().is_none_or(|least| finding.severity >= least.0)
            && self.score_at_least.is_none_or(|least| finding.score >= Some(least))
            && self.epss_at_least.is_none_or(|least| finding.epss >= Some(least))
            && is(self.known_exploited, known_exploited.is_some())
            && is(self.exploit_available, finding.exploit == Some(true))
            && is(self.fix_available, finding.has_fix())
            && is(self.overdue, overdue)
            && (self.in_use.is_none() || self.in_use == in_use)
            && matches(&self.repositories, &image.repository)
            && matches(&self.vulnerabilities, &finding.vulnerability)
            && (self.packages.is_none()
                || finding.packages.iter().any(|package| matches(&self.packages, &package.name)))
    }
}

impl Waiver {
    /// What tells it from the others: all that it names and its last day.
    pub fn key(&self) -> String {
        let Self { vulnerability, package, repositories, digest, expires, .. } = self;
        let patterns = repositories.as_ref().map(|patterns| patterns.as_written().join(","));
        let named =
            [vulnerability.clone(), package.clone(), patterns, digest.as_ref().map(ToString::to_string)];
        let named: Vec<String> = named.into_iter().map(Option::unwrap_or_default).collect();
        Fingerprint::of(&format!("{}|{expires}", named.join("|"))).to_string()
    }

    /// The first moment at which it does not hold any more; `None` if that is beyond all dates.
    pub fn end(&self) -> Option<Timestamp> {
        let midnight = self.expires.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(midnight.timestamp())
    }

    /// Whether it holds and all that it names fits. A waiver for a package excuses a finding only if all of
    /// the finding's packages are that one.
    fn excuses(&self, Place { image, index, .. }: Place<'_>, finding: &Finding, now: Timestamp) -> bool {
        let fits = |named: &Option<String>, actual: &str| named.as_ref().is_none_or(|named| named == actual);
        now.to_zoned(TimeZone::UTC).date() <= self.expires
            && fits(&self.vulnerability, &finding.vulnerability)
            && self.repositories.as_ref().is_none_or(|patterns| patterns.matches(&image.repository))
            && self.digest.as_ref().is_none_or(|digest| *digest == image.digest || Some(digest) == index)
            && self.package.as_ref().is_none_or(|name| {
                !finding.packages.is_empty() && finding.packages.iter().all(|package| package.name == *name)
            })
    }
}

#[cfg(test)]
mod tests;
