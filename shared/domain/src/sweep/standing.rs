//! Where all images stand, by the rows of the index. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::finding::Severity;
use crate::image::ImageId;
use crate::row::StatusRow;
use crate::verdict::Verdict;

/// How many of the worst images are named.
const WORST: usize = 10;

/// Where some images stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// How many there are, by verdict.
    pub images: BTreeMap<Verdict, u64>,
    /// Their open findings, by severity.
    pub open: BTreeMap<Severity, u64>,
    /// Since when the oldest of their critical and high findings are known that nothing excuses.
    pub oldest: BTreeMap<Severity, Timestamp>,
    /// How many findings are excused.
    pub waived: u64,
    /// How many have a finding that is past the time in which it is to be fixed.
    pub overdue: u64,
    /// How many have the verdict `quarantine` and are exempt from it.
    pub exempt: u64,
    /// The worst of them.
    #[serde(skip)]
    pub worst: Vec<Worst>,
}

/// An image and why it is among the worst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worst {
    pub image: ImageId,
    pub row: StatusRow,
}

impl Standing {
    pub fn add(&mut self, image: &ImageId, row: &StatusRow, now: Timestamp) {
        *self.images.entry(row.verdict).or_default() += 1;
        for (severity, count) in &row.open {
            *self.open.entry(severity.clone()).or_default() += count;
        }
        self.waived += row.waived;
        for (severity, since) in &row.oldest {
            let oldest = self.oldest.entry(severity.clone()).or_insert(*since);
            *oldest = (*oldest).min(*since);
        }
        self.overdue += u64::from(row.remediate_by.is_some_and(|by| by <= now));
        self.exempt += u64::from(row.exempt);
        if row.verdict == Verdict::Quarantine || row.open.values().any(|count| *count > 0) {
            self.worst.push(Worst { image: image.clone(), row: row.clone() });
            self.worst.sort_by(|one, other| {
                weight(&other.row).cmp(&weight(&one.row)).then_with(|| one.image.cmp(&other.image))
            });
            self.worst.truncate(WORST);
        }
    }

    /// How many images there are.
    pub fn count(&self) -> u64 {
        self.images.values().sum()
    }
}

/// What makes one image worse than another.
fn weight(row: &StatusRow) -> impl Ord + use<> {
    let of = |severity: &Severity| row.open.get(severity).copied().unwrap_or_default();
    let (critical, high) = (of(&Severity::Critical), of(&Severity::High));
    (row.verdict == Verdict::Quarantine, critical, high, row.open.values().sum::<u64>())
}
