//! What format 3 has besides the columns: what was announced of an index.

use serde::{Deserialize, Serialize};

use super::{EncodingError, announced, flags};
use crate::finding::Severity;
use crate::ledger::{AnnouncedFinding, Ledger};

/// The rows that no finding of this ledger stands for: those of an index are in the ledgers of its platforms.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Said {
    keys: Vec<String>,
    flags: Vec<u8>,
    severities: Vec<Option<String>>,
}

impl Said {
    pub(super) fn of(ledger: &Ledger) -> Self {
        let mut said = Self::default();
        for (key, announced) in &ledger.announced.findings {
            if !ledger.facts.findings.contains_key(key) {
                said.keys.push(key.clone());
                said.flags.push(flags(announced));
                said.severities.push(announced.severity.as_ref().map(Severity::to_string));
            }
        }
        said
    }

    pub(super) fn read(self) -> Result<Vec<(String, AnnouncedFinding)>, EncodingError> {
        let Self { keys, flags, severities } = self;
        if keys.len() != flags.len() || keys.len() != severities.len() {
            return Err(EncodingError::Damaged("a column is too short"));
        }
        let rest = flags.into_iter().zip(severities);
        let read = |(key, (flags, severity)): (String, (u8, Option<String>))| {
            (key, announced(flags, severity.map(Severity::from)))
        };
        Ok(keys.into_iter().zip(rest).map(read).collect())
    }
}
