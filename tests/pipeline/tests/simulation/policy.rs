//! The policies of this world: whatever is critical is quarantined, by some after a day.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use pipeline_tests::buildx::minute;

/// The vulnerability that a waiver excuses.
const WAIVED: &str = "CVE-2031-3";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Policy {
    pub waiver: Waiver,
    /// Whether what is found quarantines a day after it was first seen, and not at once.
    pub grace: bool,
    /// Whether it is told of an image that half an hour after its push no scan of it has ended.
    pub unscanned: bool,
}

/// Whether [`WAIVED`] is excused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiver {
    #[default]
    None,
    /// Until some time of the second day.
    Ends,
    Lasts,
}

/// History begins at nine in the morning, and this is the end of the second day.
fn waiver_ends() -> Timestamp {
    minute(39 * 60)
}

impl Policy {
    /// A file that has it.
    pub fn file(self) -> PathBuf {
        let text = self.text();
        let name = format!("simulation-{:?}-{}-{}.yaml", self.waiver, self.grace, self.unscanned);
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        // Another process may be reading it.
        if std::fs::read_to_string(&file).ok().as_ref() != Some(&text) {
            std::fs::write(&file, text).unwrap();
        }
        file
    }

    fn text(self) -> String {
        let grace = if self.grace { ", grace_days: 1" } else { "" };
        let rule = format!(
            "  - {{ id: critical, match: {{ severity: [CRITICAL] }}, then: [alert, quarantine]{grace} }}"
        );
        let waiver = |expires| {
            let why = "reason: nothing here reaches it, owner: team-multi";
            format!("waivers:\n  - {{ vulnerability: {WAIVED}, {why}, expires: {expires} }}\n")
        };
        let waivers = match self.waiver {
            Waiver::None => String::new(),
            Waiver::Ends => waiver("2026-03-03"),
            Waiver::Lasts => waiver("2099-12-31"),
        };
        let unscanned = if self.unscanned { "unscanned: { after_minutes: 30, then: [alert] }\n" } else { "" };
        format!("rules:\n{rule}\n{waivers}{unscanned}")
    }

    /// Whether a vulnerability that was first seen then quarantines by now.
    pub fn quarantines(self, name: &str, first_seen: Timestamp, now: Timestamp) -> bool {
        let grace_is_over = !self.grace || first_seen + SignedDuration::from_hours(24) <= now;
        grace_is_over && !self.waives(name, now)
    }

    /// When it comes to say something else of a vulnerability that was first seen then.
    pub fn dates(self, name: &str, first_seen: Timestamp) -> impl Iterator<Item = Timestamp> {
        let grace = self.grace.then(|| first_seen + SignedDuration::from_hours(24));
        let waiver = (self.waiver == Waiver::Ends && name == WAIVED).then(waiver_ends);
        grace.into_iter().chain(waiver)
    }

    /// Whether its waiver has ended in that time.
    pub fn waiver_ended(self, since: Timestamp, until: Timestamp) -> bool {
        self.waiver == Waiver::Ends && since < waiver_ends() && waiver_ends() <= until
    }

    fn waives(self, name: &str, now: Timestamp) -> bool {
        let holds = match self.waiver {
            Waiver::None => false,
            Waiver::Ends => now < waiver_ends(),
            Waiver::Lasts => true,
        };
        holds && name == WAIVED
    }

    /// Whether it never quarantines for a vulnerability.
    pub fn ignores(self, name: &str) -> bool {
        self.waiver == Waiver::Lasts && name == WAIVED
    }

    /// When a scan of an image that was pushed then is overdue.
    pub fn scan_due(self, pushed_at: Timestamp) -> Option<Timestamp> {
        self.unscanned.then(|| pushed_at + SignedDuration::from_mins(30))
    }
}
