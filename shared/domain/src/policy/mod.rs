//! The policy: rules that say which findings matter and what then happens, and waivers that excuse findings.

mod fingerprint;
mod pattern;
mod reading;
mod ruling;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::finding::{Epss, Score, Severity};
use crate::image::Digest;
use crate::quarantine::Mode;
use crate::verdict::Verdict;

pub use fingerprint::Fingerprint;
pub use pattern::Patterns;
pub use reading::PolicyError;
pub use ruling::{Circumstances, Excuse, Match, Place, Ruling};

/// A policy that was read and found to make sense.
#[derive(Debug, Clone)]
pub struct Policy {
    file: Fingerprint,
    /// Whether what an image had when it was adopted quarantines it.
    pub quarantines_adopted: bool,
    /// The rules, in the order of the file; the first that matches a finding is named first.
    pub rules: Vec<Rule>,
    /// The waivers, in the order of the file; the first that fits is the one that is named.
    pub waivers: Vec<Waiver>,
    /// What happens to an image that is never scanned.
    pub unscanned: Option<Unscanned>,
    /// Who owns which repositories; the first match counts.
    pub repositories: Vec<Ownership>,
    /// Within how many days a finding of a severity is to be fixed.
    pub remediate_within: BTreeMap<Severity, u16>,
}

/// What happens to an image with a matching finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Tell people.
    Alert,
    /// Put the image under quarantine.
    Quarantine,
}

/// Which findings matter, and what then happens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in alerts, metrics and logs.
    pub id: String,
    /// All of these must hold.
    #[serde(rename = "match")]
    pub condition: Condition,
    /// What then happens.
    pub then: BTreeSet<Action>,
    /// Quarantine only a finding that has been known for so many days.
    #[serde(default)]
    pub grace_days: u16,
    /// The same in an image that is known to be in use, where that is to be another number.
    #[serde(default)]
    pub grace_days_in_use: Option<u16>,
    /// How far the quarantine goes, where it is to go further than the deployment's.
    #[serde(default)]
    pub quarantine_mode: Option<Mode>,
    /// Whether it also matches findings that a waiver or a suppression excuses.
    #[serde(default)]
    pub overrides_waivers: bool,
}

/// The conditions of a rule. An absent one always holds; at least one must be there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// In CISA's catalogue of known exploited vulnerabilities, or not.
    pub known_exploited: Option<bool>,
    /// One of these severities.
    #[serde(default)]
    pub severity: Vec<KnownSeverity>,
    /// This severity or a worse one.
    pub severity_at_least: Option<KnownSeverity>,
    /// This score or a worse one.
    #[serde(default, deserialize_with = "reading::score")]
    pub score_at_least: Option<Score>,
    /// This EPSS probability or a higher one.
    #[serde(default, deserialize_with = "reading::probability")]
    pub epss_at_least: Option<Epss>,
    /// Exploit code is known to exist, or not.
    pub exploit_available: Option<bool>,
    /// An update fixes it at least in part, or not.
    pub fix_available: Option<bool>,
    /// In an image that tasks or pods are known to run, or known not to.
    pub in_use: Option<bool>,
    /// Known for longer than `remediate_within` gives its severity, or not.
    pub overdue: Option<bool>,
    /// In an image of a repository whose tags say one of these, whether in capitals or not.
    #[serde(default)]
    pub criticality: Vec<String>,
    /// Found in one of these repositories.
    pub repositories: Option<Patterns>,
    /// One of these vulnerabilities.
    pub vulnerabilities: Option<Patterns>,
    /// In one of these packages.
    pub packages: Option<Patterns>,
}

/// A severity in a policy: one of those that AWS documents, so that a typing error is seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct KnownSeverity(pub Severity);

impl TryFrom<String> for KnownSeverity {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match Severity::from(name.as_str()) {
            Severity::Unknown(name) => {
                let known = Severity::KNOWN.map(|severity| severity.as_str().to_owned()).join(", ");
                Err(format!("unknown severity `{name}`: expected one of {known}"))
            }
            severity => Ok(Self(severity)),
        }
    }
}

/// Excuses findings, always with a reason, an owner and an end.
#[derive(Debug, Clone)]
pub struct Waiver {
    /// This vulnerability.
    pub vulnerability: Option<String>,
    /// In this package.
    pub package: Option<String>,
    /// In these repositories.
    pub repositories: Option<Patterns>,
    /// In this one image.
    pub digest: Option<Digest>,
    pub reason: String,
    /// Who is responsible for it.
    pub owner: String,
    /// The last day (UTC) on which it holds.
    pub expires: Date,
}

/// What happens to an image that nothing has scanned.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unscanned {
    /// How many minutes after its push a scan is overdue.
    pub after_minutes: u32,
    /// What then happens.
    pub then: BTreeSet<Action>,
}

/// Who owns a set of repositories.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ownership {
    /// These repositories.
    #[serde(rename = "match")]
    pub repositories: Patterns,
    /// Where they run, as `production`.
    #[serde(default)]
    pub environment: Option<String>,
    /// Who is responsible for them.
    #[serde(default)]
    pub owner: Option<String>,
}

impl Policy {
    /// Lets what images had when they were adopted quarantine them, or not. Without this it does not.
    #[must_use]
    pub fn quarantining_adopted(self, quarantines_adopted: bool) -> Self {
        Self { quarantines_adopted, ..self }
    }

    /// What tells it from other policies.
    pub fn fingerprint(&self) -> Fingerprint {
        if self.quarantines_adopted { self.file.clone().with_adopted() } else { self.file.clone() }
    }

    /// The verdict on an image of which a scan is overdue.
    pub fn verdict_on_unscanned(&self) -> Verdict {
        let quarantines =
            self.unscanned.as_ref().is_some_and(|unscanned| unscanned.then.contains(&Action::Quarantine));
        if quarantines { Verdict::Quarantine } else { Verdict::Unscannable }
    }

    /// When a scan is overdue of an image that was pushed then; `None` if the policy says nothing of that, or it is not known
    /// when the image was pushed.
    pub fn scan_due(&self, pushed_at: Option<Timestamp>) -> Option<Timestamp> {
        let after = i64::from(self.unscanned.as_ref()?.after_minutes);
        pushed_at?.checked_add(after.minutes()).ok()
    }

    /// The environment and the owner of a repository.
    pub fn ownership(&self, repository: &str) -> (Option<&str>, Option<&str>) {
        self.repositories
            .iter()
            .find(|ownership| ownership.repositories.matches(repository))
            .map_or((None, None), |found| (found.environment.as_deref(), found.owner.as_deref()))
    }
}
