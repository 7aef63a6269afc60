//! Drawing up the announcement of a ledger: what is to be said, and what changed since it was said last. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::judge::{Judgement, judge};
use super::platform::{Part, Subject};
use super::row::Row;
use super::succession::Succession;
use super::{
    AssessedFinding, AssessedImage, AssessedPlatform, Assessment, Change, Changes, Excused, Occasion, Reason,
    SCHEMA, Scan, Worst,
};
use crate::finding::Severity;
use crate::ledger::{Announced, AnnouncedFinding, Ledger, Standing};
use crate::policy::{Action, Excuse, Policy};
use crate::verdict::Verdict;

/// How many bytes of reasons, and of excuses, an assessment carries. EventBridge, SQS and SNS take 256 KB at
/// the least, and the ledger keeps a copy of it beside up to 10,000 findings in 400 KB.
const REASONS_BYTES: usize = 64 * 1024;
const EXCUSES_BYTES: usize = 16 * 1024;
/// What is longer, in milliseconds, is no scan on push: a day.
const LONGEST_LATENCY_MS: i64 = 24 * 60 * 60 * 1000;
/// How many packages a reason names; a kernel finding can have hundreds.
const PACKAGES: usize = 5;

/// An assessment, and the memory that the ledger keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessed {
    pub assessment: Assessment,
    pub announced: Announced,
}

/// What comes of a look at an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What is to be announced; `None` where there is nothing to say: the image is gone, not scanned yet or no root, or
    /// nothing has changed that was announced before.
    pub assessed: Option<Assessed>,
    /// The earliest moment at which the clock alone could change what is said of the image.
    pub due: Option<Timestamp>,
}

/// Judges an image whose ledger is about to be stored as `version`, and draws up what is to be announced of it.
pub fn assess<'a>(
    subject: impl Into<Subject<'a>>,
    version: u64,
    policy: &Policy,
    now: Timestamp,
) -> Option<Assessed> {
    look(subject, version, None, policy, now).assessed
}

/// Judges an image as [`assess`] does, on an occasion if there is one, and says when the clock could change that.
pub fn look<'a>(
    subject: impl Into<Subject<'a>>,
    version: u64,
    occasion: Option<Occasion>,
    policy: &Policy,
    now: Timestamp,
) -> Look {
    let subject = subject.into();
    let ledger = subject.ledger;
    let before = &ledger.announced;
    if ledger.facts.is_gone() {
        return Look { assessed: None, due: None };
    }
    if !ledger.facts.is_root() {
        let is_taken_back = before.verdict != Verdict::Pending || before.quarantined;
        let assessed = is_taken_back.then(|| superseded(ledger, version, policy, now));
        return Look { assessed, due: None };
    }
    let judgement = judge(subject, policy, now);
    let due = judgement.due(subject, policy, now);
    Look { assessed: announcement(subject, judgement, version, occasion, policy, now), due }
}

/// What is to be announced of a root; `None` if there is nothing to say.
fn announcement(
    subject: Subject<'_>,
    judgement: Judgement<'_>,
    version: u64,
    occasion: Option<Occasion>,
    policy: &Policy,
    now: Timestamp,
) -> Option<Assessed> {
    let ledger = subject.ledger;
    let before = &ledger.announced;
    let Judgement { verdict, quarantine_mode, exempt, rows, platforms, .. } = judgement;
    if verdict == Verdict::Pending && before.verdict == Verdict::Pending {
        return None;
    }
    let summary = Summary::of(&rows, before, policy);
    let newest_scan = subject.evidence().filter_map(|ledger| ledger.facts.newest_scan()).max();
    let scan = newest_scan.filter(|(at, _)| before.scan.is_none_or(|known| known < *at));
    let quarantine_mode = match verdict {
        Verdict::Quarantine => quarantine_mode,
        Verdict::Clear => None,
        Verdict::Pending | Verdict::Unscannable => before.quarantine_mode,
    };
    // An image that was deleted since has lost what the quarantine did to it.
    let is_back = before.at.is_some() && ledger.facts.gone_at > before.at;
    // The last announcement is to show what is known of each platform, whichever was scanned first.
    let same_platforms = before.platforms.is_empty() || before.platforms == platforms;
    if scan.is_none()
        && !is_back
        && same_platforms
        && summary.changes == Changes::default()
        && before.verdict == verdict
        && before.quarantine_mode == quarantine_mode
        && before.exempt == exempt
    {
        return None;
    }
    let image = assessed_image(subject, &platforms, policy);
    let id = format!("{}#{version}", ledger.image);
    let unscanned = unscanned(ledger, policy);
    let announced = Announced {
        verdict,
        quarantined: match verdict {
            Verdict::Quarantine => !exempt,
            Verdict::Clear => false,
            Verdict::Pending | Verdict::Unscannable => before.quarantined,
        },
        at: Some(now),
        exempt,
        policy: Some(policy.fingerprint()),
        occasion: occasion.clone(),
        previous: before.verdict,
        unscanned: unscanned
            .clone()
            .or_else(|| image.platforms.iter().find_map(|platform| platform.unscanned.clone())),
        waiting_since: None,
        quarantined_by: match verdict {
            Verdict::Quarantine if exempt => None,
            Verdict::Quarantine => before.quarantined_by.clone().or_else(|| Some(id.clone())),
            Verdict::Clear => None,
            Verdict::Pending | Verdict::Unscannable => before.quarantined_by.clone(),
        },
        quarantine_mode,
        scan: newest_scan.map(|(at, _)| at),
        platforms,
        since: if verdict == before.verdict { before.since } else { Some(now) },
        oldest: summary.oldest,
        remediate_by: summary.remediate_by,
        waivers: waivers(&summary.waived),
        rules: summary.rules,
        owner: image.owner.clone(),
        environment: image.environment.clone(),
        criticality: image.criticality.clone(),
        findings: summary.announced.into_iter().collect(),
    };
    // What puts the image under quarantine now comes before all else that is new, so that it is not left out.
    let stood = before.quarantined || before.verdict == Verdict::Quarantine && !before.exempt;
    let quarantined = verdict == Verdict::Quarantine && !exempt && !stood;
    let reasons = reasons(summary.matched, quarantined.then_some(now));
    let worst = Worst::of(&reasons, now);
    let (reasons, more_reasons) = fill(reasons, REASONS_BYTES);
    let (excused, more_excused) = fill(excused(&summary.waived), EXCUSES_BYTES);
    let assessment = Assessment {
        schema: SCHEMA,
        id,
        at: now,
        image,
        verdict,
        previous: before.verdict,
        superseded: false,
        exempt,
        was_exempt: before.exempt,
        occasion,
        unscanned,
        was_quarantined: before.quarantined,
        quarantine_mode: if verdict == Verdict::Clear { before.quarantine_mode } else { quarantine_mode },
        scan: scan.map(|(completed_at, source)| Scan {
            source,
            completed_at,
            latency_ms: latency(ledger, completed_at),
        }),
        open: summary.open,
        waived: summary.waived.len() as u64,
        changes: summary.changes,
        reasons,
        more_reasons,
        worst,
        excused,
        more_excused,
    };
    Some(Assessed { assessment, announced })
}

/// How many findings each waiver excuses.
fn waivers(waived: &[(&Row, Excuse)]) -> BTreeMap<String, u64> {
    let mut waivers = BTreeMap::new();
    for (_, excuse) in waived {
        if let Excuse::Waiver(waiver) = excuse {
            *waivers.entry(waiver.key()).or_default() += 1;
        }
    }
    waivers
}

/// Inspector's reason why an image was not scanned in time; `None` if it was, or may still be.
fn unscanned(ledger: &Ledger, policy: &Policy) -> Option<String> {
    let facts = &ledger.facts;
    let overdue = !facts.is_index() && facts.is_overdue(policy.scan_due(facts.pushed_at));
    facts.coverage.newest().filter(|_| overdue).map(|(_, answer)| answer.reason.clone())
}

/// Takes back what was said of an image that was taken for a root: its index came later.
fn superseded(ledger: &Ledger, version: u64, policy: &Policy, now: Timestamp) -> Assessed {
    let assessment = Assessment {
        schema: SCHEMA,
        id: format!("{}#{version}", ledger.image),
        at: now,
        image: assessed_image(ledger.into(), &[], policy),
        verdict: Verdict::Pending,
        previous: ledger.announced.verdict,
        superseded: true,
        exempt: false,
        was_exempt: ledger.announced.exempt,
        occasion: None,
        unscanned: None,
        quarantine_mode: ledger.announced.quarantine_mode,
        was_quarantined: ledger.announced.quarantined,
        scan: None,
        open: BTreeMap::new(),
        waived: 0,
        changes: Changes { withdrawn: ledger.announced.open(), ..Changes::default() },
        reasons: Vec::new(),
        more_reasons: 0,
        worst: Worst::default(),
        excused: Vec::new(),
        more_excused: 0,
    };
    Assessed { assessment, announced: Announced::default() }
}

/// What the rows come to, held against what was announced of each.
#[derive(Default)]
struct Summary<'a> {
    open: BTreeMap<Severity, u64>,
    changes: Changes,
    /// The findings that rules match, with what is new about each.
    matched: Vec<(&'a Row<'a>, Option<Change>)>,
    waived: Vec<(&'a Row<'a>, Excuse<'a>)>,
    /// Since when the oldest is known that is open and not excused, of the severities that matter most.
    oldest: BTreeMap<Severity, Timestamp>,
    /// When the first of them is past the time in which it is to be fixed.
    remediate_by: Option<Timestamp>,
    rules: BTreeSet<String>,
    /// As what each row is announced now, by its key. Nothing is said of a resolved one.
    announced: Vec<(String, AnnouncedFinding)>,
}

impl<'a> Summary<'a> {
    fn of(rows: &'a [Row<'a>], before: &Announced, policy: &Policy) -> Self {
        let mut summary = Self::default();
        let succession = Succession::of(rows, before);
        for row in rows {
            summary.add(row, &succession.announced(row), succession.goes_on(row), policy);
        }
        summary
    }

    fn add(&mut self, row: &'a Row<'a>, before: &AnnouncedFinding, goes_on: bool, policy: &Policy) {
        let finding = &row.entry.finding;
        let one_more = |counts: &mut BTreeMap<Severity, u64>| {
            *counts.entry(finding.severity.clone()).or_default() += 1;
        };
        let now = AnnouncedFinding::of(row);
        if let Standing::Resolved(gone) = row.standing {
            if before.open && !goes_on {
                let minutes = (gone.as_millisecond() - row.known_since.as_millisecond()) / 60_000;
                let closed = self.changes.closed.entry(finding.severity.clone()).or_default();
                *closed.entry(minutes.max(0)).or_default() += 1;
            }
        } else {
            one_more(&mut self.open);
            if !before.open {
                one_more(&mut self.changes.opened);
            }
            if !now.waived {
                let by = policy.overdue_from(&finding.severity, row.known_since);
                self.remediate_by = self.remediate_by.into_iter().chain(by).min();
            }
            if !now.waived && matches!(finding.severity, Severity::Critical | Severity::High) {
                let oldest = self.oldest.entry(finding.severity.clone()).or_insert(row.known_since);
                *oldest = row.known_since.min(*oldest);
            }
        }
        if let Some(ruling) = &row.ruling {
            if let Some(excuse) = ruling.waived() {
                self.waived.push((row, excuse));
                if !before.waived {
                    one_more(&mut self.changes.waived);
                }
            }
            self.rules.extend(ruling.matches.iter().map(|found| found.rule.id.clone()));
            if !ruling.matches.is_empty() {
                let change = change(before, &now, &finding.severity);
                self.changes.reasons += u64::from(change.is_some());
                self.matched.push((row, change));
            }
        }
        if now != AnnouncedFinding::default() {
            self.announced.push((row.key.clone().into_owned(), now));
        }
    }
}

impl AnnouncedFinding {
    fn of(row: &Row) -> Self {
        let open = row.standing.is_open();
        let asks_for = |action| row.ruling.as_ref().is_some_and(|ruling| ruling.asks_for(action));
        Self {
            open,
            waived: row.ruling.as_ref().is_some_and(|ruling| ruling.waived().is_some()),
            alert: asks_for(Action::Alert),
            quarantine: asks_for(Action::Quarantine),
            exploited: row.known_exploited.is_some(),
            severity: open.then(|| row.entry.finding.severity.clone()),
        }
    }
}

/// What is new about a finding that rules match.
fn change(before: &AnnouncedFinding, now: &AnnouncedFinding, severity: &Severity) -> Option<Change> {
    if now.alert && !before.alert || now.quarantine && !before.quarantine {
        return Some(Change::NewlyMatched);
    }
    if now.exploited && !before.exploited {
        return Some(Change::BecameKnownExploited);
    }
    let risen = before.severity.clone().filter(|before| before < severity);
    risen.map(|from| Change::SeverityRose { from })
}

/// The reasons: those that quarantine at a certain time first, if one is given; then those to alert of; then the other
/// changed ones; then by what matters most.
fn reasons(matched: Vec<(&Row, Option<Change>)>, quarantined: Option<Timestamp>) -> Vec<Reason> {
    let mut reasons: Vec<Reason> =
        matched.into_iter().filter_map(|(row, change)| reason(row, change)).collect();
    reasons.sort_by(|a, b| {
        weight(b, quarantined)
            .cmp(&weight(a, quarantined))
            .then_with(|| a.finding.vulnerability.cmp(&b.finding.vulnerability))
            .then_with(|| a.finding.finding.cmp(&b.finding.finding))
    });
    reasons
}

fn reason(row: &Row, change: Option<Change>) -> Option<Reason> {
    let ruling = row.ruling.as_ref()?;
    Some(Reason {
        rules: ruling.matches.iter().map(|found| found.rule.id.clone()).collect(),
        then: ruling.matches.iter().flat_map(|found| &found.rule.then).copied().collect(),
        quarantine_from: ruling.quarantine_from(),
        change,
        overrides: ruling.overridden().map(|excuse| excused_finding(row, excuse)),
        finding: assessed_finding(row),
        platforms: row.platforms.iter().map(|platform| (*platform).to_owned()).collect(),
    })
}

/// What makes one reason matter more than another.
fn weight(reason: &Reason, quarantined: Option<Timestamp>) -> impl Ord {
    (
        quarantined.is_some_and(|at| reason.quarantines(at)),
        reason.change.is_some() && reason.then.contains(&Action::Alert),
        reason.change.is_some(),
        reason.finding.known_exploited.is_some(),
        reason.finding.severity.clone(),
        reason.then.contains(&Action::Quarantine),
        reason.finding.score,
        reason.finding.epss,
    )
}

/// The excused findings, the worst first.
fn excused(waived: &[(&Row, Excuse)]) -> Vec<Excused> {
    let mut excused: Vec<Excused> =
        waived.iter().map(|(row, excuse)| excused_finding(row, *excuse)).collect();
    excused.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.vulnerability.cmp(&b.vulnerability)));
    excused
}

fn excused_finding(row: &Row, excuse: Excuse) -> Excused {
    let finding = &row.entry.finding;
    let (reason, owner, expires) = match excuse {
        Excuse::Waiver(waiver) => (waiver.reason.clone(), Some(waiver.owner.clone()), Some(waiver.expires)),
        Excuse::Suppression => ("suppressed by a rule in Amazon Inspector".to_owned(), None, None),
    };
    Excused {
        vulnerability: finding.vulnerability.clone(),
        severity: finding.severity.clone(),
        reason,
        owner,
        expires,
    }
}

fn assessed_finding(row: &Row) -> AssessedFinding {
    let finding = &row.entry.finding;
    AssessedFinding {
        finding: finding.id.clone(),
        vulnerability: finding.vulnerability.clone(),
        severity: finding.severity.clone(),
        score: finding.score,
        epss: finding.epss,
        exploit: finding.exploit,
        known_exploited: row.known_exploited,
        fix: finding.fix,
        packages: finding.packages.iter().take(PACKAGES).cloned().collect(),
        more_packages: finding.packages.len().saturating_sub(PACKAGES) as u64,
        first_seen: row.known_since,
    }
}

fn assessed_image(subject: Subject, verdicts: &[Verdict], policy: &Policy) -> AssessedImage {
    let ledger = subject.ledger;
    let (environment, owner) = policy.ownership(&ledger.image.repository);
    let facts = &ledger.facts;
    let tags = facts.repository_tags.as_ref().map(|known| known.tags.clone()).unwrap_or_default();
    let platforms = subject.parts().zip(verdicts).map(|(Part { name, ledger }, verdict)| {
        let pushed_at = ledger.facts.pushed_at.or(facts.pushed_at);
        let left_unscanned =
            ledger.facts.is_left_unscanned() || ledger.facts.is_overdue(policy.scan_due(pushed_at));
        let answer = ledger.facts.coverage.newest().filter(|_| left_unscanned);
        AssessedPlatform {
            platform: name.to_owned(),
            digest: ledger.image.digest.clone(),
            verdict: *verdict,
            unscanned: answer.map(|(_, answer)| answer.reason.clone()),
        }
    });
    let mut image = AssessedImage {
        id: ledger.image.clone(),
        more_tags: 0,
        tags: Vec::new(),
        pushed_at: facts.pushed_at,
        pusher: facts.pusher.as_ref().map(|(_, pusher)| pusher.clone()),
        labels: facts.labels.clone().unwrap_or_default(),
        media_type: facts.media_type.clone(),
        platforms: platforms.collect(),
        environment: environment.map(str::to_owned).or(tags.environment),
        owner: owner.map(str::to_owned).or(tags.owner),
        criticality: tags.criticality,
        workloads: Vec::new(),
        more_workloads: 0,
        in_use: facts.in_use(),
        pulled_at: facts.pulled_at(),
    };
    image.name_tags(facts.tags());
    image
}

/// How long the image's first scan took to come, in milliseconds. A scan that is not the first says nothing of
/// that, nor does the first one of an image that had long been there when scanning was switched on.
fn latency(ledger: &Ledger, completed_at: Timestamp) -> Option<i64> {
    if ledger.announced.scan.is_some() {
        return None;
    }
    let latency = completed_at.as_millisecond() - ledger.facts.pushed_at?.as_millisecond();
    // The images of an index may have been scanned for another one.
    if latency < 0 && ledger.facts.is_index() {
        return None;
    }
    (latency <= LONGEST_LATENCY_MS).then_some(latency)
}

/// Keeps the first items that fit into so many bytes of JSON, and counts the others.
pub(crate) fn fill<T: Serialize>(items: Vec<T>, bytes: usize) -> (Vec<T>, u64) {
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
