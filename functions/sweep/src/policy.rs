//! A new policy reaches every image: those that were judged by another one are sent, until none differs.

use aws::dynamodb::Listed;
use domain::image::ImageId;
use domain::row::Shard;
use domain::sweep::{self, State};

use crate::run::{Next, Run};
use crate::{Sweep, SweepError};

impl Sweep {
    pub(crate) async fn new_policy(&self, state: &State, run: &mut Run) -> Result<(State, Next), SweepError> {
        let policy = state.policy.clone().meet(&self.policy, run.now);
        if policy.under_way.is_none() {
            return Ok((State { policy, ..state.clone() }, Next::Done));
        }
        let rows = self.ledgers.rows_of(Shard::nth(policy.shard)).await?;
        let differs = |listed: &&Listed| {
            listed.row.policy.as_ref() != Some(&self.policy) && self.scope.check(&listed.image).is_ok()
        };
        run.note_unread(&rows);
        let mut images: Vec<ImageId> =
            rows.items.iter().filter(differs).map(|listed| listed.image.clone()).collect();
        let differ = images.len() as u64;
        // By which policy such an image was judged, no row says, so it is sent, but only once: it may never say so.
        if policy.passes == 0 {
            let unread = rows.unreadable_images().filter(|image| self.scope.check(image).is_ok());
            images.extend(unread.cloned());
        }
        let fitting = &images[..images.len().min(run.room)];
        self.send(fitting, run).await?;
        run.sent("ImagesJudgedAnew", fitting.len());
        if fitting.len() < images.len() {
            return Ok((State { policy, ..state.clone() }, Next::Later));
        }
        let (passes, begun, before) = (policy.passes, policy.under_way.clone(), policy.done.clone());
        let (policy, ended) = policy.after_shard(differ, Shard::ALL);
        if let (true, Some((since, _))) = (ended, begun) {
            let (rows, _) = self.rows(run).await?;
            let (change, by) = ((before.as_ref(), &self.policy), self.deployed_by.as_deref());
            if let Some(notice) = sweep::policy_changed(change, since, &rows, by, run.now) {
                self.announcements.notify(&notice).await?;
            }
        }
        let next = match (ended, policy.passes == passes) {
            (true, _) => Next::Done,
            // Before they are looked through again, what was sent has to be judged.
            (false, false) => Next::Later,
            (false, true) => Next::Again,
        };
        Ok((State { policy, ..state.clone() }, next))
    }
}
