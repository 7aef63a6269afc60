//! What is judged: an image, or an index with the images of its platforms. Pure.

mod name;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::row::Row;
use crate::ledger::{Ledger, Standing};
use crate::policy::Ruling;

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub ledger: &'a Ledger,
    /// The images that an index contains, directly or in an index of its own; an image manifest has none.
    pub platforms: &'a [Platform],
    /// Whether these are all.
    pub is_complete: bool,
}

/// An image that an index contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Such as `linux/amd64`; the start of the digest where the index names none.
    pub name: String,
    pub ledger: Ledger,
}

/// A part of an index that has a verdict.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    pub(super) ledger: &'a Ledger,
}

/// What an index is called among its parts. No platform has spaces in its name.
const ITSELF: &str = "the index itself";

impl<'a> From<&'a Ledger> for Subject<'a> {
    /// An image manifest, or an index of whose contents nothing is known.
    fn from(ledger: &'a Ledger) -> Self {
        Self { ledger, platforms: &[], is_complete: !ledger.facts.is_index() }
    }
}

impl<'a> Subject<'a> {
    /// The ledgers that the evidence is in.
    pub(super) fn evidence(self) -> impl Iterator<Item = &'a Ledger> {
        std::iter::once(self.ledger).chain(self.platforms.iter().map(|platform| &platform.ledger))
    }

    /// What an index is judged by: its platforms, and last the index itself, if a scan of that has ended. AWS does not say
    /// whether any scanner reports under the digest of an index. That none does holds nothing back.
    pub(super) fn parts(self) -> impl Iterator<Item = Part<'a>> {
        let facts = &self.ledger.facts;
        let own =
            (facts.is_index() && facts.is_scanned()).then_some(Part { name: ITSELF, ledger: self.ledger });
        let platforms = self.platforms.iter().map(|Platform { name, ledger }| Part { name, ledger });
        platforms.chain(own)
    }
}

/// The rows of all platforms, those alike made one.
pub(super) fn merged<'a>(by_platform: BTreeMap<&'a str, Vec<Row<'a>>>) -> Vec<Row<'a>> {
    let all = by_platform.len();
    let mut alike: BTreeMap<String, Vec<(&'a str, Row<'a>)>> = BTreeMap::new();
    for (platform, rows) in by_platform {
        for row in rows {
            alike.entry(key(&row)).or_default().push((platform, row));
        }
    }
    alike.into_iter().filter_map(|(key, rows)| one(key, &rows, all)).collect()
}

/// The vulnerability and the packages that have it, which no platform and no rebuild changes.
fn key(row: &Row) -> String {
    let finding = &row.entry.finding;
    let packages: BTreeSet<&str> = finding.packages.iter().map(|package| package.name.as_str()).collect();
    let names = std::iter::once(finding.vulnerability.as_str()).chain(packages);
    names.collect::<Vec<_>>().join(SEPARATOR)
}

/// The vulnerability of a key, with each of its packages.
pub(super) fn parts(key: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let (vulnerability, packages) = match key.split_once(SEPARATOR) {
        Some((vulnerability, packages)) => (vulnerability, Some(packages)),
        None => (key, None),
    };
    let named = packages.into_iter().flat_map(|packages| packages.split(SEPARATOR).map(Some));
    let unnamed = packages.is_none().then_some(None);
    unnamed.into_iter().chain(named).map(move |package| (vulnerability, package))
}

/// In no name: text from outside has no control characters.
const SEPARATOR: &str = "\u{1f}";

/// What several platforms say of one vulnerability: it is there as long as one has it, and as bad as the worst.
fn one<'a>(key: String, rows: &[(&'a str, Row<'a>)], platforms: usize) -> Option<Row<'a>> {
    let open: BTreeSet<&str> =
        rows.iter().filter(|(_, row)| row.standing.is_open()).map(|(platform, _)| *platform).collect();
    let (_, worst) = rows.iter().max_by_key(|(_, row)| {
        let finding = &row.entry.finding;
        (row.standing.is_open(), &finding.severity, finding.score, finding.updated_at, &finding.id)
    })?;
    let standing = |row: &Row| row.standing;
    let standings = || rows.iter().map(|(_, row)| standing(row));
    let resolved = standings().filter_map(|standing| match standing {
        Standing::Resolved(at) => Some(at),
        Standing::Open | Standing::Suppressed => None,
    });
    let standing = if standings().any(|standing| standing == Standing::Open) {
        Standing::Open
    } else if standings().any(Standing::is_open) {
        Standing::Suppressed
    } else {
        Standing::Resolved(resolved.max()?)
    };
    Some(Row {
        key: Cow::Owned(key),
        entry: worst.entry,
        platforms: if open.len() < platforms { open.into_iter().collect() } else { Vec::new() },
        known_since: rows.iter().map(|(_, row)| row.known_since).min()?,
        standing,
        known_exploited: rows.iter().filter_map(|(_, row)| row.known_exploited).max(),
        ruling: Ruling::all(rows.iter().filter_map(|(_, row)| row.ruling.as_ref())),
    })
}

#[cfg(test)]
mod tests;
