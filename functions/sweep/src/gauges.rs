//! Where all images stand, once an hour, by the small rows of the index.

use domain::sweep::State;

use crate::run::{Next, Run};
use crate::{Sweep, SweepError};

impl Sweep {
    pub(crate) async fn gauge(&self, state: &State, _: &mut Run) -> Result<(State, Next), SweepError> {
        Ok((state.clone(), Next::Done))
    }
}
