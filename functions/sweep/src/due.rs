//! What is due by the clock: each image is sent once a round, and a round begins with the schedule.

use aws::sqs::DelayedMessage;
use domain::event::ImageDue;
use domain::image::ImageId;
use domain::policy::Fingerprint;
use domain::row::Shard;
use domain::sweep::{Round, State};
use jiff::Timestamp;

use crate::message::Wake;
use crate::run::{Next, Run};
use crate::{Sweep, SweepError};

/// How many images are read and sent in one step.
const PAGE: usize = 200;

impl Sweep {
    pub(crate) async fn due(&self, state: &State, run: &mut Run) -> Result<(State, Next), SweepError> {
        let begins = run.wake == Wake::Schedule;
        let mut round = state.round.clone().or_else(|| begins.then(|| Round::new(run.now)));
        // Most of the time nothing is due, and that is worth no step.
        while let Some(under_way) = round {
            let limit = i32::try_from(PAGE.min(run.room)).unwrap_or_default();
            if limit == 0 {
                return Ok((State { round: Some(under_way), ..state.clone() }, Next::Later));
            }
            let shard = Shard::nth(under_way.shard);
            let page = self.ledgers.due(shard, under_way.until, under_way.position.as_ref(), limit).await?;
            round = under_way.after_page(page.next, Shard::ALL);
            // What is excluded by now stays due, and is nobody's business.
            let is_ours = |image: &ImageId| self.scope.check(image).is_ok();
            run.note_unread(&page.images);
            let images: Vec<ImageId> = page.images.items.into_iter().filter(is_ours).collect();
            if !images.is_empty() {
                self.send(&images, run).await?;
                run.sent("ImagesDue", images.len());
                let next = if round.is_some() { Next::Again } else { Next::Done };
                return Ok((State { round, ..state.clone() }, next));
            }
        }
        Ok((State { round: None, ..state.clone() }, Next::Done))
    }

    /// Has images judged, by the policy that is deployed.
    pub(crate) async fn send(&self, images: &[ImageId], run: &Run) -> Result<(), SweepError> {
        self.send_as(images, false, run).await
    }

    /// The same with images of which findings changed unseen.
    pub(crate) async fn send_unseen(&self, images: &[ImageId], run: &Run) -> Result<(), SweepError> {
        self.send_as(images, true, run).await
    }

    async fn send_as(&self, images: &[ImageId], unseen: bool, run: &Run) -> Result<(), SweepError> {
        let message = |image: &ImageId| {
            let due = ImageDue { policy: Some(self.wanted(run)), unseen, ..ImageDue::new(image.clone()) };
            DelayedMessage::now(due.message())
        };
        Ok(self.assess.send_all(images.iter().map(message).collect()).await?)
    }

    /// By which policy images are to be judged, and since when that is wanted.
    pub(crate) fn wanted(&self, run: &Run) -> (Timestamp, Fingerprint) {
        (run.now, self.policy.clone())
    }
}
