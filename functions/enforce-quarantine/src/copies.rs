//! The copies of an image in other registries, which a release does not reach.

use domain::image::ImageId;
use domain::notice::{About, Notice};
use domain::quarantine::Plan;

use crate::{EnforceQuarantine, QuarantineError};

impl EnforceQuarantine {
    /// Says that copies keep the quarantine tag that is about to be taken off. It is said before that is done: a crash in
    /// between says it again. The notice has the same id for all images of a repository, and raise-alerts says nothing
    /// twice.
    pub(crate) async fn tell_of_copies(&self, image: &ImageId, plan: &Plan) -> Result<(), QuarantineError> {
        if !plan.unmarks(image) {
            return Ok(());
        }
        let now = self.clock.now();
        for destination in self.rules.destinations(&self.registry, image, now).await {
            let id = format!("replication#{}#{destination}", image.repository);
            let about = About::MarkOnCopy { image: image.clone(), copy: destination.copy_of(image) };
            self.announcements.notify(&Notice::new(id, now, about)).await?;
        }
        Ok(())
    }
}
