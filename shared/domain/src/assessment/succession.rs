//! Findings that stand for one another: an image that is deleted and pushed again has the same vulnerabilities under
//! new ids. What was said of the old ones was said of the new ones, and no vulnerability is closed by it. Pure.

use std::collections::{HashMap, HashSet};

use super::platform;
use super::row::Row;
use crate::finding::{Finding, Status};
use crate::ledger::{Announced, AnnouncedFinding};

/// What makes two findings of an image the same one: the vulnerability and a package; none where none is named.
type Key<'a> = (&'a str, Option<&'a str>);

/// The findings that are there, whatever their ids.
pub(super) struct Present<'a>(HashSet<Key<'a>>);

impl<'a> Present<'a> {
    pub(super) fn of(findings: impl Iterator<Item = &'a Finding>) -> Self {
        Self(findings.filter(|finding| finding.status != Status::Closed).flat_map(keys).collect())
    }

    /// Whether a finding that its source closed is there under other ids, all of it.
    pub(super) fn supersede(&self, finding: &'a Finding) -> bool {
        finding.status == Status::Closed && keys(finding).all(|key| self.0.contains(&key))
    }
}

/// What was announced, held against what is open now.
pub(super) struct Succession<'a> {
    before: &'a Announced,
    /// As what findings were announced that are no longer open.
    predecessors: HashMap<Key<'a>, AnnouncedFinding>,
    open: HashSet<Key<'a>>,
}

impl<'a> Succession<'a> {
    pub(super) fn of(rows: &'a [Row<'a>], before: &'a Announced) -> Self {
        let mut predecessors: HashMap<Key<'a>, AnnouncedFinding> = HashMap::new();
        let mut open = HashSet::new();
        for row in rows {
            let finding = &row.entry.finding;
            if row.standing.is_open() {
                open.extend(keys(finding));
            } else if let Some(said) = before.findings.get(&*row.key) {
                for key in keys(finding) {
                    let known = predecessors.entry(key).or_default();
                    *known = std::mem::take(known).or(said);
                }
            }
        }
        // A row of an index is known by its vulnerability and packages; where these have changed, no row has the old key.
        let known: HashSet<&str> = rows.iter().map(|row| &*row.key).collect();
        for (key, said) in before.findings.iter().filter(|(key, _)| !known.contains(key.as_str())) {
            for key in platform::parts(key) {
                let known = predecessors.entry(key).or_default();
                *known = std::mem::take(known).or(said);
            }
        }
        Self { before, predecessors, open }
    }

    /// As what a finding was announced: itself, or those in whose place it stands.
    pub(super) fn announced(&self, row: &'a Row<'a>) -> AnnouncedFinding {
        let finding = &row.entry.finding;
        match self.before.findings.get(&*row.key) {
            Some(said) => said.clone(),
            None if row.standing.is_open() => keys(finding)
                .filter_map(|key| self.predecessors.get(&key))
                .fold(AnnouncedFinding::default(), AnnouncedFinding::or),
            None => AnnouncedFinding::default(),
        }
    }

    /// Whether what a resolved finding was about is open under another id.
    pub(super) fn goes_on(&self, row: &'a Row<'a>) -> bool {
        keys(&row.entry.finding).any(|key| self.open.contains(&key))
    }
}

fn keys(finding: &Finding) -> impl Iterator<Item = Key<'_>> {
    let unnamed = finding.packages.is_empty().then_some(None);
    let named = finding.packages.iter().map(|package| Some(package.name.as_str()));
    unnamed.into_iter().chain(named).map(|package| (finding.vulnerability.as_str(), package))
}

impl AnnouncedFinding {
    /// All that was said of either.
    fn or(self, other: &Self) -> Self {
        Self {
            open: self.open || other.open,
            waived: self.waived || other.waived,
            alert: self.alert || other.alert,
            quarantine: self.quarantine || other.quarantine,
            exploited: self.exploited || other.exploited,
            severity: self.severity.max(other.severity.clone()),
        }
    }
}
