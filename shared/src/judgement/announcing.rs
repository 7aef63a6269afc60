//! Drawing up the announcement of a judged ledger.

use jiff::Timestamp;
use serde::Serialize;

use super::Judgement;
use super::comparison::Comparison;
use crate::assessment::{AssessedImage, Assessment, Changes, SCHEMA, Scan};
use crate::ledger::Ledger;
use crate::policy::Policy;
use crate::verdict::Verdict;

/// How many bytes of reasons, and of excuses, an assessment carries. EventBridge, SQS and SNS take 256 KB at
/// the least, and the ledger keeps a copy of it beside up to 10,000 findings in 400 KB.
const REASONS_BYTES: usize = 64 * 1024;
const EXCUSES_BYTES: usize = 16 * 1024;
/// What is longer, in milliseconds, is no scan on push: a day.
const LONGEST_LATENCY_MS: i64 = 24 * 60 * 60 * 1000;
/// How many tags it names.
const TAGS: usize = 50;

/// Draws up what is to be announced of a judged ledger and notes it in the ledger as announced. Returns
/// whether there is anything: an unscanned image, and one about which nothing changed that was announced
/// before, gives none.
pub fn assess(ledger: &mut Ledger, judgement: &Judgement, policy: &Policy, now: Timestamp) -> bool {
    if judgement.verdict == Verdict::Pending {
        return false;
    }
    let comparison = Comparison::of(ledger, judgement, policy);
    let newest_scan = ledger.newest_scan();
    let scan = newest_scan.filter(|(at, _)| ledger.facts.announced_scan.is_none_or(|known| known < *at));
    let changes = comparison.changes(ledger);
    if scan.is_none() && changes == Changes::default() && ledger.facts.verdict == judgement.verdict {
        return false;
    }
    let (reasons, more_reasons) = fill(comparison.reasons(ledger), REASONS_BYTES);
    let (excused, more_excused) = fill(comparison.excused(ledger), EXCUSES_BYTES);
    let assessment = Assessment {
        schema: SCHEMA,
        id: format!("{}#{}", ledger.image, ledger.version + 1),
        at: now,
        image: assessed_image(ledger, policy),
        verdict: judgement.verdict,
        previous: ledger.facts.verdict,
        was_quarantined: ledger.facts.quarantined,
        scan: scan.map(|(completed_at, source)| Scan {
            source,
            completed_at,
            latency_ms: latency(ledger, completed_at),
        }),
        open: Comparison::open(ledger),
        waived: comparison.waived(),
        changes,
        reasons,
        more_reasons,
        excused,
        more_excused,
    };
    let announced = comparison.announced(ledger);
    for (entry, announced) in ledger.findings.values_mut().zip(announced) {
        entry.announced = announced;
    }
    ledger.facts.verdict = judgement.verdict;
    ledger.facts.quarantined = match judgement.verdict {
        Verdict::Quarantine => true,
        Verdict::Clear => false,
        Verdict::Pending | Verdict::Unscannable => ledger.facts.quarantined,
    };
    ledger.facts.announced_scan = newest_scan.map(|(at, _)| at);
    ledger.unpublished = Some(assessment);
    true
}

/// Names the image's tags anew in what is to be announced, after the registry was asked for them.
pub fn renew_tags(ledger: &mut Ledger) {
    let tags = ledger.tags();
    if let Some(assessment) = &mut ledger.unpublished {
        set_tags(&mut assessment.image, tags);
    }
}

fn set_tags(image: &mut AssessedImage, tags: Vec<String>) {
    image.more_tags = tags.len().saturating_sub(TAGS) as u64;
    image.tags = tags.into_iter().take(TAGS).collect();
}

/// How long the image's first scan took to come, in milliseconds. A scan that is not the first says nothing of
/// that, nor does the first one of an image that had long been there when scanning was switched on.
fn latency(ledger: &Ledger, completed_at: Timestamp) -> Option<i64> {
    if ledger.facts.announced_scan.is_some() {
        return None;
    }
    let latency = completed_at.as_millisecond() - ledger.facts.pushed_at?.as_millisecond();
    (latency <= LONGEST_LATENCY_MS).then_some(latency)
}

fn assessed_image(ledger: &Ledger, policy: &Policy) -> AssessedImage {
    let (environment, owner) = policy.ownership(&ledger.image.repository);
    let mut image = AssessedImage {
        id: ledger.image.clone(),
        more_tags: 0,
        tags: Vec::new(),
        pushed_at: ledger.facts.pushed_at,
        pusher: ledger.facts.pusher.as_ref().map(|(_, pusher)| pusher.clone()),
        media_type: ledger.facts.media_type.clone(),
        environment: environment.map(str::to_owned),
        owner: owner.map(str::to_owned),
    };
    set_tags(&mut image, ledger.tags());
    image
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
