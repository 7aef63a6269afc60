//! Records who pushed what: the tags, when, the media type and the pusher; and of an index which images it contains.
//! Of an image under quarantine it tells enforce-quarantine what was done to it.

mod sighting;
mod unread;

use std::collections::BTreeSet;

use aws::AwsError;
use aws::dynamodb::{Enforcement, LedgerError, Ledgers, NotesError};
use aws::ecr::Registry;
use aws::sqs::{DelayedMessage, Queue};
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::event::{ActionType, Deletion, Event, EventError, Foreign, ImageAction};
use domain::image::ImageId;
use domain::ledger::{Evidence, Facts, Ledger};
use domain::manifest::{Contents, ManifestError};
use domain::provenance::Pusher;
use domain::quarantine::tampering::Sighting;
use domain::quarantine::{Mode, due_because, is_quarantine_tag};
use domain::text::sanitize;
use domain::verdict::Verdict;
use jiff::Timestamp;
use lambda::batch::{self, Report, Retry, Retryable, Subject};
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use lambda::outbox::Outbox;
use lambda::scope::Scope;
use sighting::{Enforcer, Held, Images};
use thiserror::Error;

/// Why a call of enforce-quarantine is skipped.
const OWN_CALL: &str = "a call of our own";

/// The function and its clients.
#[derive(Debug)]
pub struct RecordPush {
    ledgers: Ledgers,
    /// What quarantine did to images.
    enforcement: Enforcement,
    outbox: Outbox,
    registry: Registry,
    queue: Queue,
    /// The queue of enforce-quarantine.
    quarantine: Queue,
    /// `None` where it is not known which role that function has.
    enforcer: Option<Enforcer>,
    /// The quarantine mode of the deployment.
    mode: Mode,
    scope: Scope,
}

/// What an event says of its images.
#[derive(Debug)]
struct News {
    /// What the ledger takes in.
    evidence: Vec<Evidence>,
    /// What matters if they are under quarantine.
    seen: Option<Sighting>,
}

/// Why what is known of a push could not be stored, or not all of it.
#[derive(Debug, Error)]
pub enum PushError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Notes(#[from] NotesError),
    /// The push is stored, but the image's verdict remains pending.
    #[error("index {image}: {source}")]
    Manifest { image: Box<ImageId>, source: ManifestError },
}

impl Retryable for PushError {
    fn retry(&self) -> Retry {
        match self {
            Self::Ledger(error) => error.retry(),
            Self::Aws(error) if error.is_throttled() || unread::lasts(error) => Retry::Later,
            Self::Aws(error) => error.retry(),
            Self::Notes(error) => Retry::if_it_may_help(error.is_retryable()),
            Self::Manifest { .. } => Retry::Never,
        }
    }
}

impl RecordPush {
    /// Reads `TABLE_NAME`, `GONE_RETENTION_DAYS` (default 400), `QUEUE_URL`, `ROOTS_QUEUE_URL`, `QUARANTINE_QUEUE_URL`,
    /// `ENFORCING_ROLE` (optional), `QUARANTINE_MODE` (default `observe`) and what [`Scope::new`] reads.
    pub fn new(config: &SdkConfig, environment: &Environment) -> Result<Self, EnvironmentError> {
        let (client, table) = (aws_sdk_dynamodb::Client::new(config), environment.required("TABLE_NAME")?);
        let ledgers = Ledgers::new(client.clone(), table.clone())
            .expiring_after(environment.parsed("GONE_RETENTION_DAYS")?);
        let sqs = aws_sdk_sqs::Client::new(config);
        let roots = Queue::new(sqs.clone(), environment.required("ROOTS_QUEUE_URL")?);
        Ok(Self {
            outbox: Outbox::new(ledgers.clone(), roots),
            ledgers,
            enforcement: Enforcement::new(client, table),
            registry: Registry::new(aws_sdk_ecr::Client::new(config)),
            queue: Queue::new(sqs.clone(), environment.required("QUEUE_URL")?),
            quarantine: Queue::new(sqs, environment.required("QUARANTINE_QUEUE_URL")?),
            enforcer: environment.optional("ENFORCING_ROLE").map(|role| Enforcer::new(&role)),
            mode: environment.parsed("QUARANTINE_MODE")?,
            scope: Scope::new(environment)?,
        })
    }

    /// Handles a batch: one update an image, whatever the number of its messages.
    pub async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
        let read = |body: &str| self.read(body);
        batch::by_subject(event, deadline, &self.queue, read, async |images: Images, received| {
            let (messages, news) = batch::split(received);
            let evidence: Vec<Evidence> = news.iter().flat_map(|news| news.evidence.clone()).collect();
            let seen: Vec<Sighting> = news.into_iter().filter_map(|news| news.seen).collect();
            let mut outcome = Ok(());
            for image in &images {
                let recorded = self.record(image, &evidence, &seen).await;
                outcome = outcome.and(recorded);
            }
            Report::of(messages, outcome)
        })
        .await
    }

    /// What an event says of images, or why it says nothing. Our own quarantine tags come back as events
    /// like all others; the rules in template.yaml keep them out, and if one gets here it ends here.
    fn read(&self, body: &str) -> Result<Subject<Images, News>, EventError> {
        let not_ours = |reason: &str| Ok(Subject::NotOurs(reason.to_owned()));
        let (images, tag, evidence, seen) = match Event::parse(body)? {
            Event::ImageAction(action) => {
                let seen = sighting::of_action(&action);
                let tag = action.tag.clone().filter(|_| seen.is_none());
                // Whether our tag is on an image is no fact about it.
                let about_mark = action.tag.as_deref().is_some_and(is_quarantine_tag);
                let image = vec![action.image.clone()];
                (image, tag, (!about_mark).then_some(Evidence::Action(action)).into_iter().collect(), seen)
            }
            Event::PutImage(put) if self.is_ours(&put.pusher) => return not_ours(OWN_CALL),
            Event::PutImage(put) if sighting::takes_mark_from(&put).is_some() => {
                let other = sighting::takes_mark_from(&put).into_iter().collect();
                (other, None, Vec::new(), Some(sighting::of_move(&put)))
            }
            Event::PutImage(put) => {
                let seen = sighting::of_put(&put);
                (vec![put.image.clone()], put.tag.clone(), vec![Evidence::Put(put)], seen)
            }
            Event::Deletion(deletion) if self.is_ours(&deletion.actor.who) => return not_ours(OWN_CALL),
            // ECR's own events say what else was deleted.
            Event::Deletion(Deletion { removals, actor }) => {
                let removals = removals.into_iter().filter(sighting::takes_mark);
                let images: Images = removals.map(|removal| removal.image).collect();
                if images.is_empty() {
                    return not_ours("no quarantine tag was taken off");
                }
                (images, None, Vec::new(), Some(sighting::of_removal(&actor)))
            }
            Event::StorageChange(change) => {
                if change.actor.as_ref().is_some_and(|actor| self.is_ours(&actor.who)) {
                    return not_ours(OWN_CALL);
                }
                let Some(seen) = sighting::of_storage(&change) else {
                    return not_ours("an image was archived");
                };
                (vec![change.image], None, vec![Evidence::Restored { at: change.at }], Some(seen))
            }
            // An index of which no event has come.
            Event::Due(due) => (vec![due.image.clone()], None, due.evidence().collect(), None),
            Event::Finding(_) | Event::Scan(_) | Event::Coverage(_) => return not_ours("not a push"),
            Event::Foreign(Foreign(reason)) => return Ok(Subject::NotOurs(reason)),
        };
        if tag.is_some_and(|tag| is_quarantine_tag(&tag)) {
            return not_ours("our own quarantine tag");
        }
        let mut reason = None;
        let ours = |image: &ImageId| self.scope.check(image).map_err(|why| reason = Some(why)).is_ok();
        let images: Images = images.into_iter().filter(ours).collect();
        Ok(match reason {
            Some(reason) if images.is_empty() => Subject::NotOurs(reason.to_string()),
            _ => Subject::About(images, News { evidence, seen }),
        })
    }

    /// Whether enforce-quarantine made a call.
    fn is_ours(&self, who: &Pusher) -> bool {
        self.enforcer.as_ref().is_some_and(|enforcer| enforcer.is(who))
    }

    /// Stores what is learnt of an image, and then tells enforce-quarantine what was seen of one that is under quarantine:
    /// before the message leaves its queue.
    async fn record(
        &self,
        image: &ImageId,
        evidence: &[Evidence],
        seen: &[Sighting],
    ) -> Result<(), PushError> {
        let mut held = None;
        let stored = if evidence.is_empty() && !image.digest.is_whole() {
            // Whether it is under quarantine is known where its digest can be looked up.
            held = Some(Held { since: Timestamp::MIN, mode: self.mode });
            Ok(())
        } else if evidence.is_empty() {
            held = Held::of(&self.ledgers.load(image).await?.ledger, self.mode);
            Ok(())
        } else {
            self.store(image, evidence, &mut held).await
        };
        if let Some(held) = held {
            let seen = seen.iter().filter(|seen| held.is_touched_by(seen));
            let messages = seen.map(|seen| DelayedMessage::now(due_because(image, seen))).collect();
            self.quarantine.send_all(messages).await?;
        }
        stored
    }

    /// What an index contains; `None` where the registry does not have it any more.
    async fn contents(&self, index: &Ledger) -> Result<Option<Contents>, PushError> {
        let Some(manifest) = self.registry.manifest(&index.image).await? else { return Ok(None) };
        let read = Contents::read(&manifest.text);
        read.map(Some).map_err(|source| PushError::Manifest { image: Box::new(index.image.clone()), source })
    }

    /// What is learnt of an image. ECR does not say who takes a tag off; one that quarantine has taken off, which it notes
    /// before, still belongs to the image.
    async fn without_our_removals(
        &self,
        ledger: &Ledger,
        evidence: &[Evidence],
    ) -> Result<Vec<Evidence>, NotesError> {
        let announced = &ledger.announced;
        let was_judged = announced.verdict != Verdict::Pending || announced.quarantined;
        if !was_judged || evidence.iter().all(|piece| removed_tag(piece).is_none()) {
            return Ok(evidence.to_vec());
        }
        let removed = self.enforcement.notes(&ledger.image).await?.value.removed;
        let noted: BTreeSet<String> = removed.keys().map(|tag| sanitize(tag)).collect();
        let of_the_owner = |piece: &Evidence| match removed_tag(piece) {
            Some((tag, at)) if noted.contains(tag) => Evidence::Withheld { at, tags: vec![tag.clone()] },
            _ => piece.clone(),
        };
        Ok(evidence.iter().map(of_the_owner).collect())
    }

    /// Stores what is learnt of an image, and reads the manifest of an index that is new. What it contains is told so
    /// after it is stored ([`Outbox::empty`]): an index that is deleted meanwhile must know whom it has told.
    async fn store(
        &self,
        image: &ImageId,
        evidence: &[Evidence],
        held: &mut Option<Held>,
    ) -> Result<(), PushError> {
        let mut unread = None;
        self.outbox
            .update(image, async |ledger: &mut Ledger| {
                *held = Held::of(ledger, self.mode);
                let mut changed = false;
                for piece in self.without_our_removals(ledger, evidence).await? {
                    changed |= ledger.merge(piece);
                }
                if !needs_contents(&ledger.facts) {
                    return Ok::<_, PushError>(changed);
                }
                match self.contents(ledger).await {
                    Ok(Some(contents)) => Ok(ledger.merge(Evidence::Contents(contents)) | changed),
                    Ok(None) => Ok(changed),
                    // What is known of the push is stored all the same, and why its contents are not.
                    Err(error) => {
                        let noted = unread::reason(&error).is_some_and(|reason| {
                            let at = ledger.facts.present_at.or(ledger.facts.pushed_at).unwrap_or_default();
                            ledger.merge(Evidence::Unread { at, reason })
                        });
                        unread = Some(error).filter(|error| unread::is_to_be_tried_again(error, evidence));
                        Ok(changed | noted)
                    }
                }
            })
            .await?;
        unread.map_or(Ok(()), Err)
    }
}

/// The tag that an event says was taken off.
fn removed_tag(evidence: &Evidence) -> Option<(&String, Timestamp)> {
    match evidence {
        Evidence::Action(ImageAction { action: ActionType::Delete, tag: Some(tag), at, .. }) => {
            Some((tag, *at))
        }
        _ => None,
    }
}

/// Whether the manifest of an index has to be read.
fn needs_contents(facts: &Facts) -> bool {
    facts.is_index() && facts.contents.is_none() && !facts.is_gone()
}
