//! The walk through the registry and through what Inspector covers: once a day, and first for what was there before.

use std::collections::{BTreeMap, BTreeSet};

use aws::ecr::ListedImage;
use aws::sqs::DelayedMessage;
use domain::event::{self, ImageDue};
use domain::image::ImageId;
use domain::ledger::{CoverageAnswer, Ledger};
use domain::quarantine::{self, Status};
use domain::row::StatusRow;
use domain::sweep::{Registered, Stage, State, Walk, Want, missing, want};
use jiff::Timestamp;

use crate::message::Wake;
use crate::run::{Next, Run};
use crate::{Sweep, SweepError};

/// Up to how many messages in the queues behind do not keep a stage from beginning.
const STILL_WAITING: u64 = 1_000;

/// What one run has read already.
#[derive(Debug, Default)]
pub(crate) struct Read {
    repositories: Option<Vec<String>>,
    rows: Option<BTreeMap<String, Rows>>,
}

/// The images of a repository that are in the index.
#[derive(Debug, Clone, Default)]
struct Rows {
    rows: Vec<(ImageId, StatusRow)>,
    /// Those of which no more is known than that.
    unreadable: Vec<ImageId>,
}

/// What a step found.
#[derive(Debug, Default)]
struct Found {
    to_record: Vec<ImageDue>,
    to_judge: Vec<ImageDue>,
    /// For enforcement.
    drifted: Vec<ImageId>,
    /// How many are among those to be judged only because their tags are others.
    retagged: usize,
}

impl Found {
    fn len(&self) -> usize {
        self.to_record.len() + self.to_judge.len()
    }

    /// Since when the repositories are watched of those that were there before.
    fn adopted(&self) -> impl Iterator<Item = Timestamp> {
        self.to_record.iter().chain(&self.to_judge).filter_map(|due| due.adopted_at)
    }

    /// Leaves out what has no room. Returns whether all had.
    fn fit(&mut self, room: usize) -> bool {
        let all = self.len();
        self.to_record.truncate(room);
        self.to_judge.truncate(room - self.to_record.len());
        self.len() == all
    }
}

impl Sweep {
    pub(crate) async fn walk(&self, state: &State, run: &mut Run) -> Result<(State, Next), SweepError> {
        let mut state = state.clone();
        if state.walk.is_none() && run.wake == Wake::Schedule && Walk::is_due(state.walked_at, run.now) {
            state.walk = Some(Walk::new(run.now));
        }
        let Some(walk) = state.walk.clone() else { return Ok((state, Next::Done)) };
        // What a stage sent has to be handled before the next one asks what is known.
        let begins = walk.repository.is_none() && walk.token.is_none();
        if begins && (run.waiting > STILL_WAITING || run.has_sent()) {
            return Ok((state, Next::Later));
        }
        let (found, next) = match walk.stage {
            Stage::Indexes => self.indexes(&state, &walk, run).await?,
            Stage::Covered => self.covered(&state, &walk, run).await?,
            Stage::Registry => self.registered(&state, &walk, run).await?,
        };
        let mut found = found;
        // What has no room comes with the next attempt, when what is sent now is known.
        let fits = found.fit(run.room);
        self.tell(&found, run).await?;
        let adoption = &mut state.adoption;
        adoption.sent += found.adopted().count() as u64;
        adoption.from = adoption.from.into_iter().chain(found.adopted()).min();
        if adoption.from.is_some() && adoption.since.is_none() {
            (adoption.since, adoption.told_at) = (Some(walk.since), None);
        }
        if !fits {
            return Ok((state, Next::Later));
        }
        state.walk = next.or_else(|| walk.next_stage());
        if state.walk.is_some() {
            return Ok((state, Next::Again));
        }
        state.walked_at = Some(walk.since);
        if state.adoption.since.is_some() && state.adoption.all_sent_at.is_none() {
            state.adoption.all_sent_at = Some(run.now);
        }
        Ok((state, Next::Done))
    }

    /// A page of the indexes of a repository.
    async fn indexes(
        &self,
        state: &State,
        walk: &Walk,
        run: &mut Run,
    ) -> Result<(Found, Option<Walk>), SweepError> {
        let Some(repository) = self.repository(state, walk, run).await? else {
            return Ok((Found::default(), None));
        };
        let token = walk.token.clone();
        let page = match self.registry.images(&self.account, &self.region, &repository, token).await {
            Err(error) if walk.token.is_some() && !error.retryable => {
                tracing::warn!(reason = %error, "a page was refused, so the repository is read from its beginning");
                return Ok((Found::default(), Some(Walk { token: None, ..walk.clone() })));
            }
            page => page?,
        };
        run.note_unreadable(&page.unreadable);
        let token = page.next;
        let listed = page.items.into_iter().filter_map(registered);
        let indexes: Vec<(Registered, Option<CoverageAnswer>)> =
            listed.filter(Registered::is_index).map(|index| (index, None)).collect();
        let found = self.weigh(state, indexes, run).await?;
        Ok((found, self.after(state, walk, repository, token, run).await?))
    }

    /// A page of what Inspector covers. Without Inspector that is nothing.
    async fn covered(
        &self,
        state: &State,
        walk: &Walk,
        run: &mut Run,
    ) -> Result<(Found, Option<Walk>), SweepError> {
        let page = match self.inspector.covered(&self.account, walk.token.clone()).await {
            Ok(page) => page,
            Err(error) if error.is("AccessDenied") => {
                tracing::info!(reason = %error, "Inspector is not active, or not allowed to be asked");
                return Ok((Found::default(), None));
            }
            Err(error) if walk.token.is_some() && !error.retryable => {
                tracing::warn!(reason = %error, "a page was refused, so the list is read from its beginning");
                return Ok((Found::default(), Some(Walk { token: None, ..walk.clone() })));
            }
            Err(error) => return Err(error.into()),
        };
        run.note_unreadable(&page.unreadable);
        let (covered, token) = (page.items, page.next);
        let watched = |image: &ImageId| state.watches.since(&image.repository).is_some();
        let mut by_repository: BTreeMap<String, Vec<(ImageId, CoverageAnswer)>> = BTreeMap::new();
        for (image, answer) in covered.into_iter().filter(|(image, _)| watched(image)) {
            by_repository.entry(image.repository.clone()).or_default().push((image, answer));
        }
        let mut found = Found::default();
        for covered in by_repository.into_values() {
            let mut answers: BTreeMap<ImageId, CoverageAnswer> = BTreeMap::new();
            for (image, answer) in covered {
                // Of several entries about an image the one that says yes counts.
                let known = answers.entry(image).or_insert_with(|| answer.clone());
                *known = answer.max(known.clone());
            }
            let images: Vec<ImageId> = answers.keys().cloned().collect();
            let described = self.registry.described(&images).await?;
            run.note_unreadable(&described.unreadable);
            let answered = described.items.into_iter().filter_map(registered).map(|one| {
                let answer = answers.get(&one.image).cloned();
                (one, answer)
            });
            let more = self.weigh(state, answered.collect(), run).await?;
            found.to_record.extend(more.to_record);
            found.to_judge.extend(more.to_judge);
            found.retagged += more.retagged;
        }
        Ok((found, token.map(|token| Walk { token: Some(token), ..walk.clone() })))
    }

    /// All that a repository has, held against the index of all images.
    async fn registered(
        &self,
        state: &State,
        walk: &Walk,
        run: &mut Run,
    ) -> Result<(Found, Option<Walk>), SweepError> {
        let Some(repository) = self.repository(state, walk, run).await? else {
            return Ok((Found::default(), None));
        };
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let page = self.registry.images(&self.account, &self.region, &repository, token).await?;
            run.note_unreadable(&page.unreadable);
            all.extend(page.items.into_iter().filter_map(registered));
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        // Read before the registry would be older than it; what was pushed since is young, and left alone.
        let rows = self.rows_of(&repository, run).await?;
        let missing = missing(&rows.rows, &rows.unreadable, &all, self.marks);
        let images = all.into_iter().filter(|one| !one.is_index()).map(|one| (one, None)).collect();
        let mut found = self.weigh(state, images, run).await?;
        let due = |image: ImageId| ImageDue {
            policy: Some(self.wanted(run)),
            registry_differs: true,
            ..ImageDue::new(image)
        };
        found.to_judge.extend(missing.gone.into_iter().map(due));
        found.drifted = missing.drifted;
        Ok((found, self.after(state, walk, repository, None, run).await?))
    }

    /// What is to be done about manifests of one repository, with what Inspector says of them.
    async fn weigh(
        &self,
        state: &State,
        page: Vec<(Registered, Option<CoverageAnswer>)>,
        run: &mut Run,
    ) -> Result<Found, SweepError> {
        let images: Vec<ImageId> = page.iter().map(|(one, _)| one.image.clone()).collect();
        let known = self.ledgers.known(&images).await?;
        run.note_unread(&known);
        // An image whose ledger cannot be read is not unknown, and what is sent for it would fail.
        let unread: BTreeSet<&ImageId> = known.unreadable_images().collect();
        let known: BTreeMap<&ImageId, &Ledger> =
            known.items.iter().map(|ledger| (&ledger.image, ledger)).collect();
        let mut found = Found::default();
        for (one, answer) in page.into_iter().filter(|(one, _)| !unread.contains(&one.image)) {
            let known = known.get(&one.image).copied();
            let adopted_at = state.watches.adopts(&one.image.repository, one.pushed_at);
            let wanted = want(&one, answer.as_ref(), known, adopted_at.is_some(), run.now);
            if wanted == Want::Nothing {
                continue;
            }
            let is_new = known.is_none_or(is_hearsay);
            let adopted_at = adopted_at.filter(|_| is_new);
            let registry_differs = !is_new && known.is_some_and(|known| one.is_retagged(known));
            let due = ImageDue {
                policy: Some(self.wanted(run)),
                registry_differs,
                adopted_at,
                registered: Some(event::Registered {
                    at: run.now,
                    tags: one.tags,
                    pushed_at: one.pushed_at,
                    media_type: one.media_type,
                })
                .filter(|_| is_new || wanted == Want::Record),
                coverage: answer.map(|answer| (run.now, answer)),
                ..ImageDue::new(one.image)
            };
            found.retagged += usize::from(wanted == Want::Describe);
            match wanted {
                Want::Record => found.to_record.push(due),
                Want::Judge | Want::Describe | Want::Nothing => found.to_judge.push(due),
            }
        }
        Ok(found)
    }

    /// Sends what a step found.
    async fn tell(&self, found: &Found, run: &mut Run) -> Result<(), SweepError> {
        let messages =
            |dues: &[ImageDue]| dues.iter().map(|due| DelayedMessage::now(due.message())).collect();
        self.push.send_all(messages(&found.to_record)).await?;
        self.assess.send_all(messages(&found.to_judge)).await?;
        let drifted = found.drifted.iter().map(|image| DelayedMessage::now(quarantine::due(image)));
        self.quarantine.send_all(drifted.collect()).await?;
        let adopted = found.adopted().count();
        run.sent("ImagesAdopted", adopted);
        let lost = found.len() - adopted + found.drifted.len();
        run.sent("Reconciled", lost.saturating_sub(found.retagged));
        Ok(())
    }

    /// The repository that is read; `None` if there is none.
    async fn repository(
        &self,
        state: &State,
        walk: &Walk,
        run: &mut Run,
    ) -> Result<Option<String>, SweepError> {
        if run.read.repositories.is_none() {
            let (mut names, mut token) = (Vec::new(), None);
            loop {
                let page = self.registry.repositories(&self.account, token).await?;
                run.note_unreadable(&page.unreadable);
                names.extend(page.items);
                token = page.next;
                if token.is_none() {
                    break;
                }
            }
            names.retain(|name| state.watches.since(name).is_some());
            names.sort();
            run.read.repositories = Some(names);
        }
        let names = run.read.repositories.iter().flatten();
        let from = walk.repository.as_deref().unwrap_or_default();
        Ok(names.into_iter().find(|name| name.as_str() >= from).cloned())
    }

    /// What comes after a page of a repository; `None` after the last of the stage.
    async fn after(
        &self,
        state: &State,
        walk: &Walk,
        repository: String,
        token: Option<String>,
        run: &mut Run,
    ) -> Result<Option<Walk>, SweepError> {
        if token.is_some() {
            return Ok(Some(Walk { repository: Some(repository), token, ..walk.clone() }));
        }
        // The first name after this one.
        let next = Walk { repository: Some(repository + "\0"), token: None, ..walk.clone() };
        let is_there = self.repository(state, &next, run).await?.is_some();
        Ok(is_there.then_some(next))
    }

    /// The images of a repository that are in the index.
    async fn rows_of(&self, repository: &str, run: &mut Run) -> Result<Rows, SweepError> {
        if run.read.rows.is_none() {
            let listed = self.ledgers.rows().await?;
            run.note_unread(&listed);
            let is_ours = |image: &&ImageId| image.account == self.account && image.region == self.region;
            let mut rows: BTreeMap<String, Rows> = BTreeMap::new();
            for image in listed.unreadable_images().filter(is_ours) {
                rows.entry(image.repository.clone()).or_default().unreadable.push(image.clone());
            }
            for listed in listed.items.into_iter().filter(|listed| is_ours(&&listed.image)) {
                let of_repository = rows.entry(listed.image.repository.clone()).or_default();
                of_repository.rows.push((listed.image, listed.row));
            }
            run.read.rows = Some(rows);
        }
        Ok(run.read.rows.as_ref().and_then(|rows| rows.get(repository)).cloned().unwrap_or_default())
    }
}

/// What ECR lists, as far as it is to be weighed. Of one without the time of its push it cannot be told whether it was there
/// before.
fn registered(listed: ListedImage) -> Option<Registered> {
    let ListedImage { image, tags, status, pushed_at, media_type, artifact_media_type, .. } = listed;
    let is_archived = status != Status::Active;
    Some(Registered { image, tags, pushed_at: pushed_at?, media_type, artifact_media_type, is_archived })
}

/// Whether all that is known of an image is what others say of it: an index that names it, a finding. Whose push came as an
/// event was not there before.
fn is_hearsay(known: &Ledger) -> bool {
    known.facts.is_gone() || known.announced.at.is_none() && known.facts.present_at.is_none()
}
