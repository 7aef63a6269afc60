//! What only `BatchGetFindingDetails` returns: Inspector2 API reference, `FindingDetail`.

use serde_json::{Value, json};

use crate::account::time::epoch_seconds;

/// An entry in CISA's catalogue of known exploited vulnerabilities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CisaData {
    /// The action that CISA requires.
    pub action: String,
    /// Milliseconds since 1970.
    pub date_added: i64,
    /// Milliseconds since 1970.
    pub date_due: i64,
}

/// When exploits of the vulnerability were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExploitObserved {
    /// Milliseconds since 1970.
    pub first_seen: i64,
    /// Milliseconds since 1970.
    pub last_seen: i64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct FindingDetails {
    /// Overrides the entry of `seed_known_exploited`.
    pub cisa: Option<CisaData>,
    pub exploit_observed: Option<ExploitObserved>,
    /// From 0 to 1. Defaults to the finding's own score.
    pub epss_score: Option<f64>,
    pub risk_score: Option<i32>,
    /// Weaknesses, such as `CWE-79`.
    pub cwes: Vec<String>,
}

impl FindingDetails {
    pub(crate) fn view(
        &self,
        finding_arn: &str,
        finding: &Value,
        known_exploited: Option<&CisaData>,
    ) -> Value {
        let mut view = json!({"findingArn": finding_arn, "cwes": self.cwes});
        if let Some(cisa) = self.cisa.as_ref().or(known_exploited) {
            view["cisaData"] = json!({
                "action": cisa.action,
                "dateAdded": epoch_seconds(cisa.date_added),
                "dateDue": epoch_seconds(cisa.date_due),
            });
        }
        if let Some(observed) = &self.exploit_observed {
            view["exploitObserved"] = json!({
                "firstSeen": epoch_seconds(observed.first_seen),
                "lastSeen": epoch_seconds(observed.last_seen),
            });
        }
        if let Some(score) = self.risk_score {
            view["riskScore"] = json!(score);
        }
        let own_score = finding.pointer("/epss/score").and_then(Value::as_f64);
        if let Some(score) = self.epss_score.or(own_score) {
            view["epssScore"] = json!(score);
        }
        view
    }
}
