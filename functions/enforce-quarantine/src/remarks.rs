//! Telling people what enforcement met.

use aws::dynamodb::Stored;
use domain::image::ImageId;
use domain::notice::{About, Notice, name_tags};
use domain::quarantine::{Mode, Notes, Remark, RepositoryKind};

use crate::{EnforceQuarantine, QuarantineError};

impl EnforceQuarantine {
    /// Says each kind of remark once in a quarantine. It is said before it is noted: a crash in between says it again,
    /// with the same id, and raise-alerts does nothing twice.
    pub(crate) async fn say(
        &self,
        image: &ImageId,
        remarks: &[Remark],
        notes: &mut Stored<Notes>,
    ) -> Result<(), QuarantineError> {
        for remark in remarks {
            let mode = notes.value.mode().unwrap_or(Mode::Untag);
            if let Remark::NeededBy(index) = remark {
                tracing::warn!(%image, %index, "not archived, because an index that contains it is not: it follows it");
            }
            let Some((kind, about)) = about(image, mode, remark) else { continue };
            if notes.value.said.contains(kind) {
                continue;
            }
            let now = self.clock.now();
            let episode =
                notes.value.quarantine.as_ref().map_or_else(|| image.to_string(), |it| it.id.clone());
            let notice = Notice::new(format!("{episode}#{kind}"), now, about);
            self.announcements.notify(&notice).await?;
            notes.value.said.insert(kind.to_owned());
            self.memory.store_notes(image, notes, now).await?;
        }
        Ok(())
    }
}

/// The kind of a remark, and what the notice says. What others restored is told as tampering, with who did it.
fn about(image: &ImageId, mode: Mode, remark: &Remark) -> Option<(&'static str, About)> {
    let image = image.clone();
    match remark {
        Remark::LeftOn { tags, kind, because } => {
            let (tags, more_tags) = name_tags(tags);
            let (cache, because) = (*kind == RepositoryKind::PullThroughCache, (*because).to_owned());
            Some(("tags-left-on", About::TagsLeftOn { image, mode, tags, more_tags, cache, because }))
        }
        Remark::NotGivenBack(tags) => {
            let (tags, more_tags) = name_tags(tags);
            Some(("tags-not-given-back", About::TagsNotGivenBack { image, tags, more_tags }))
        }
        // Mostly its index is judged in the same moment, and archived in the next.
        Remark::NeededBy(_) | Remark::RestoredByOthers => None,
    }
}
