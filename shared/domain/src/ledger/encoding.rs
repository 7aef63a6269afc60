//! How findings are stored: in columns, compressed, so that 10,000 of them fit into one DynamoDB item.
//!
//! What compresses badly is stored once and bare: an Inspector finding's ARN ends in 16 random bytes and the
//! rest of it follows from the image. Texts stand once in a table. Times are stored as distances.

mod said;

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use said::Said;

use super::{AnnouncedFinding, Entry, Exploitation, Ledger};
use crate::finding::{Epss, Finding, Fix, KnownExploited, Package, Score, Severity, Source, Status};

/// Why stored findings cannot be written or read. No retry can help.
#[derive(Debug, Error)]
pub enum EncodingError {
    /// The compression or its reversal failed.
    #[error("stored findings: {0}")]
    Compression(#[from] std::io::Error),
    /// The columns do not have the form that this version writes.
    #[error("stored findings: {0}")]
    Columns(#[from] postcard::Error),
    /// The columns contradict each other.
    #[error("stored findings are damaged: {0}")]
    Damaged(&'static str),
    /// A newer version of this program wrote them.
    #[error("stored findings have format {0}, this program reads format {FORMAT}")]
    Format(u8),
}

/// Format 1 had no [`Added`].
const FORMAT: u8 = 3;
/// Measured on 10,000 synthetic findings: level 3 is within 3% of level 9's size at a fraction of its time.
const LEVEL: i32 = 3;
/// No ledger that fits into an item unpacks to more; a damaged or hostile one must not exhaust the memory.
const LARGEST_UNPACKED: usize = 64 << 20;

/// Added and due.
type Dates = (Option<i64>, Option<i64>);

/// One vector a field, all of the same length, ordered by vulnerability and id.
#[derive(Default, Serialize, Deserialize)]
struct Columns {
    texts: Vec<String>,
    random_ids: Vec<[u8; 16]>,
    /// 0 for an id in `random_ids`, else its place in `texts` plus one.
    ids: Vec<u32>,
    sources: Vec<Source>,
    /// How many places after the one of the row before.
    vulnerabilities: Vec<u32>,
    severities: Vec<u32>,
    statuses: Vec<Status>,
    /// Tenths plus one, 0 for none.
    scores: Vec<u8>,
    /// Millionths plus one, 0 for none.
    epss: Vec<u32>,
    exploits: Vec<Option<bool>>,
    fixes: Vec<Fix>,
    /// How many of `packages` belong to a finding.
    package_counts: Vec<u32>,
    /// Name, version and fixed version; the last plus one, 0 for none.
    packages: Vec<(u32, u32, u32)>,
    base: i64,
    /// After `base`.
    first_seen: Vec<i64>,
    /// After `first_seen`.
    last_seen: Vec<i64>,
    /// After `last_seen`, which it mostly equals.
    updated_at: Vec<i64>,
    listed: Vec<bool>,
    announced: Vec<u8>,
    /// The place in `texts` of the announced severity plus one, 0 for none.
    announced_severities: Vec<u32>,
    /// The vulnerability, when it was asked for, and CISA's two dates; all times in epoch milliseconds.
    exploitation: Vec<(u32, i64, Option<Dates>)>,
}

/// What format 2 has besides.
#[derive(Default, Serialize, Deserialize)]
struct Added {
    /// What the ARNs begin with that end in `random_ids`.
    arn_prefix: String,
    /// Of each closed finding: how long before its closing it was last reported open, and whether suppressed.
    last_open: Vec<Option<(i64, bool)>>,
}

/// Packs the findings of a ledger, what is known of their exploitation, and as what each was announced.
pub fn encode(ledger: &Ledger) -> Result<Vec<u8>, EncodingError> {
    let Ledger { facts, announced, .. } = ledger;
    let table = Table::of(ledger);
    let mut rows: Vec<&Entry> = facts.findings.values().collect();
    rows.sort_by(|a, b| {
        (&a.finding.vulnerability, &a.finding.id).cmp(&(&b.finding.vulnerability, &b.finding.id))
    });
    let base = rows.iter().map(|row| row.finding.first_seen.as_millisecond()).min().unwrap_or(0);
    let mut columns = Columns { base, ..Columns::default() };
    let mut added = Added { arn_prefix: table.prefix.to_owned(), last_open: Vec::new() };
    let mut vulnerability_before = 0;
    let unsaid = AnnouncedFinding::default();
    for Entry { finding, listed, last_open } in rows {
        let announced = announced.findings.get(&finding.id).unwrap_or(&unsaid);
        match table.random_id(&finding.id) {
            Some(random) => {
                columns.random_ids.push(random);
                columns.ids.push(0);
            }
            None => columns.ids.push(table.place(&finding.id) + 1),
        }
        columns.sources.push(finding.source);
        let vulnerability = table.place(&finding.vulnerability);
        columns.vulnerabilities.push(vulnerability - vulnerability_before);
        vulnerability_before = vulnerability;
        columns.severities.push(table.place(finding.severity.as_str()));
        columns.statuses.push(finding.status);
        columns.scores.push(finding.score.map_or(0, |score| score.tenths() + 1));
        columns.epss.push(finding.epss.map_or(0, |epss| epss.millionths() + 1));
        columns.exploits.push(finding.exploit);
        columns.fixes.push(finding.fix);
        columns.package_counts.push(u32::try_from(finding.packages.len()).unwrap_or(u32::MAX));
        columns.packages.extend(finding.packages.iter().map(|package| {
            let fixed_in = package.fixed_in.as_deref().map_or(0, |version| table.place(version) + 1);
            (table.place(&package.name), table.place(&package.version), fixed_in)
        }));
        let first_seen = finding.first_seen.as_millisecond();
        columns.first_seen.push(first_seen - base);
        let last_seen = finding.last_seen.as_millisecond();
        columns.last_seen.push(last_seen - first_seen);
        columns.updated_at.push(finding.updated_at.as_millisecond() - last_seen);
        columns.listed.push(*listed);
        if finding.status == Status::Closed {
            let closed = finding.updated_at.as_millisecond();
            added.last_open.push(
                last_open.map(|(at, status)| (closed - at.as_millisecond(), status == Status::Suppressed)),
            );
        }
        columns.announced.push(flags(announced));
        columns
            .announced_severities
            .push(announced.severity.as_ref().map_or(0, |severity| table.place(severity.as_str()) + 1));
    }
    let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    columns.exploitation = facts
        .exploitation
        .iter()
        .map(|(name, answer)| {
            let known = answer.known.map(|known| (millis(known.added), millis(known.due)));
            (table.place(name), answer.asked_at.as_millisecond(), known)
        })
        .collect();
    columns.texts = table.texts.into_iter().map(str::to_owned).collect();
    let mut bytes = vec![FORMAT];
    bytes.extend(compressor()?.compress(&postcard::to_stdvec(&(columns, added, Said::of(ledger)))?)?);
    Ok(bytes)
}

/// With a checksum: what was damaged must be refused, and not be read as other findings.
fn compressor() -> Result<zstd::bulk::Compressor<'static>, std::io::Error> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    Ok(compressor)
}

/// Reverses [`encode`] into a ledger that has no findings yet.
pub fn decode(bytes: &[u8], ledger: &mut Ledger) -> Result<(), EncodingError> {
    let (format, packed) = bytes.split_first().ok_or(EncodingError::Damaged("empty"))?;
    let unpacked = || zstd::bulk::decompress(packed, LARGEST_UNPACKED);
    let (columns, added, said): (Columns, Added, Said) = match *format {
        1 => {
            let arn_prefix = format_1::arn_prefix(&ledger.image);
            let added = Added { arn_prefix, last_open: Vec::new() };
            (postcard::from_bytes(&unpacked()?)?, added, Said::default())
        }
        2 => {
            let (columns, added) = postcard::from_bytes(&unpacked()?)?;
            (columns, added, Said::default())
        }
        FORMAT => postcard::from_bytes(&unpacked()?)?,
        other => return Err(EncodingError::Format(other)),
    };
    let reader = Reader { columns: &columns, prefix: &added.arn_prefix };
    let mut last_open = added.last_open.iter();
    let mut random_ids = columns.random_ids.iter();
    let mut packages = columns.packages.iter();
    let mut vulnerability = 0_u32;
    for row in 0..columns.ids.len() {
        vulnerability = vulnerability.wrapping_add(cell(&columns.vulnerabilities, row)?);
        let vulnerability = reader.text(vulnerability)?;
        let (mut entry, announced) = reader.row(row, vulnerability, &mut random_ids, &mut packages)?;
        if entry.finding.status == Status::Closed {
            let before = last_open.next().copied().flatten();
            entry.last_open = before.map(|before| opened(&entry.finding, before)).transpose()?;
        }
        if announced != AnnouncedFinding::default() {
            ledger.announced.findings.insert(entry.finding.id.clone(), announced);
        }
        ledger.facts.findings.insert(entry.finding.id.clone(), entry);
    }
    ledger.announced.findings.extend(said.read()?);
    ledger.facts.exploitation = columns
        .exploitation
        .iter()
        .map(|(name, asked_at, known)| {
            let known = known
                .map(|(added, due)| {
                    let read = |millis: Option<i64>| millis.map(time).transpose();
                    Ok::<_, EncodingError>(KnownExploited { added: read(added)?, due: read(due)? })
                })
                .transpose()?;
            Ok((reader.text(*name)?, Exploitation { asked_at: time(*asked_at)?, known }))
        })
        .collect::<Result<_, EncodingError>>()?;
    Ok(())
}

/// The distinct texts of a ledger, sorted, so that those alike stand together and compress.
struct Table<'a> {
    prefix: &'a str,
    texts: Vec<&'a str>,
    places: HashMap<&'a str, u32>,
}

impl<'a> Table<'a> {
    fn of(ledger: &'a Ledger) -> Self {
        let Ledger { facts, announced, .. } = ledger;
        let prefix = facts.findings.keys().find_map(|id| arn_prefix(id)).unwrap_or_default();
        // Most texts stand in many findings, so what is sorted is what is left of them.
        let mut texts: HashSet<&str> = facts.exploitation.keys().map(String::as_str).collect();
        texts.extend(
            announced.findings.values().filter_map(|said| said.severity.as_ref()).map(Severity::as_str),
        );
        for Entry { finding, .. } in facts.findings.values() {
            texts.insert(&finding.vulnerability);
            texts.insert(finding.severity.as_str());
            if random_digits(prefix, &finding.id).is_none() {
                texts.insert(&finding.id);
            }
            for Package { name, version, fixed_in } in &finding.packages {
                texts.extend([name.as_str(), version.as_str()]);
                texts.extend(fixed_in.as_deref());
            }
        }
        let mut texts: Vec<&str> = texts.into_iter().collect();
        texts.sort_unstable();
        let places = texts.iter().copied().zip(0..).collect();
        Self { prefix, texts, places }
    }

    fn place(&self, text: &str) -> u32 {
        // Every text of the ledger was collected above.
        self.places.get(text).copied().unwrap_or_default()
    }

    fn random_id(&self, id: &str) -> Option<[u8; 16]> {
        random_id(self.prefix, id)
    }
}

struct Reader<'a> {
    columns: &'a Columns,
    prefix: &'a str,
}

impl Reader<'_> {
    fn text(&self, place: u32) -> Result<String, EncodingError> {
        self.columns.texts.get(place as usize).cloned().ok_or(EncodingError::Damaged("a text is missing"))
    }

    fn optional_text(&self, place: u32) -> Result<Option<String>, EncodingError> {
        place.checked_sub(1).map(|place| self.text(place)).transpose()
    }

    fn row<'c>(
        &self,
        row: usize,
        vulnerability: String,
        random_ids: &mut impl Iterator<Item = &'c [u8; 16]>,
        packages: &mut impl Iterator<Item = &'c (u32, u32, u32)>,
    ) -> Result<(Entry, AnnouncedFinding), EncodingError> {
        let columns = self.columns;
        let id = if let Some(id) = self.optional_text(cell(&columns.ids, row)?)? {
            id
        } else {
            let random = random_ids.next().ok_or(EncodingError::Damaged("an id is missing"))?;
            format!("{}{:032x}", self.prefix, u128::from_be_bytes(*random))
        };
        let packages = packages
            .take(cell(&columns.package_counts, row)? as usize)
            .map(|(name, version, fixed_in)| {
                Ok(Package {
                    name: self.text(*name)?,
                    version: self.text(*version)?,
                    fixed_in: self.optional_text(*fixed_in)?,
                })
            })
            .collect::<Result<Vec<_>, EncodingError>>()?;
        let first_seen = columns.base.wrapping_add(cell(&columns.first_seen, row)?);
        let last_seen = first_seen.wrapping_add(cell(&columns.last_seen, row)?);
        let updated_at = last_seen.wrapping_add(cell(&columns.updated_at, row)?);
        let severity = self.optional_text(cell(&columns.announced_severities, row)?)?.map(Severity::from);
        let entry = Entry {
            listed: cell(&columns.listed, row)?,
            ..Entry::new(Finding {
                updated_at: time(updated_at)?,
                status: cell(&columns.statuses, row)?,
                severity: Severity::from(self.text(cell(&columns.severities, row)?)?),
                id,
                source: cell(&columns.sources, row)?,
                vulnerability,
                score: cell(&columns.scores, row)?.checked_sub(1).map(Score::from_tenths),
                epss: cell(&columns.epss, row)?.checked_sub(1).map(Epss::from_millionths),
                exploit: cell(&columns.exploits, row)?,
                fix: cell(&columns.fixes, row)?,
                packages,
                first_seen: time(first_seen)?,
                last_seen: time(last_seen)?,
            })
        };
        Ok((entry, announced(cell(&columns.announced, row)?, severity)))
    }
}

fn cell<T: Copy>(column: &[T], row: usize) -> Result<T, EncodingError> {
    column.get(row).copied().ok_or(EncodingError::Damaged("a column is too short"))
}

fn time(millis: i64) -> Result<Timestamp, EncodingError> {
    Timestamp::from_millisecond(millis).map_err(|_| EncodingError::Damaged("a time is out of range"))
}

/// When a closed finding was last reported open, and as what.
fn opened(
    finding: &Finding,
    (before, suppressed): (i64, bool),
) -> Result<(Timestamp, Status), EncodingError> {
    let at = time(finding.updated_at.as_millisecond().wrapping_sub(before))?;
    Ok((at, if suppressed { Status::Suppressed } else { Status::Active }))
}

/// What the ARN of a finding begins with, where it ends in 32 hex digits. The partition is in it.
fn arn_prefix(id: &str) -> Option<&str> {
    let (prefix, _) = id.split_at_checked(id.len().checked_sub(32)?)?;
    let fits = prefix.starts_with("arn:") && prefix.ends_with(":finding/");
    (fits && random_digits(prefix, id).is_some()).then_some(prefix)
}

/// What format 1 took for granted.
mod format_1 {
    use crate::image::ImageId;

    /// It knew three partitions.
    pub(super) fn arn_prefix(image: &ImageId) -> String {
        let partition = match image.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:inspector2:{}:{}:finding/", image.region, image.account)
    }
}

/// The random part of an ARN that is exactly the prefix and 32 lower-case hex digits.
fn random_id(prefix: &str, id: &str) -> Option<[u8; 16]> {
    u128::from_str_radix(random_digits(prefix, id)?, 16).ok().map(u128::to_be_bytes)
}

/// The 32 hex digits that follow the prefix, if nothing else does.
fn random_digits<'a>(prefix: &str, id: &'a str) -> Option<&'a str> {
    let hex = id.strip_prefix(prefix)?;
    let exact = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    exact.then_some(hex)
}

fn flags(announced: &AnnouncedFinding) -> u8 {
    let AnnouncedFinding { open, waived, alert, quarantine, exploited, severity: _ } = *announced;
    [open, waived, alert, quarantine, exploited]
        .iter()
        .rev()
        .fold(0, |bits, flag| bits << 1 | u8::from(*flag))
}

fn announced(flags: u8, severity: Option<Severity>) -> AnnouncedFinding {
    let flag = |bit: u8| flags & (1 << bit) != 0;
    AnnouncedFinding {
        open: flag(0),
        waived: flag(1),
        alert: flag(2),
        quarantine: flag(3),
        exploited: flag(4),
        severity,
    }
}

#[cfg(test)]
mod tests;
