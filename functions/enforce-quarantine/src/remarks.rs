//! Telling people what enforcement met.

use aws::dynamodb::Stored;
use domain::image::ImageId;
use domain::notice::{About, Notice, name_tags};
use domain::quarantine::{Mode, Notes, Remark};

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
            let kind = kind(remark);
            if notes.value.said.contains(kind) {
                continue;
            }
            let now = self.clock.now();
            let episode =
                notes.value.quarantine.as_ref().map_or_else(|| image.to_string(), |it| it.id.clone());
            let mode = notes.value.mode().unwrap_or(Mode::Untag);
            let notice = Notice::new(format!("{episode}#{kind}"), now, about(image, mode, remark));
            self.announcements.notify(&notice).await?;
            notes.value.said.insert(kind.to_owned());
            self.memory.store_notes(image, notes, now).await?;
        }
        Ok(())
    }
}

fn kind(remark: &Remark) -> &'static str {
    match remark {
        Remark::LeftOn { .. } => "tags-left-on",
        Remark::NotGivenBack(_) => "tags-not-given-back",
        Remark::RestoredByOthers => "restored-by-others",
    }
}

fn about(image: &ImageId, mode: Mode, remark: &Remark) -> About {
    let image = image.clone();
    match remark {
        Remark::LeftOn { tags, because } => {
            let (tags, more_tags) = name_tags(tags);
            About::TagsLeftOn { image, mode, tags, more_tags, because: (*because).to_owned() }
        }
        Remark::NotGivenBack(tags) => {
            let (tags, more_tags) = name_tags(tags);
            About::TagsNotGivenBack { image, tags, more_tags }
        }
        Remark::RestoredByOthers => About::RestoredByOthers { image },
    }
}
