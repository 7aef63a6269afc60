//! The memory of what was announced of an image. It is no evidence and is never merged.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::assessment::Occasion;
use crate::finding::Severity;
use crate::policy::Fingerprint;
use crate::quarantine::Mode;
use crate::verdict::Verdict;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    pub verdict: Verdict,
    /// Whether the image was announced as quarantined, and not as clear since.
    #[serde(default)]
    pub quarantined: bool,
    /// When it was last announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whether it is not held under quarantine, though that is its verdict, because all that would do that was known when
    /// it was adopted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exempt: bool,
    /// By which policy it was judged last, whether that was announced or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Fingerprint>,
    /// Why it was announced last, where there was no news of it, and the verdict before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occasion: Option<Occasion>,
    #[serde(default)]
    pub previous: Verdict,
    /// Inspector's reason why it, or a platform of it, was not scanned in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unscanned: Option<String>,
    /// Since when nothing is said of an untagged image, because it may be a part of an index that is still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// The id of the assessment that put it under quarantine, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined_by: Option<String>,
    /// The quarantine mode that rules asked for; the deployment's own may be stricter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine_mode: Option<Mode>,
    /// When the scan ended whose completion was announced last.
    #[serde(rename = "announced_scan", default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<Timestamp>,
    /// The verdicts on an index's platforms, in the order of their names; none where an earlier version announced it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<Verdict>,
    /// When the verdict became what it is; `None` where an earlier version announced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Since when the oldest of the open findings is known that nothing excuses, of the critical ones and of the high ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub oldest: BTreeMap<Severity, Timestamp>,
    /// When the first of the open findings that nothing excuses is past the time in which it is to be fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediate_by: Option<Timestamp>,
    /// How many findings each waiver excuses, by its key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waivers: BTreeMap<String, u64>,
    /// The rules that match findings.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rules: BTreeSet<String>,
    /// Who is responsible for the image, where it runs, and how much depends on it, as it was announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<String>,
    /// As what each finding was announced, by id. One of which nothing was said has no entry. They are stored in
    /// the columns of the findings.
    #[serde(skip)]
    pub findings: BTreeMap<String, AnnouncedFinding>,
}

impl Announced {
    /// The verdict that the registry has to agree with.
    pub fn enforced(&self) -> Verdict {
        if self.exempt { Verdict::Clear } else { self.verdict }
    }

    /// How many findings were announced as open, by severity; waived ones are among them.
    pub fn open(&self) -> BTreeMap<Severity, u64> {
        let mut open = BTreeMap::new();
        for finding in self.findings.values().filter(|finding| finding.open) {
            *open.entry(finding.severity.clone().unwrap_or_else(Severity::missing)).or_default() += 1;
        }
        open
    }

    /// How many of them were announced as excused.
    pub fn waived(&self) -> u64 {
        self.findings.values().filter(|finding| finding.waived).count() as u64
    }
}

/// As what a finding was announced.
// Five independent facts, of which a state machine would be a worse name.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnnouncedFinding {
    /// As open; waived ones are open too.
    pub open: bool,
    /// As excused by a waiver or a suppression.
    pub waived: bool,
    /// As matched by a rule that alerts.
    pub alert: bool,
    /// As matched by a rule that quarantines, at once or later.
    pub quarantine: bool,
    /// As known to be exploited.
    pub exploited: bool,
    pub severity: Option<Severity>,
}
