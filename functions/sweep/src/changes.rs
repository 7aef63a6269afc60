//! What changed of Inspector's findings and came as no event: its cost follows what changes, not how much there is.

use std::collections::{BTreeMap, BTreeSet};

use domain::finding::Finding;
use domain::image::ImageId;
use domain::ledger::Ledger;
use domain::sweep::{Seen, State, Walk};

use crate::run::{Next, Run};
use crate::{Sweep, SweepError};

impl Sweep {
    pub(crate) async fn changes(&self, state: &State, run: &mut Run) -> Result<(State, Next), SweepError> {
        let (asked, walks) = state.changes.next(run.now);
        let Some(asked) = asked else { return Ok((state.clone(), Next::Done)) };
        let mut state = state.clone();
        if walks && state.walk.is_none() {
            state.walk = Some(Walk::new(run.now));
        }
        let (from, to, token) = asked;
        let (changed, next) = if from == to {
            (Vec::new(), None)
        } else {
            let page = match self.inspector.changed_findings(&self.account, from, to, token.clone()).await {
                Ok(page) => page,
                // What changed meanwhile is walked when it is active again.
                Err(error) if error.is("AccessDenied") => {
                    tracing::info!(reason = %error, "Inspector is not active, or not allowed to be asked");
                    return Ok((state, Next::Done));
                }
                // AWS does not say how long a token can be used.
                Err(error) if token.is_some() && !error.retryable => {
                    tracing::warn!(reason = %error, "a page was refused, so the list is read from its beginning");
                    state.changes.under_way = Some((from, to, None));
                    return Ok((state, Next::Later));
                }
                Err(error) => return Err(error.into()),
            };
            run.note_unreadable(&page.unreadable);
            (page.items, page.next)
        };
        let unseen = self.unseen(&state, changed, run).await?;
        let fitting = &unseen[..unseen.len().min(run.room)];
        self.send_unseen(fitting, run).await?;
        run.sent("Reconciled", fitting.len());
        if fitting.len() < unseen.len() {
            return Ok((state, Next::Later));
        }
        state.changes = state.changes.after_page((from, to), next);
        let next = if state.changes.under_way.is_some() { Next::Again } else { Next::Done };
        Ok((state, next))
    }

    /// The images of which a change was lost.
    async fn unseen(
        &self,
        state: &State,
        changed: Vec<(ImageId, Finding)>,
        run: &mut Run,
    ) -> Result<Vec<ImageId>, SweepError> {
        let watched = |image: &ImageId| state.watches.since(&image.repository).is_some();
        let changed: Vec<_> = changed.into_iter().filter(|(image, _)| watched(image)).collect();
        let images: BTreeSet<ImageId> = changed.iter().map(|(image, _)| image.clone()).collect();
        let images: Vec<ImageId> = images.into_iter().collect();
        let known = self.ledgers.known(&images).await?;
        run.note_unread(&known);
        // What such a ledger has seen nobody can say, and what is sent for it would fail.
        let unread: BTreeSet<&ImageId> = known.unreadable_images().collect();
        let known: BTreeMap<&ImageId, &Ledger> =
            known.items.iter().map(|ledger| (&ledger.image, ledger)).collect();
        let lost = |image: &ImageId, finding: &Finding| {
            !unread.contains(image) && Seen::of(finding, known.get(image).copied(), run.now) == Seen::Lost
        };
        let unseen = changed.iter().filter(|(image, finding)| lost(image, finding));
        let unseen: BTreeSet<ImageId> = unseen.map(|(image, _)| image.clone()).collect();
        for image in &unseen {
            tracing::warn!(%image, "findings changed, and no event said so");
        }
        Ok(unseen.into_iter().collect())
    }
}
