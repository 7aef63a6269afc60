//! What was adopted is told in one notice, when all of it is judged and somebody gets to read it.

use domain::image::ImageId;
use domain::row::StatusRow;
use domain::sweep::{self, Adoption, State, ToBeTold};

use crate::run::{Next, Run};
use crate::{Sweep, SweepError};

impl Sweep {
    pub(crate) async fn tell_adoption(
        &self,
        state: &State,
        run: &mut Run,
    ) -> Result<(State, Next), SweepError> {
        let is_told = match state.adoption.is_to_be_told(run.waiting, run.now) {
            ToBeTold::No => false,
            ToBeTold::IfSomebodyReadsIt => self.topic.has_subscriber().await?,
            ToBeTold::Yes => true,
        };
        if !is_told {
            return Ok((state.clone(), Next::Done));
        }
        let (rows, _) = self.rows(run).await?;
        if let Some(notice) = sweep::adopted(&state.adoption, &rows, &self.rules, run.now) {
            self.announcements.notify(&notice).await?;
        }
        Ok((State { adoption: Adoption::told(run.now), ..state.clone() }, Next::Done))
    }

    /// All images whose rows can be read, and whether these are all.
    pub(crate) async fn rows(&self, run: &mut Run) -> Result<(Vec<(ImageId, StatusRow)>, bool), SweepError> {
        let rows = self.ledgers.rows().await?;
        run.note_unread(&rows);
        let are_all = rows.unreadable.is_empty();
        Ok((rows.items.into_iter().map(|listed| (listed.image, listed.row)).collect(), are_all))
    }
}
