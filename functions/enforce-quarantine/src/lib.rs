//! Makes the registry agree with the verdict in the ledger.

mod acts;
mod admission;
mod copies;
mod error;
mod message;
mod pace;
mod parts;
mod registry;
mod remarks;
mod rules;
mod switch;
mod tampering;

use std::sync::atomic::AtomicBool;

use aws::dynamodb::{Enforcement, History, Ledgers, Stored};
use aws::ecr::{FoundImage, Registry};
use aws::eventbridge::Announcements;
use aws::sqs::Queue;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::image::{Digest, ImageId};
use domain::ledger::Ledger;
use domain::manifest::Contents;
use domain::quarantine::{
    Mode, Mutability, Note, Notes, Plan, Registered, Situation, Step, Whole, plan, tag,
};
use domain::verdict::Verdict;
use jiff::Timestamp;
use lambda::batch::{self, Report};
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};

use message::Work;
use pace::Pace;
use rules::Rules;
use tampering::Prompt;

pub use error::{MessageError, QuarantineError};

/// How often it acts anew on what changes meanwhile.
const ATTEMPTS: u32 = 3;

/// The function and its clients.
#[derive(Debug)]
pub struct EnforceQuarantine {
    ledgers: Ledgers,
    memory: Enforcement,
    history: History,
    registry: Registry,
    announcements: Announcements,
    queue: Queue,
    clock: Clock,
    pace: Pace,
    rules: Rules,
    choices: Choices,
    /// Whether what is in quarantine was told of this process's mode.
    mode_is_known: AtomicBool,
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
    /// What it contains, if it is an index.
    contents: Option<Contents>,
    /// The indexes that contain it.
    indexes: Vec<Digest>,
    /// What became of what it is a part of, if it is deployed in no other way.
    part_of: Option<Whole>,
}

impl Wanted {
    /// Whether the image is held under quarantine, in a mode that changes the registry.
    fn holds(&self, mode: Mode, notes: &Notes) -> bool {
        let held = match self.verdict {
            Verdict::Clear => false,
            Verdict::Quarantine => true,
            Verdict::Pending | Verdict::Unscannable => notes.quarantine.is_some(),
        };
        held && mode != Mode::Observe
    }
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
    /// Reads `TABLE_NAME`, `HISTORY_TABLE_NAME`, `QUEUE_URL`, `EVENT_BUS_NAME`, and with defaults `QUARANTINE_MODE`
    /// (`observe`), `UNTAG_MUTABLE` and `QUARANTINE_UNTAGGED` (`false`), `QUARANTINES_PER_HOUR` (0, any number) and
    /// `REGISTRY_WRITES_PER_SECOND` (3).
    pub fn new(
        config: &SdkConfig,
        environment: &Environment,
        clock: Clock,
    ) -> Result<Self, EnvironmentError> {
        let table = environment.required("TABLE_NAME")?;
        let client = aws_sdk_dynamodb::Client::new(config);
        Ok(Self {
            ledgers: Ledgers::new(client.clone(), table.clone()),
            history: History::new(client.clone(), environment.required("HISTORY_TABLE_NAME")?),
            memory: Enforcement::new(client, table),
            registry: Registry::new(aws_sdk_ecr::Client::new(config)),
            announcements: Announcements::new(
                aws_sdk_eventbridge::Client::new(config),
                environment.required("EVENT_BUS_NAME")?,
            ),
            queue: Queue::new(aws_sdk_sqs::Client::new(config), environment.required("QUEUE_URL")?),
            clock,
            pace: Pace::new(environment.parsed("REGISTRY_WRITES_PER_SECOND")?),
            rules: Rules::default(),
            choices: Choices {
                mode: environment.parsed("QUARANTINE_MODE")?,
                untag_mutable: environment.parsed("UNTAG_MUTABLE")?,
                untagged: environment.parsed("QUARANTINE_UNTAGGED")?,
                per_hour: environment.parsed("QUARANTINES_PER_HOUR")?,
            },
            mode_is_known: AtomicBool::new(false),
        })
    }

    /// Handles a batch: each image once, whatever the number of its messages.
    pub async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
        self.follow_mode(deadline).await;
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

    /// Acts on an image, and then on those parts of it to which quarantine has done something.
    async fn enforce(&self, image: &ImageId, prompt: Prompt) -> Result<(), QuarantineError> {
        let Wanted { contents, .. } = self.settle(image, prompt).await?;
        if self.choices.mode == Mode::Observe {
            return Ok(());
        }
        self.settle_parts(image, contents.as_ref()).await
    }

    /// Acts, and checks that the verdict still stands: another invocation that saw a newer one meanwhile may
    /// have left the tags alone because it found them as they should be then. Returns what was wanted in the end.
    async fn settle(&self, image: &ImageId, mut prompt: Prompt) -> Result<Wanted, QuarantineError> {
        let mut wanted = self.wanted(image).await?;
        for _ in 0..ATTEMPTS {
            let changed = match self.act(image, &wanted, &mut prompt).await {
                Ok(Acted::Nothing) => return Ok(wanted),
                Ok(Acted::Waits) => return Err(QuarantineError::Restoring(Box::new(image.clone()))),
                Ok(Acted::Changed) => true,
                Err(error) if error.is_conflict() => false,
                Err(error) => return Err(error),
            };
            let now = self.wanted(image).await?;
            if changed && now == wanted {
                return Ok(wanted);
            }
            wanted = now;
        }
        Err(QuarantineError::Unsettled(Box::new(image.clone())))
    }

    /// What was announced last, which may be newer than the announcement at hand.
    /// An image that is only deployed as a part of indexes is not in quarantine by itself; what it is follows from them.
    async fn wanted(&self, image: &ImageId) -> Result<Wanted, QuarantineError> {
        let ledger = self.ledgers.load(image).await?.ledger;
        let part_of = if ledger.facts.is_root() { None } else { Some(self.whole(&ledger).await?) };
        let Ledger { announced, facts, .. } = ledger;
        Ok(Wanted {
            verdict: match part_of {
                None => announced.enforced(),
                Some(Whole::Clear) => Verdict::Clear,
                Some(Whole::Pulled | Whole::Withdrawn) => Verdict::Pending,
            },
            mode: self.choices.mode.with_rules(announced.quarantine_mode),
            // A ledger of an earlier release does not have it.
            episode: announced.quarantined_by.unwrap_or_else(|| image.to_string()),
            // Scans of a part are announced with what it is a part of.
            scanned_at: match part_of {
                None => announced.scan,
                Some(_) => facts.newest_scan().map(|(at, _)| at),
            },
            first_pushed: facts.pushed_at,
            indexes: facts.parents().cloned().collect(),
            contents: facts.contents,
            part_of,
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
        let mut written = self.recall(image, &notes).await;
        let wanted = &self.as_noted(image, wanted.clone(), &notes.value).await?;
        let mut registered = match found {
            Some(found) => Some(self.registered(image, found, wanted.mode, &notes.value).await?),
            None => None,
        };
        let wish = self.plan_by_kind(image, (wanted, wanted.mode), registered.as_mut(), &notes.value).await;
        let Some(mode) =
            self.admit(image, wanted, registered.as_ref(), &wish, &mut written, &mut notes).await?
        else {
            self.done(image, written, &mut notes).await?;
            tracing::info!(%image, "held, because more images come under quarantine than the limit allows");
            return Ok(Acted::Nothing);
        };
        if let Some(registered) = &mut registered {
            self.relate(image, wanted, mode, registered).await?;
        }
        let plan = self.plan_by_kind(image, (wanted, mode), registered.as_mut(), &notes.value).await;
        self.tell_of_copies(image, &plan).await?;
        let registered = registered.as_ref();
        let Plan { reason, mut steps, remarks, waits } = plan;
        self.watch(image, (wanted, mode), registered, &mut steps, prompt, &mut notes).await?;
        self.say(image, &remarks, &mut notes).await?;
        if steps.is_empty() {
            self.done(image, written, &mut notes).await?;
            self.conclude(image, (wanted, mode), registered, false, prompt, &mut notes).await?;
            tracing::info!(%image, verdict = %wanted.verdict, reason, %mode, "left as it is");
            return Ok(if waits { Acted::Waits } else { Acted::Nothing });
        }
        written &= self.begin(image, wanted.verdict, &steps, reason, &mut notes).await?;
        let tags = registered.map(|registered| registered.tags.clone()).unwrap_or_default();
        let marked = steps.contains(&Step::Put(tag(image))) && wanted.verdict != Verdict::Clear;
        prompt.touched = true;
        let was_there = self.carry_out(image, steps, tags, reason, &mut notes).await?;
        self.done(image, written, &mut notes).await?;
        if !was_there {
            tracing::info!(%image, "the image went before its tags could be changed");
            return Ok(Acted::Nothing);
        }
        self.conclude(image, (wanted, mode), registered, marked, prompt, &mut notes).await?;
        Ok(if waits { Acted::Waits } else { Acted::Changed })
    }

    /// What is wanted of an image with these notes. A part was judged by nobody as such, so no rule says how far to go: as
    /// far as it has gone before. And an index that is scanned again is scanned when all of its platforms are.
    async fn as_noted(
        &self,
        image: &ImageId,
        mut wanted: Wanted,
        notes: &Notes,
    ) -> Result<Wanted, QuarantineError> {
        wanted.mode = match (self.choices.mode, wanted.part_of, notes.mode()) {
            (Mode::Observe, ..) => Mode::Observe,
            (_, Some(_), Some(in_force)) => in_force,
            _ => wanted.mode,
        };
        if notes.is_rescanned() && wanted.contents.is_some() {
            let all = self.all_scanned_at(image, wanted.contents.as_ref()).await?;
            wanted.scanned_at = wanted.scanned_at.min(all);
        }
        Ok(wanted)
    }

    /// Which tags can move is asked only where something depends on it.
    async fn registered(
        &self,
        image: &ImageId,
        found: FoundImage,
        mode: Mode,
        notes: &Notes,
    ) -> Result<Registered, QuarantineError> {
        let may_matter = mode == Mode::Untag || notes.is_rescanned() || !notes.removed.is_empty();
        // A deployment that observes changes nothing, and may not ask.
        let matters = may_matter && mode != Mode::Observe;
        let mutability = if matters { self.registry.mutability(image).await? } else { Mutability::default() };
        let FoundImage { tags, status, activated_at, .. } = found;
        Ok(Registered { tags, status, activated_at, mutability, ..Registered::default() })
    }

    /// Whether the repository is a cache is asked only where tags would go.
    async fn plan_by_kind(
        &self,
        image: &ImageId,
        (wanted, mode): (&Wanted, Mode),
        registered: Option<&mut Registered>,
        notes: &Notes,
    ) -> Plan {
        let plan = self.plan(image, wanted, mode, registered.as_deref(), notes);
        let Some(registered) = registered.filter(|_| plan.untags()) else { return plan };
        registered.kind = self.rules.kind(&self.registry, image, self.clock.now()).await;
        self.plan(image, wanted, mode, Some(registered), notes)
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
            part_of: wanted.part_of,
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
