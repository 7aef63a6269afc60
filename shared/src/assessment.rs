//! The assessment: the announcement "Image Assessed", and how it follows from a ledger.
//!
//! Its JSON form is documented in `docs/assessment.md`; a change of it that readers notice raises [`SCHEMA`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::Pusher;
use crate::finding::{Epss, Finding, Fix, KnownExploited, Package, Score, Severity, Source};
use crate::image::ImageId;
use crate::ledger::{Announced, Entry, Ledger, Standing};
use crate::policy::{Action, Excuse, Policy};
use crate::verdict::{Judgement, Verdict};

/// The version of the JSON form.
pub const SCHEMA: u32 = 1;
/// The `source` of our events on our bus.
pub const EVENT_SOURCE: &str = "ecr-warden";
/// Their `detail-type`.
pub const DETAIL_TYPE: &str = "Image Assessed";

/// How many bytes of reasons, and of excuses, an assessment carries. EventBridge, SQS and SNS take 256 KB at
/// the least, and the ledger keeps a copy of it beside up to 10,000 findings in 400 KB.
const REASONS_BYTES: usize = 64 * 1024;
const EXCUSES_BYTES: usize = 16 * 1024;
/// How many packages a reason names; a kernel finding can have hundreds.
const PACKAGES: usize = 5;

/// What changed about an image, and where it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The version of this form.
    pub schema: u32,
    /// The image and the version of its ledger: the same announcement has the same id, however often it comes.
    pub id: String,
    /// When it was judged.
    pub at: Timestamp,
    /// The image.
    pub image: AssessedImage,
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict that was announced before; `pending` the first time.
    pub previous: Verdict,
    /// The scan that led here, if its end was not announced before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<Scan>,
    /// The open findings by severity; waived ones are among them.
    pub open: BTreeMap<Severity, u64>,
    /// How many of the open findings are excused.
    pub waived: u64,
    /// What changed since the announcement before.
    pub changes: Changes,
    /// Why: the matched findings, changed ones first, then the worst first.
    pub reasons: Vec<Reason>,
    /// How many reasons found no room here.
    #[serde(default)]
    pub more_reasons: u64,
    /// The excused findings, the worst first.
    pub excused: Vec<Excused>,
    /// How many excused findings found no room here.
    #[serde(default)]
    pub more_excused: u64,
}

/// An image, as it is announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessedImage {
    /// Its identity.
    #[serde(flatten)]
    pub id: ImageId,
    /// The tags that are known to be on it, sorted.
    pub tags: Vec<String>,
    /// When it was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<Timestamp>,
    /// Who pushed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pusher: Option<Pusher>,
    /// Its manifest's media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Where it runs, by the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Who answers for it, by the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// The end of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// Whose.
    pub source: Source,
    /// When it ended.
    pub completed_at: Timestamp,
    /// How many milliseconds after the push that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<i64>,
}

/// What changed, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Findings that were not open before, by severity.
    pub opened: BTreeMap<Severity, u64>,
    /// Findings that are resolved: by severity, how many took how many minutes from first seen to resolved.
    pub closed: BTreeMap<Severity, BTreeMap<i64, u64>>,
    /// Open findings that were not excused before, by severity.
    pub waived: BTreeMap<Severity, u64>,
    /// How many of the reasons, in here or not, are changed.
    pub reasons: u64,
}

/// A finding and the rules that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rules that match it, in the policy's order.
    pub rules: Vec<String>,
    /// What they ask for, all in all; quarantine also where its grace has not ended.
    pub then: BTreeSet<Action>,
    /// From when on it leads to quarantine, the earliest of its rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine_from: Option<Timestamp>,
    /// What is new about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The finding.
    #[serde(flatten)]
    pub finding: AssessedFinding,
    /// The excuse that a rule overrides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Excused>,
}

/// What is new about a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// No rule matched it before.
    NewlyMatched,
    /// It came into CISA's catalogue.
    BecameKnownExploited,
    /// It is worse than it was.
    SeverityRose {
        /// How bad it was.
        from: Severity,
    },
}

/// A finding, as it is announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessedFinding {
    /// Its id; an ARN where Inspector found it.
    pub finding: String,
    /// The vulnerability.
    pub vulnerability: String,
    /// How bad it is.
    pub severity: Severity,
    /// The source's score, 0 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// EPSS, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss: Option<Epss>,
    /// Whether exploit code is known to exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploit: Option<bool>,
    /// CISA's entry, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_exploited: Option<KnownExploited>,
    /// Whether an update cures it.
    pub fix: Fix,
    /// Up to five of its packages.
    pub packages: Vec<Package>,
    /// How many packages found no room here.
    #[serde(default)]
    pub more_packages: u64,
    /// When it was first seen in this image.
    pub first_seen: Timestamp,
}

/// An open finding that is excused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excused {
    /// The vulnerability.
    pub vulnerability: String,
    /// How bad it is.
    pub severity: Severity,
    /// Why it is excused.
    pub reason: String,
    /// Who answers for that; nobody, where it is a suppression rule in Inspector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The last day on which it is excused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<jiff::civil::Date>,
}

/// Draws up what is to be announced of a judged ledger and notes it in the ledger as announced. Returns
/// whether there is anything: an unscanned image, and one about which nothing changed that was announced
/// before, gives none.
pub fn assess(ledger: &mut Ledger, judgement: &Judgement, policy: &Policy, now: Timestamp) -> bool {
    if judgement.verdict == Verdict::Pending {
        return false;
    }
    let standings = Standings::of(ledger, judgement, policy);
    let newest_scan = ledger.newest_scan();
    let scan = newest_scan.filter(|(at, _)| ledger.facts.announced_scan.is_none_or(|known| known < *at));
    let changes = standings.changes(ledger);
    if scan.is_none() && changes == Changes::default() && ledger.facts.verdict == judgement.verdict {
        return false;
    }
    let (reasons, more_reasons) = fill(standings.reasons(ledger), REASONS_BYTES);
    let (excused, more_excused) = fill(standings.excused(ledger), EXCUSES_BYTES);
    let assessment = Assessment {
        schema: SCHEMA,
        id: format!("{}#{}", ledger.image, ledger.version + 1),
        at: now,
        image: assessed_image(ledger, policy),
        verdict: judgement.verdict,
        previous: ledger.facts.verdict,
        scan: scan.map(|(completed_at, source)| Scan {
            source,
            completed_at,
            latency_ms: ledger
                .facts
                .pushed_at
                .map(|pushed| completed_at.as_millisecond() - pushed.as_millisecond()),
        }),
        open: count(ledger.findings.values().filter(|entry| Standings::is_open(ledger, entry))),
        waived: standings.excuses.len() as u64,
        changes,
        reasons,
        more_reasons,
        excused,
        more_excused,
    };
    let announced = standings.announced(ledger);
    for (entry, announced) in ledger.findings.values_mut().zip(announced) {
        entry.announced = announced;
    }
    ledger.facts.verdict = judgement.verdict;
    ledger.facts.announced_scan = newest_scan.map(|(at, _)| at);
    ledger.unpublished = Some(assessment);
    true
}

fn assessed_image(ledger: &Ledger, policy: &Policy) -> AssessedImage {
    let (environment, owner) = policy.ownership(&ledger.image.repository);
    AssessedImage {
        id: ledger.image.clone(),
        tags: ledger.tags(),
        pushed_at: ledger.facts.pushed_at,
        pusher: ledger.facts.pusher.as_ref().map(|(_, pusher)| pusher.clone()),
        media_type: ledger.facts.media_type.clone(),
        environment: environment.map(str::to_owned),
        owner: owner.map(str::to_owned),
    }
}

/// What the policy made of each finding, by id.
struct Standings {
    rules: BTreeMap<String, Rules>,
    excuses: BTreeMap<String, Words>,
}

/// What the rules that match a finding say together.
#[derive(Default)]
struct Rules {
    ids: Vec<String>,
    then: BTreeSet<Action>,
    quarantine_from: Option<Timestamp>,
    overrides: Option<Words>,
}

/// An excuse in words: the reason, the owner, the last day.
#[derive(Clone)]
struct Words(String, Option<String>, Option<jiff::civil::Date>);

impl Words {
    fn of(excuse: Excuse, policy: &Policy) -> Self {
        match excuse {
            Excuse::Waiver(place) => {
                let waiver = &policy.waivers[place];
                Self(waiver.reason.clone(), Some(waiver.owner.clone()), Some(waiver.expires))
            }
            Excuse::Suppression => Self("suppressed by a rule in Amazon Inspector".to_owned(), None, None),
        }
    }

    fn about(&self, finding: &Finding) -> Excused {
        let Self(reason, owner, expires) = self.clone();
        Excused {
            vulnerability: finding.vulnerability.clone(),
            severity: finding.severity.clone(),
            reason,
            owner,
            expires,
        }
    }
}

impl Standings {
    fn of(ledger: &Ledger, judgement: &Judgement, policy: &Policy) -> Self {
        debug_assert!(judgement.evaluation.matches.iter().all(|m| ledger.findings.contains_key(&m.finding)));
        let mut rules: BTreeMap<String, Rules> = BTreeMap::new();
        for found in &judgement.evaluation.matches {
            let together = rules.entry(found.finding.clone()).or_default();
            together.ids.push(found.rule.clone());
            together.then.extend(found.alert.then_some(Action::Alert));
            if let Some(deadline) = found.quarantine {
                together.then.insert(Action::Quarantine);
                together.quarantine_from =
                    Some(together.quarantine_from.map_or(deadline.from, |known| known.min(deadline.from)));
            }
            if let Some(excuse) = found.overrides {
                together.overrides = Some(Words::of(excuse, policy));
            }
        }
        let waived = &judgement.evaluation.waived;
        let excuses = waived.iter().map(|w| (w.finding.clone(), Words::of(w.excuse, policy))).collect();
        Self { rules, excuses }
    }

    fn is_open(ledger: &Ledger, entry: &Entry) -> bool {
        !matches!(ledger.standing(entry), Standing::Resolved(_))
    }

    fn changes(&self, ledger: &Ledger) -> Changes {
        let entries = || ledger.findings.values();
        let mut closed: BTreeMap<Severity, BTreeMap<i64, u64>> = BTreeMap::new();
        for entry in entries().filter(|entry| entry.announced.open) {
            if let Standing::Resolved(gone) = ledger.standing(entry) {
                let minutes = (gone.as_millisecond() - entry.finding.first_seen.as_millisecond()) / 60_000;
                *closed
                    .entry(entry.finding.severity.clone())
                    .or_default()
                    .entry(minutes.max(0))
                    .or_default() += 1;
            }
        }
        let newly_waived =
            |entry: &&Entry| !entry.announced.waived && self.excuses.contains_key(&entry.finding.id);
        Changes {
            opened: count(entries().filter(|entry| !entry.announced.open && Self::is_open(ledger, entry))),
            closed,
            waived: count(entries().filter(newly_waived)),
            reasons: entries().filter(|entry| self.change(ledger, entry).is_some()).count() as u64,
        }
    }

    fn change(&self, ledger: &Ledger, entry: &Entry) -> Option<Change> {
        self.rules.get(&entry.finding.id)?;
        let Announced { matched, exploited, severity, .. } = &entry.announced;
        if !matched {
            return Some(Change::NewlyMatched);
        }
        if !exploited && ledger.known_exploited(&entry.finding).is_some() {
            return Some(Change::BecameKnownExploited);
        }
        let risen = severity.clone().filter(|severity| *severity < entry.finding.severity);
        risen.map(|from| Change::SeverityRose { from })
    }

    /// The reasons, changed ones first, then by what matters most.
    fn reasons(&self, ledger: &Ledger) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self
            .rules
            .iter()
            .filter_map(|(id, rules)| {
                let entry = ledger.findings.get(id)?;
                Some(Reason {
                    rules: rules.ids.clone(),
                    then: rules.then.clone(),
                    quarantine_from: rules.quarantine_from,
                    change: self.change(ledger, entry),
                    overrides: rules.overrides.as_ref().map(|words| words.about(&entry.finding)),
                    finding: assessed_finding(&entry.finding, ledger.known_exploited(&entry.finding)),
                })
            })
            .collect();
        reasons.sort_by(|a, b| {
            weight(b)
                .cmp(&weight(a))
                .then_with(|| a.finding.vulnerability.cmp(&b.finding.vulnerability))
                .then_with(|| a.finding.finding.cmp(&b.finding.finding))
        });
        reasons
    }

    fn excused(&self, ledger: &Ledger) -> Vec<Excused> {
        let mut excused: Vec<Excused> = self
            .excuses
            .iter()
            .filter_map(|(id, words)| Some(words.about(&ledger.findings.get(id)?.finding)))
            .collect();
        excused
            .sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.vulnerability.cmp(&b.vulnerability)));
        excused
    }

    /// As what each finding is announced now, in the order of the ledger.
    fn announced(&self, ledger: &Ledger) -> Vec<Announced> {
        ledger
            .findings
            .iter()
            .map(|(id, entry)| {
                let open = Self::is_open(ledger, entry);
                Announced {
                    open,
                    waived: self.excuses.contains_key(id),
                    matched: self.rules.contains_key(id),
                    exploited: ledger.known_exploited(&entry.finding).is_some(),
                    severity: open.then(|| entry.finding.severity.clone()),
                }
            })
            .collect()
    }
}

/// What makes one reason matter more than another.
fn weight(reason: &Reason) -> impl Ord {
    (
        reason.change.is_some(),
        reason.finding.known_exploited.is_some(),
        reason.finding.severity.clone(),
        reason.then.contains(&Action::Quarantine),
        reason.finding.score,
        reason.finding.epss,
    )
}

fn assessed_finding(finding: &Finding, known_exploited: Option<KnownExploited>) -> AssessedFinding {
    AssessedFinding {
        finding: finding.id.clone(),
        vulnerability: finding.vulnerability.clone(),
        severity: finding.severity.clone(),
        score: finding.score,
        epss: finding.epss,
        exploit: finding.exploit,
        known_exploited,
        fix: finding.fix,
        packages: finding.packages.iter().take(PACKAGES).cloned().collect(),
        more_packages: finding.packages.len().saturating_sub(PACKAGES) as u64,
        first_seen: finding.first_seen,
    }
}

fn count<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeMap<Severity, u64> {
    let mut counts = BTreeMap::new();
    for entry in entries {
        *counts.entry(entry.finding.severity.clone()).or_default() += 1;
    }
    counts
}

/// Keeps the first items that fit into so many bytes of JSON, and counts the others.
fn fill<T: Serialize>(items: Vec<T>, bytes: usize) -> (Vec<T>, u64) {
    let all = items.len();
    let mut room = bytes;
    let kept: Vec<T> = items
        .into_iter()
        .map_while(|item| {
            room = room.checked_sub(serde_json::to_vec(&item).map_or(bytes, |json| json.len() + 1))?;
            Some(item)
        })
        .collect();
    let more = (all - kept.len()) as u64;
    (kept, more)
}

/// An announcement that cannot be read. No retry can help.
#[derive(Debug, thiserror::Error)]
pub enum AnnouncementError {
    /// Not the event that we announce, or not in this version's form.
    #[error("announcement cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A form that this version does not know.
    #[error("announcement has schema {0}, this program reads {SCHEMA}")]
    Schema(u32),
}

impl Assessment {
    /// Reads the EventBridge event that announces an assessment.
    pub fn from_event(json: &str) -> Result<Self, AnnouncementError> {
        #[derive(Deserialize)]
        struct Announcement<D> {
            detail: D,
        }
        #[derive(Deserialize)]
        struct Versioned {
            schema: u32,
        }
        let Announcement { detail: Versioned { schema } } = serde_json::from_str(json)?;
        if schema != SCHEMA {
            return Err(AnnouncementError::Schema(schema));
        }
        Ok(serde_json::from_str::<Announcement<Self>>(json)?.detail)
    }

    /// Whether this is the first word about the image.
    pub fn is_first(&self) -> bool {
        self.previous == Verdict::Pending
    }

    /// Whether the image came under quarantine now.
    pub fn is_quarantined(&self) -> bool {
        self.verdict == Verdict::Quarantine && self.previous != Verdict::Quarantine
    }

    /// Whether the image came out of quarantine now.
    pub fn is_released(&self) -> bool {
        self.verdict == Verdict::Clear && self.previous == Verdict::Quarantine
    }
}

#[cfg(test)]
mod tests;
