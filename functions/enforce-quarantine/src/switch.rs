//! A new mode of the deployment reaches what is in quarantine already. Environment variables change only with a new
//! process, so each process compares them once with what was stored.

use std::sync::atomic::Ordering;

use aws::dynamodb::NotesError;
use aws::sqs::DelayedMessage;
use domain::quarantine::{self, Mode};
use domain::row::StatusRow;
use domain::text::with_causes;
use domain::verdict::Verdict;
use futures::stream::{StreamExt, TryStreamExt};
use lambda::deadline::Deadline;

use crate::{EnforceQuarantine, QuarantineError};

/// How often the stored mode is compared again when other invocations store the limit in between.
const ATTEMPTS: u32 = 8;
/// How many messages are sent one call after the other, and how many such rows concurrently.
const IN_A_ROW: usize = 100;
const ROWS_AT_ONCE: usize = 8;

impl EnforceQuarantine {
    /// Has what is in quarantine looked at, if the mode has changed. Where that fails, it holds nothing else back, and the
    /// next invocation tries again.
    pub(crate) async fn follow_mode(&self, deadline: Deadline) {
        if self.mode_is_known.load(Ordering::Relaxed) {
            return;
        }
        match deadline.limit(Box::pin(self.compare_mode())).await {
            Some(Ok(())) => self.mode_is_known.store(true, Ordering::Relaxed),
            Some(Err(error)) => {
                tracing::warn!(
                    reason = with_causes(&error),
                    "a new quarantine mode is not in force everywhere"
                );
            }
            None => tracing::warn!("a new quarantine mode is not in force everywhere: no time was left"),
        }
    }

    /// The mode is stored last, so that a crash before has everything sent again. Where none is stored, the deployment is
    /// new.
    async fn compare_mode(&self) -> Result<(), QuarantineError> {
        let mode = self.choices.mode;
        let before = self.memory.limit().await?.value.mode;
        if before == Some(mode) {
            return Ok(());
        }
        if before.is_some() && mode != Mode::Observe {
            self.send_quarantined().await?;
        }
        for _ in 0..ATTEMPTS {
            let mut limit = self.memory.limit().await?;
            limit.value.mode = Some(mode);
            match self.memory.store_limit(&mut limit).await {
                Err(NotesError::Conflict(_)) => {}
                stored => return Ok(stored?),
            }
        }
        Err(NotesError::Conflict("limit#enforcement".to_owned()).into())
    }

    async fn send_quarantined(&self) -> Result<(), QuarantineError> {
        let rows = self.ledgers.rows().await?;
        let in_quarantine = |row: &StatusRow| row.quarantined || row.verdict == Verdict::Quarantine;
        for entry in &rows.unreadable {
            tracing::error!(reason = entry.reason, "a row cannot be read, so the image may be in quarantine");
        }
        let quarantined = rows.items.iter().filter(|listed| in_quarantine(&listed.row));
        let messages: Vec<DelayedMessage> = quarantined
            .map(|listed| &listed.image)
            .chain(rows.unreadable_images())
            .map(|image| DelayedMessage::now(quarantine::due(image)))
            .collect();
        tracing::info!(images = messages.len(), mode = %self.choices.mode, "the quarantine mode has changed");
        let sends = messages.chunks(IN_A_ROW).map(|row| self.queue.send_all(row.to_vec()));
        Ok(futures::stream::iter(sends).buffer_unordered(ROWS_AT_ONCE).try_collect::<()>().await?)
    }
}
