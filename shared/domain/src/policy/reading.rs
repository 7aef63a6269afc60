//! Reading `policy.yaml`, strictly: what is not understood is refused with file and line.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};
use thiserror::Error;

use super::{Action, Fingerprint, KnownSeverity, Ownership, Patterns, Policy, Rule, Unscanned, Waiver};
use crate::finding::{Epss, Score};
use crate::image::Digest;
use crate::quarantine::Mode;

/// Why a policy is refused. No retry can help.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{file}:{line}:{column}: {reason}")]
pub struct PolicyError {
    /// The file's name, as it was given.
    pub file: String,
    /// Counted from 1; 0 where the place is not known.
    pub line: u64,
    /// Counted from 1; 0 where the place is not known.
    pub column: u64,
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<Spanned<Rule>>,
    #[serde(default)]
    waivers: Vec<Spanned<WrittenWaiver>>,
    #[serde(default)]
    unscanned: Option<Spanned<Unscanned>>,
    #[serde(default)]
    repositories: Vec<Ownership>,
    #[serde(default)]
    remediate_within: Option<Spanned<BTreeMap<KnownSeverity, Spanned<u16>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWaiver {
    vulnerability: Option<String>,
    package: Option<String>,
    repositories: Option<Patterns>,
    digest: Option<Digest>,
    reason: String,
    owner: String,
    expires: Spanned<Date>,
}

impl Policy {
    /// Reads a policy that somebody is about to use: a waiver whose last day is before `today` is refused.
    pub fn read(text: &str, file: &str, today: Date) -> Result<Self, PolicyError> {
        Self::read_as_of(text, file, Some(today))
    }

    /// Reads a policy that is in use. A waiver that has expired since the deployment no longer excuses
    /// anything, but the other rules go on protecting: a policy must not stop the pipeline on a certain day.
    pub fn read_deployed(text: &str, file: &str) -> Result<Self, PolicyError> {
        Self::read_as_of(text, file, None)
    }

    fn read_as_of(text: &str, file: &str, today: Option<Date>) -> Result<Self, PolicyError> {
        let refuse = |at: Option<Location>, reason: String| PolicyError {
            file: file.to_owned(),
            line: at.map_or(0, |at| at.line()),
            column: at.map_or(0, |at| at.column()),
            reason,
        };
        let read: File =
            serde_saphyr::from_str(text).map_err(|error| refuse(error.location(), message(&error)))?;
        let mut ids = BTreeSet::new();
        for Spanned { value: rule, referenced, .. } in &read.rules {
            check_rule(rule, &mut ids).map_err(|reason| refuse(Some(*referenced), reason))?;
            if rule.condition.overdue.is_some() && read.remediate_within.is_none() {
                let reason = format!(
                    "rule `{}` has `overdue`, but nothing ever is: expected days under `remediate_within`",
                    rule.id
                );
                return Err(refuse(Some(*referenced), reason));
            }
        }
        if let Some(Spanned { value, referenced, .. }) = &read.remediate_within {
            if value.is_empty() {
                let reason =
                    "`remediate_within` is empty: expected days by severity, or leave it out".to_owned();
                return Err(refuse(Some(*referenced), reason));
            }
            if let Some(none) = value.values().find(|days| days.value == 0) {
                let reason = "0 days to fix a finding: expected at least 1".to_owned();
                return Err(refuse(Some(none.referenced), reason));
            }
        }
        for Spanned { value: waiver, referenced, .. } in &read.waivers {
            check_waiver(waiver).map_err(|reason| refuse(Some(*referenced), reason))?;
            if today.is_some_and(|today| waiver.expires.value < today) {
                let reason = format!("waiver expired on {}: remove it or renew it", waiver.expires.value);
                return Err(refuse(Some(waiver.expires.referenced), reason));
            }
        }
        if let Some(Spanned { value, referenced, .. }) = &read.unscanned
            && value.then.is_empty()
        {
            return Err(refuse(
                Some(*referenced),
                "`unscanned` has no action: expected `alert` or `quarantine` under `then`".to_owned(),
            ));
        }
        Ok(Self {
            file: Fingerprint::of(text),
            quarantines_adopted: false,
            rules: read.rules.into_iter().map(|rule| rule.value).collect(),
            waivers: read.waivers.into_iter().map(|waiver| waiver.value.into()).collect(),
            unscanned: read.unscanned.map(|unscanned| unscanned.value),
            repositories: read.repositories,
            remediate_within: read
                .remediate_within
                .into_iter()
                .flat_map(|within| within.value)
                .map(|(severity, days)| (severity.0, days.value))
                .collect(),
        })
    }
}

/// What is wrong, without the place, which is said before it.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    match error.location() {
        Some(at) => {
            let place = format!(" at line {}, column {}", at.line(), at.column());
            text.strip_suffix(&place).unwrap_or(&text).to_owned()
        }
        None => text,
    }
}

fn check_rule(rule: &Rule, ids: &mut BTreeSet<String>) -> Result<(), String> {
    if rule.id.trim().is_empty() {
        return Err("rule without an id: expected a name under `id`".to_owned());
    }
    if !ids.insert(rule.id.clone()) {
        return Err(format!("rule `{}` is defined twice", rule.id));
    }
    if rule.then.is_empty() {
        return Err(format!(
            "rule `{}` has no action: expected `alert` or `quarantine` under `then`",
            rule.id
        ));
    }
    if rule.condition.is_empty() {
        return Err(format!(
            "rule `{}` has no condition and would match everything: expected at least one under `match`",
            rule.id
        ));
    }
    let graces =
        [("grace_days", rule.grace_days), ("grace_days_in_use", rule.grace_days_in_use.unwrap_or(0))];
    for (grace, _) in graces.iter().filter(|(_, days)| *days > 0) {
        if !rule.then.contains(&Action::Quarantine) {
            return Err(format!(
                "rule `{}` has `{grace}` but never quarantines: expected `quarantine` under `then`",
                rule.id
            ));
        }
    }
    match rule.quarantine_mode {
        Some(_) if !rule.then.contains(&Action::Quarantine) => Err(format!(
            "rule `{}` has `quarantine_mode` but never quarantines: expected `quarantine` under `then`",
            rule.id
        )),
        Some(Mode::Observe) => Err(format!(
            "rule `{}` has the `quarantine_mode` `observe`, which changes nothing: expected `tag`, `untag` or `archive`",
            rule.id
        )),
        _ => Ok(()),
    }
}

fn check_waiver(waiver: &WrittenWaiver) -> Result<(), String> {
    let WrittenWaiver { vulnerability, package, repositories, digest, .. } = waiver;
    if vulnerability.is_none() && package.is_none() && repositories.is_none() && digest.is_none() {
        return Err("waiver that would excuse everything: expected `vulnerability`, `package`, `repositories` or `digest`".to_owned());
    }
    if waiver.reason.trim().is_empty() || waiver.owner.trim().is_empty() {
        return Err(
            "waiver without a reason or an owner: expected text under `reason` and `owner`".to_owned()
        );
    }
    Ok(())
}

impl From<WrittenWaiver> for Waiver {
    fn from(written: WrittenWaiver) -> Self {
        Self {
            vulnerability: written.vulnerability,
            package: written.package,
            repositories: written.repositories,
            digest: written.digest,
            reason: written.reason,
            owner: written.owner,
            expires: written.expires.value,
        }
    }
}

pub(super) fn score<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Score>, D::Error> {
    Ok(within(deserializer, 10.0)?.map(Into::into))
}

pub(super) fn probability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Epss>, D::Error> {
    Ok(within(deserializer, 1.0)?.map(Into::into))
}

fn within<'de, D: Deserializer<'de>>(deserializer: D, highest: f64) -> Result<Option<f64>, D::Error> {
    let value = Option::<f64>::deserialize(deserializer)?;
    match value {
        Some(value) if !(0.0..=highest).contains(&value) => {
            Err(D::Error::custom(format!("{value} is out of range: expected 0 to {highest}")))
        }
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests;
