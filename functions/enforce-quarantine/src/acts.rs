//! What is done to an image, written into its history before it is done.

use aws::dynamodb::Stored;
use domain::history::Entry;
use domain::image::ImageId;
use domain::quarantine::{Deed, DeedKind, Note, Notes, Step, Storage};
use domain::text::with_causes;
use domain::verdict::Verdict;

use crate::{EnforceQuarantine, QuarantineError};

impl EnforceQuarantine {
    /// Writes the act that an earlier attempt was about to do. Whether that attempt came to write it, nobody knows. Returns
    /// whether nothing is left to write.
    pub(crate) async fn recall(&self, image: &ImageId, notes: &Stored<Notes>) -> bool {
        match &notes.value.doing {
            Some(deed) => self.write(image, deed).await,
            None => true,
        }
    }

    /// Notes what the steps will do, and writes it into the history. What an earlier attempt had begun is not begun again.
    /// Returns whether nothing is left to write.
    pub(crate) async fn begin(
        &self,
        image: &ImageId,
        verdict: Verdict,
        steps: &[Step],
        reason: &str,
        notes: &mut Stored<Notes>,
    ) -> Result<bool, QuarantineError> {
        let parts: Vec<String> = steps.iter().flat_map(|step| step.parts(image)).collect();
        let kind = if verdict == Verdict::Clear { DeedKind::Released } else { DeedKind::Quarantined };
        if parts.is_empty() || notes.value.doing.as_ref().is_some_and(|deed| deed.covers(kind, &parts)) {
            return Ok(true);
        }
        let why = match &notes.value.storage {
            Some(Storage::Rescanning { by, why, .. }) => format!("{reason}; {by} asked for a rescan: {why}"),
            _ => reason.to_owned(),
        };
        let deed = Deed::new(kind, self.clock.now(), notes.version + 1, parts, why);
        self.note(image, notes, Note::Doing(deed.clone())).await?;
        Ok(self.write(image, &deed).await)
    }

    /// Forgets what was about to be done, if it is written: it is done, or not to be done any more.
    pub(crate) async fn done(
        &self,
        image: &ImageId,
        written: bool,
        notes: &mut Stored<Notes>,
    ) -> Result<(), QuarantineError> {
        if written { self.note(image, notes, Note::Done).await } else { Ok(()) }
    }

    /// Writes an act into the history, and returns whether it did. A history that cannot be written holds no quarantine
    /// back: the act is in the log, and stays noted until the next look at the image writes it, or the next act comes.
    pub(crate) async fn write(&self, image: &ImageId, deed: &Deed) -> bool {
        let written = self.history.append(&[Entry::of_deed(image, deed)]).await;
        if let Err(error) = &written {
            tracing::error!(%image, ?deed, reason = with_causes(error), "not written into the history");
        }
        written.is_ok()
    }
}
