//! What an image says of itself, read for its first announcement that people may be told of. It is optional to know: what
//! cannot be had at once is left out, and asked for again with the next such announcement.

use std::sync::{Mutex, PoisonError};

use aws::AwsError;
use aws::dynamodb::Platforms;
use aws::ecr::{Blobs, Registry};
use domain::assessment::Assessment;
use domain::image::ImageId;
use domain::ledger::{Evidence, Ledger};
use domain::provenance::{Labelled, Labels};
use jiff::Timestamp;
use lambda::optional::{Pause, in_time};

use crate::AssessImage;
use crate::draft::Draft;

/// The largest config of an image that is read, in bytes.
const LARGEST_CONFIG: u64 = 1024 * 1024;

/// The labels of images.
#[derive(Debug)]
pub(crate) struct ImageLabels {
    registry: Registry,
    blobs: Blobs,
    pause: Mutex<Pause>,
}

impl ImageLabels {
    pub(crate) fn new(registry: Registry, blobs: Blobs) -> Self {
        Self { registry, blobs, pause: Mutex::default() }
    }

    /// What an image says of itself; `None` where that cannot be had now.
    async fn of(&self, image: &ImageId, now: Timestamp) -> Option<Labels> {
        let pause = || self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        if pause().holds(now) {
            return None;
        }
        let answer = in_time("the labels of the image", self.read(image)).await;
        pause().note(answer.is_some(), now);
        answer.flatten()
    }

    /// `None` where the image itself cannot be had, which says nothing of others. One that is no container image, or whose
    /// config ECR does not have or is too large, says no more than its manifest does, and never will.
    async fn read(&self, image: &ImageId) -> Result<Option<Labels>, AwsError> {
        let manifest = match self.registry.manifest(image).await {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return Ok(None),
            // It is archived, or being restored.
            Err(error) if error.is("ImageInaccessible") => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(labelled) = Labelled::read(&manifest.text) else { return Ok(Some(Labels::default())) };
        let config = if labelled.config.size <= LARGEST_CONFIG {
            self.blobs.get(image, &labelled.config).await?
        } else {
            None
        };
        Ok(Some(labelled.with(config.as_deref())))
    }
}

/// Whose labels are those of an image: its own, and of an index those of one of its images, always the same one.
fn labelled<'a>(ledger: &'a Ledger, platforms: &'a Platforms) -> Option<&'a Ledger> {
    if !ledger.facts.is_index() {
        return Some(ledger);
    }
    let ledgers = platforms.platforms.iter().map(|platform| &platform.ledger);
    ledgers.filter(|ledger| !ledger.facts.is_gone()).min_by_key(|ledger| &ledger.image.digest)
}

impl AssessImage {
    /// Says what an image says of itself, where people may be told of the announcement. Asks if that was never read.
    pub(crate) async fn label(
        &self,
        draft: &mut Draft<'_>,
        platforms: &Platforms,
        assessment: &mut Assessment,
    ) {
        if !assessment.is_news() || draft.ledger.facts.labels.is_some() {
            return;
        }
        let Some(labelled) = labelled(draft.ledger, platforms) else { return };
        let labels = match &labelled.facts.labels {
            Some(known) => Some(known.clone()),
            None => self.labels.of(&labelled.image, self.clock.now()).await,
        };
        if let Some(labels) = labels {
            assessment.image.labels = labels.clone();
            draft.learn(Evidence::Labels(labels));
        }
    }
}
