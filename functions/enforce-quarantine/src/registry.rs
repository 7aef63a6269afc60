//! Carrying out the steps of a plan, and looking afterwards whether they did what they should.

use std::collections::BTreeSet;

use aws::dynamodb::Stored;
use aws::ecr::{Manifest, PutTag, StorageClass};
use domain::image::ImageId;
use domain::quarantine::{self, Deed, DeedKind, Note, Notes, Step};
use domain::text::with_causes;
use lambda::batch::{Retry, Retryable};

use crate::{EnforceQuarantine, QuarantineError};

/// Logged when an image went with a tag that was removed. An alarm searches the logs for this text.
const DELETED: &str = "the image was deleted with its last tag";

/// What ECR answers where the storage class of an image cannot be changed, as while an index refers to it.
const REFUSED: &str = "ImageStorageClassUpdateNotSupported";

impl EnforceQuarantine {
    /// Carries out steps on an image that has these tags. Returns false if the image is gone.
    pub(crate) async fn carry_out(
        &self,
        image: &ImageId,
        steps: Vec<Step>,
        mut tags: Vec<String>,
        reason: &str,
        notes: &mut Stored<Notes>,
    ) -> Result<bool, QuarantineError> {
        // Held while tags go, so that an image that goes with them can be put back. One that is archived has none that
        // could be read, and its tags are left alone.
        let touches = |step: &Step| matches!(step, Step::Put(_) | Step::GiveBack(_) | Step::Remove(_));
        let is_archived = steps.iter().any(|step| *step == Step::Restore(image.digest.clone()));
        let manifest = if !is_archived && steps.iter().any(touches) {
            let Some(manifest) = self.registry.manifest(image).await? else { return Ok(false) };
            Some(manifest)
        } else {
            None
        };
        let archives = steps.contains(&Step::Archive(image.digest.clone()));
        let mut unmarked = None;
        for step in steps {
            match (step, &manifest) {
                (Step::Put(tag), Some(manifest)) => match self.put(image, manifest, &tag).await {
                    Ok(there) => {
                        tags = there;
                        tracing::info!(%image, tag, reason, "tag is on");
                    }
                    // What is archived cannot be pulled, whether it is marked or not.
                    Err(error) if archives && error.leaves_unmarked() => {
                        tracing::error!(%image, reason = with_causes(&error), "it is archived without its mark");
                        unmarked = Some(error);
                    }
                    Err(error) => return Err(error),
                },
                (Step::Remove(_), Some(_)) if unmarked.is_some() => {}
                (Step::GiveBack(tag), Some(manifest)) => {
                    self.pace.turn().await;
                    match self.registry.put_tag(image, manifest, &tag).await? {
                        PutTag::Put => tracing::info!(%image, tag, reason, "tag is on again"),
                        PutTag::Exists => {
                            tracing::warn!(%image, tag, "not put on again: it is there, or on another image");
                        }
                    }
                }
                (Step::Remove(wanted), Some(manifest)) => {
                    let there: Vec<String> =
                        wanted.iter().filter(|tag| tags.contains(tag)).cloned().collect();
                    if there.len() < wanted.len() {
                        tracing::info!(%image, ?wanted, "somebody else removed tags");
                    }
                    if !there.is_empty() {
                        self.remove(image, manifest, &there, notes.version).await?;
                        tracing::info!(%image, tags = ?there, reason, "tags removed");
                    }
                }
                (Step::Remove(wanted), None) => {
                    self.remove_archived(image, &wanted).await?;
                    tracing::info!(%image, tags = ?wanted, reason, "tags removed");
                }
                (Step::Put(_) | Step::GiveBack(_), None) => {}
                (Step::Archive(digest), _) => {
                    let stored = ImageId { digest, ..image.clone() };
                    if self.archive(image, &stored).await? {
                        tracing::info!(image = %stored, reason, "archived");
                    } else if stored == *image {
                        // What is in it stays with it.
                        self.note(image, notes, Note::Restored).await?;
                        break;
                    }
                }
                (Step::Restore(digest), _) => {
                    let stored = ImageId { digest, ..image.clone() };
                    self.registry.store_in(&stored, StorageClass::Standard).await?;
                    if stored != *image {
                        self.note_part(&stored, Note::Restored).await?;
                    }
                    tracing::info!(image = %stored, reason, "restore asked for");
                }
                (Step::Note(note), _) => self.note(image, notes, note).await?,
            }
        }
        unmarked.map_or(Ok(true), Err)
    }

    /// Archives an image or a part of it. A part has notes of its own, so that whoever needs it knows that it is we who
    /// archived it. ECR refuses it while an index refers to it that nobody told us of: then it can be pulled by its digest,
    /// and the image is archived without it. Returns whether it is archived.
    async fn archive(&self, image: &ImageId, stored: &ImageId) -> Result<bool, QuarantineError> {
        let is_part = stored != image;
        if is_part {
            self.note_part(stored, Note::Archiving(BTreeSet::new())).await?;
        }
        match self.registry.store_in(stored, StorageClass::Archive).await {
            Err(error) if is_part && error.retry() == Retry::Never => {
                tracing::warn!(%image, part = %stored, reason = with_causes(&error), "a part cannot be archived");
                self.note_part(stored, Note::Restored).await?;
                Ok(false)
            }
            // It is a part itself, of an index that we shall hear of, and is archived after it.
            Err(error) if error.is(REFUSED) => {
                tracing::warn!(%image, reason = with_causes(&error), "the image cannot be archived yet");
                Ok(false)
            }
            stored => Ok(stored.map(|()| true)?),
        }
    }

    /// Puts a tag and checks that it is there. Returns the tags that the image has then.
    async fn put(
        &self,
        image: &ImageId,
        manifest: &Manifest,
        tag: &str,
    ) -> Result<Vec<String>, QuarantineError> {
        self.pace.turn().await;
        self.registry.put_tag(image, manifest, tag).await?;
        let tags = self.registry.describe(image).await?.map(|description| description.tags);
        tags.filter(|tags| tags.iter().any(|there| there == tag))
            .ok_or_else(|| QuarantineError::NotThere { image: Box::new(image.clone()), tag: tag.to_owned() })
    }

    /// Removes tags, and looks afterwards whether an image went with them: ECR removes a tag from whichever image has it
    /// by then, and deletes that image if it was the last one. A call that failed may have had its effect.
    async fn remove(
        &self,
        image: &ImageId,
        manifest: &Manifest,
        tags: &[String],
        number: u64,
    ) -> Result<(), QuarantineError> {
        let removed = match self.registry.remove_tags(image, tags).await {
            Err(error) if error.is("RepositoryNotFound") => return Err(error.into()),
            removed => removed,
        };
        if !self.registry.exists(image).await? {
            return Err(self.put_back(image, manifest, number).await);
        }
        for other in removed?.into_iter().filter(|other| other != image) {
            tracing::warn!(%image, ?tags, %other, "somebody had moved a tag to another image, which lost it");
            if !self.registry.exists(&other).await? {
                tracing::error!(image = %other, ?tags, "{DELETED}, and cannot be put back");
                return Err(QuarantineError::OtherLost { image: Box::new(other), tags: tags.to_vec() });
            }
        }
        Ok(())
    }

    /// Removes tags of an archived image, whose manifest nobody can hold. ECR keeps our tag on it from moving. Whether it
    /// takes other tags off what is archived is not known; if not, they go when the image is active.
    async fn remove_archived(&self, image: &ImageId, tags: &[String]) -> Result<(), QuarantineError> {
        let removed = self.registry.remove_tags(image, tags).await;
        if !self.registry.exists(image).await? {
            tracing::error!(%image, ?tags, "{DELETED}, and cannot be put back");
            return Err(QuarantineError::OtherLost { image: Box::new(image.clone()), tags: tags.to_vec() });
        }
        match removed {
            Err(error) if error.retry() == Retry::Never => {
                tracing::warn!(%image, ?tags, reason = with_causes(&error), "tags stay on until it is restored");
                Ok(())
            }
            removed => Ok(removed.map(|_| ())?),
        }
    }

    /// Puts an image back with the quarantine tag, whatever tag it went with: the next attempt then finds it as it
    /// would any other.
    async fn put_back(&self, image: &ImageId, manifest: &Manifest, number: u64) -> QuarantineError {
        let boxed = Box::new(image.clone());
        match self.put(image, manifest, &quarantine::tag(image)).await {
            Ok(tags) => {
                tracing::error!(%image, ?tags, "{DELETED}, and is back");
                // It comes first that the image is back: only this invocation has its manifest.
                let done = tags.iter().map(|tag| format!("put the image back with the tag {tag}")).collect();
                let why =
                    "ECR deleted it with its last tag, because its other tags had gone by then".to_owned();
                let deed = Deed::new(DeedKind::PutBack, self.clock.now(), number, done, why);
                self.write(image, &deed).await;
                QuarantineError::PutBack(boxed)
            }
            // The whole repository went.
            Err(source) if source.is_conflict() => source,
            Err(source) => {
                let Manifest { text, media_type } = manifest;
                let reason = with_causes(&source);
                tracing::error!(%image, reason, manifest = text, media_type, "{DELETED}, and cannot be put back");
                QuarantineError::Lost { image: boxed, source: Box::new(source) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_alarm_searches_for_the_logged_text() {
        let alarms = include_str!("../../../template.yaml");
        assert!(alarms.contains(&format!("'\"{}\"'", super::DELETED)));
    }
}
