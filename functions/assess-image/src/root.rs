//! A root that is an index: its platforms, and what is to be done about those that no scan has reached.

use aws::dynamodb::Platforms;
use domain::assessment::Platform;
use domain::image::Digest;
use domain::ledger::{INDEX_COMES_WITHIN, Ledger};
use domain::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};

use crate::draft::Draft;
use crate::prompt::Prompt;
use crate::{AssessError, AssessImage};

/// How long the scans of an index's platforms may lie apart. They start with the push of each, and take minutes.
const SCANS_LIE_APART: SignedDuration = SignedDuration::from_mins(30);

/// An untagged image that is not judged yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

/// Whether an image must wait of which nothing was said yet: it has no tag, and no index is known that contains it, or its
/// last one was deleted, perhaps because another takes its place. Time is counted from its first judgement and not from its
/// push, because events of any age may come in any order.
pub(crate) fn wait(ledger: &Ledger, now: Timestamp) -> Option<Wait> {
    let Ledger { facts, announced, .. } = ledger;
    let unknown = !facts.is_index() && !facts.is_contained() && !facts.is_deployed();
    let is_new = announced.verdict == Verdict::Pending && ended(ledger).is_some() && !facts.is_gone();
    let since = announced.waiting_since.unwrap_or(now).min(now);
    let until = since.checked_add(INDEX_COMES_WITHIN).ok().filter(|until| *until > now)?;
    (unknown && is_new).then_some(Wait { since, until })
}

impl AssessImage {
    /// Loads the platforms of an index. Where some are scanned and others are not, sees to it that the question why is
    /// asked: the ledgers of those others ask it, for it is evidence about them.
    pub(crate) async fn platforms(
        &self,
        draft: &mut Draft<'_>,
        prompt: &Prompt,
    ) -> Result<Platforms, AssessError> {
        let loaded = self.ledgers.platforms(draft.ledger).await?;
        if draft.ledger.facts.is_gone() {
            return Ok(loaded);
        }
        let now = self.clock.now();
        if prompt.is_due {
            self.have_asked(draft, &loaded, now).await;
        }
        match missing(&loaded.platforms, now) {
            Missing::Nothing => {}
            Missing::WaitUntil(until) => {
                let reason = "some platforms are scanned and others are not";
                draft.unfinished.ask_again(AssessError::too_early(reason, until, now));
            }
            Missing::Ask(images) => {
                let digests = images.iter().map(|ledger| &ledger.image.digest);
                if let Err(problem) = self.outbox.send(&draft.ledger.image, digests).await {
                    draft.unfinished.ask_again(problem.into());
                }
            }
        }
        Ok(loaded)
    }

    /// Has the ledgers of an index's images ask what is to be asked again of them, for they have no place in the index of
    /// what is due.
    async fn have_asked(&self, draft: &mut Draft<'_>, loaded: &Platforms, now: Timestamp) {
        let subject = loaded.of(draft.ledger);
        let due = subject.platforms_due(&self.policy, now).map(|part| &part.image.digest);
        let due: Vec<Digest> = due.cloned().collect();
        if let Err(problem) = self.outbox.send(&draft.ledger.image, &due).await {
            draft.unfinished.ask_again(problem.into());
        }
    }
}

/// What to do about platforms that no scan has reached.
#[derive(Debug, PartialEq, Eq)]
enum Missing<'a> {
    Nothing,
    /// Their scans may be under way.
    WaitUntil(Timestamp),
    /// Ask why.
    Ask(Vec<&'a Ledger>),
}

/// Where no platform is scanned there is nothing to compare with.
fn missing(platforms: &[Platform], now: Timestamp) -> Missing<'_> {
    let ledgers = || platforms.iter().map(|platform| &platform.ledger);
    let last = ledgers().filter_map(ended).max();
    let Some(until) = last.and_then(|last| last.checked_add(SCANS_LIE_APART).ok()) else {
        return Missing::Nothing;
    };
    let unscanned: Vec<&Ledger> = ledgers().filter(|ledger| is_to_be_asked(ledger, now)).collect();
    match unscanned.as_slice() {
        [] => Missing::Nothing,
        // A date that is far ahead of the clock is not waited for.
        _ if until > now && until.duration_since(now) <= SCANS_LIE_APART * 2 => Missing::WaitUntil(until),
        _ => Missing::Ask(unscanned),
    }
}

/// When the newest scan ended, complete or not.
fn ended(ledger: &Ledger) -> Option<Timestamp> {
    ledger.facts.scans.values().filter_map(|scans| scans.completed_at.max(scans.failed_at)).max()
}

/// Whether no scan has reached an image, and it is not known why.
pub(crate) fn is_to_be_asked(ledger: &Ledger, now: Timestamp) -> bool {
    let facts = &ledger.facts;
    !facts.is_index() && !facts.is_gone() && ended(ledger).is_none() && facts.coverage.is_outdated(now)
}

#[cfg(test)]
mod tests;
