//! The memory of what was announced of an image. It is no evidence and is never merged.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::Severity;
use crate::quarantine::Mode;
use crate::verdict::Verdict;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    pub verdict: Verdict,
    /// Whether the image was announced as quarantined, and not as clear since.
    #[serde(default)]
    pub quarantined: bool,
    /// The id of the assessment that put it under quarantine, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined_by: Option<String>,
    /// The quarantine mode that rules asked for; the deployment's own may be stricter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine_mode: Option<Mode>,
    /// When the scan ended whose completion was announced last.
    #[serde(rename = "announced_scan", default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<Timestamp>,
    /// As what each finding was announced, by id. One of which nothing was said has no entry. They are stored in
    /// the columns of the findings.
    #[serde(skip)]
    pub findings: BTreeMap<String, AnnouncedFinding>,
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
