//! Makes the registry agree with the verdict in the ledger.

mod admission;
mod error;
mod message;
mod pace;
mod registry;
mod remarks;
mod tampering;

use aws::dynamodb::{Enforcement, LedgerError, Ledgers, Stored};
use aws::ecr::{FoundImage, Registry};
use aws::eventbridge::Announcements;
use aws::sqs::Queue;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::image::ImageId;
use domain::ledger::Ledger;
use domain::quarantine::{Mode, Mutability, Note, Notes, Plan, Registered, Situation, Step, plan, tag};
use domain::verdict::Verdict;
use jiff::Timestamp;
use lambda::batch::{self, Report};
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};

use message::Work;
use pace::Pace;
use tampering::Prompt;

pub use error::{MessageError, QuarantineError};

/// How often it acts anew on what changes meanwhile.
const ATTEMPTS: u32 = 3;

/// The function and its clients.
#[derive(Debug)]
pub struct EnforceQuarantine {
    ledgers: Ledgers,
    memory: Enforcement,
    registry: Registry,
    announcements: Announcements,
    queue: Queue,
    clock: Clock,
    pace: Pace,
    choices: Choices,
}

/// What the operator chose.
#[derive(Debug, Clone, Copy)]
struct Choices {
    mode: Mode,
    untag_mutable: bool,
    untagged: bool,
    /// How many images that were there before may come under quarantine in an hour; 0 is any number.
    per_hour: u32,
}

/// What enforcement depends on, of what the ledger says. It reads the ledger again after it has acted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    verdict: Verdict,
    mode: Mode,
    /// The announcement that put the image under quarantine.
    episode: String,
    scanned_at: Option<Timestamp>,
    first_pushed: Option<Timestamp>,
}

/// What came of an attempt.
enum Acted {
    /// The registry agreed already.
    Nothing,
    Changed,
    /// More is to be done when the image has been restored.
    Waits,
}

impl EnforceQuarantine {
    /// Reads `TABLE_NAME`, `QUEUE_URL`, `EVENT_BUS_NAME`, and with defaults `QUARANTINE_MODE` (`observe`), `UNTAG_MUTABLE` and
    /// `QUARANTINE_UNTAGGED` (`false`), `QUARANTINES_PER_HOUR` (0, any number) and `REGISTRY_WRITES_PER_SECOND` (3).
    pub fn new(
        config: &SdkConfig,
        environment: &Environment,
        clock: Clock,
    ) -> Result<Self, EnvironmentError> {
        let table = environment.required("TABLE_NAME")?;
        let client = aws_sdk_dynamodb::Client::new(config);
        Ok(Self {
            ledgers: Ledgers::new(client.clone(), table.clone()),
            memory: Enforcement::new(client, table),
            registry: Registry::new(aws_sdk_ecr::Client::new(config)),
            announcements: Announcements::new(
                aws_sdk_eventbridge::Client::new(config),
                environment.required("EVENT_BUS_NAME")?,
            ),
            queue: Queue::new(aws_sdk_sqs::Client::new(config), environment.required("QUEUE_URL")?),
            clock,
            pace: Pace::new(environment.parsed("REGISTRY_WRITES_PER_SECOND")?),
            choices: Choices {
                mode: environment.parsed("QUARANTINE_MODE")?,
                untag_mutable: environment.parsed("UNTAG_MUTABLE")?,
                untagged: environment.parsed("QUARANTINE_UNTAGGED")?,
                per_hour: environment.parsed("QUARANTINES_PER_HOUR")?,
            },
        })
    }

    /// Handles a batch: each image once, whatever the number of its messages.
    pub async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
        batch::by_subject(event, deadline, &self.queue, message::read, async |work, received| {
            let (messages, prompts) = batch::split(received);
            let outcome = match work {
                Work::Image(image) => self.enforce_whole(&image, Prompt::of(prompts)).await,
                Work::Held => self.tell_held().await,
            };
            Report::of(messages, outcome)
        })
        .await
    }

    /// Acts, and checks that the verdict still stands: another invocation that saw a newer one meanwhile may
    /// have left the tags alone because it found them as they should be then.
    async fn enforce(&self, image: &ImageId, mut prompt: Prompt) -> Result<(), QuarantineError> {
        let mut wanted = self.wanted(image).await?;
        for _ in 0..ATTEMPTS {
            let changed = match self.act(image, &wanted, &mut prompt).await {
                Ok(Acted::Nothing) => return Ok(()),
                Ok(Acted::Waits) => return Err(QuarantineError::Restoring(Box::new(image.clone()))),
                Ok(Acted::Changed) => true,
                Err(error) if error.is_conflict() => false,
                Err(error) => return Err(error),
            };
            let now = self.wanted(image).await?;
            if changed && now == wanted {
                return Ok(());
            }
            wanted = now;
        }
        Err(QuarantineError::Unsettled(Box::new(image.clone())))
    }

    /// What was announced last, which may be newer than the announcement at hand.
    /// An image that is only deployed as a part of indexes is not in quarantine by itself, whatever they are.
    async fn wanted(&self, image: &ImageId) -> Result<Wanted, LedgerError> {
        let Ledger { announced, facts, .. } = self.ledgers.load(image).await?.ledger;
        Ok(Wanted {
            verdict: if facts.is_root() { announced.verdict } else { Verdict::Clear },
            mode: self.choices.mode.with_rules(announced.quarantine_mode),
            // A ledger of an earlier release does not have it.
            episode: announced.quarantined_by.unwrap_or_else(|| image.to_string()),
            scanned_at: announced.scan,
            first_pushed: facts.pushed_at,
        })
    }

    /// Makes the registry agree with what is wanted.
    async fn act(
        &self,
        image: &ImageId,
        wanted: &Wanted,
        prompt: &mut Prompt,
    ) -> Result<Acted, QuarantineError> {
        let found = self.registry.find(image).await?;
        let mut notes = self.memory.notes(image).await?;
        let registered = match found {
            Some(found) => Some(self.registered(image, found, wanted.mode, &notes.value).await?),
            None => None,
        };
        let registered = registered.as_ref();
        let wish = self.plan(image, wanted, wanted.mode, registered, &notes.value);
        let Some(mode) = self.admit(image, wanted, registered, &wish, &mut notes).await? else {
            tracing::info!(%image, "held, because more images come under quarantine than the limit allows");
            return Ok(Acted::Nothing);
        };
        let Plan { reason, mut steps, remarks, waits } =
            self.plan(image, wanted, mode, registered, &notes.value);
        self.watch(image, (wanted, mode), registered, &mut steps, prompt, &mut notes).await?;
        self.say(image, &remarks, &mut notes).await?;
        if steps.is_empty() {
            self.settle(image, (wanted, mode), registered, false, prompt, &mut notes).await?;
            tracing::info!(%image, verdict = %wanted.verdict, reason, %mode, "left as it is");
            return Ok(if waits { Acted::Waits } else { Acted::Nothing });
        }
        let tags = registered.map(|registered| registered.tags.clone()).unwrap_or_default();
        let marked = steps.contains(&Step::Put(tag(image))) && wanted.verdict != Verdict::Clear;
        prompt.touched = true;
        if !self.carry_out(image, steps, tags, reason, &mut notes).await? {
            tracing::info!(%image, "the image went before its tags could be changed");
            return Ok(Acted::Nothing);
        }
        self.settle(image, (wanted, mode), registered, marked, prompt, &mut notes).await?;
        Ok(if waits { Acted::Waits } else { Acted::Changed })
    }

    /// Which tags can move is asked only where something depends on it.
    async fn registered(
        &self,
        image: &ImageId,
        found: FoundImage,
        mode: Mode,
        notes: &Notes,
    ) -> Result<Registered, QuarantineError> {
        let matters = mode == Mode::Untag || !notes.removed.is_empty();
        let mutability = if matters { self.registry.mutability(image).await? } else { Mutability::default() };
        let FoundImage { tags, status, .. } = found;
        Ok(Registered { tags, status, mutability, ..Registered::default() })
    }

    fn plan(
        &self,
        image: &ImageId,
        wanted: &Wanted,
        mode: Mode,
        registered: Option<&Registered>,
        notes: &Notes,
    ) -> Plan {
        plan(&Situation {
            image,
            verdict: wanted.verdict,
            mode,
            scanned_at: wanted.scanned_at,
            registered,
            notes,
            untag_mutable: self.choices.untag_mutable,
            untagged: self.choices.untagged,
        })
    }

    /// Writes a note down, if it says anything new.
    async fn note(
        &self,
        image: &ImageId,
        notes: &mut Stored<Notes>,
        note: Note,
    ) -> Result<(), QuarantineError> {
        let now = self.clock.now();
        if notes.value.take(note, now) {
            self.memory.store_notes(image, notes, now).await?;
        }
        Ok(())
    }
}
