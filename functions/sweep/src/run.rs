//! One run: its tasks, step by step, as long as there is time and room.

use std::collections::BTreeMap;

use aws::cloudwatch::Metric;
use aws::dynamodb::{Entries, Stored};
use aws::sqs::DelayedMessage;
use aws_sdk_cloudwatch::types::StandardUnit;
use domain::sweep::State;
use domain::text::with_causes;
use jiff::{SignedDuration, Timestamp};
use lambda::deadline::Deadline;

use crate::message::{self, Wake};
use crate::registry::Read;
use crate::{Sweep, SweepError};

/// Nothing is sent while the queues behind hold more messages than this.
const MOST_WAITING: u64 = 5_000;
/// Counts the runs themselves.
const SWEEPS: &str = "Sweeps";
/// Counts what listings have that cannot be read.
const UNREADABLE: &str = "Unreadable";
/// After how many seconds a run goes on that was not finished: as long as the queue behind takes for some of its messages.
const GOES_ON_AFTER: u16 = 60;

/// What is to be done in a run, what matters most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// What is due by the clock.
    Due,
    /// What was judged by another policy than the one that is deployed.
    Policy,
    /// What changed of Inspector's findings and came as no event.
    Changes,
    /// What is in the registry, and what Inspector covers.
    Walk,
    /// What is to be said of an adoption that has ended.
    Adoption,
    /// Where all images stand, as metrics.
    Gauges,
}

const TASKS: [Task; 6] = [Task::Due, Task::Policy, Task::Changes, Task::Walk, Task::Adoption, Task::Gauges];

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next task.
    Done,
    /// The next step of the same task.
    Again,
    /// The task goes on when some of what was sent has been worked off.
    Later,
}

/// What a step has to know of the run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) wake: Wake,
    pub(crate) now: Timestamp,
    /// How many messages the queues behind held when it began.
    pub(crate) waiting: u64,
    /// How many more messages may be sent to the queue behind.
    pub(crate) room: usize,
    /// What is counted, by metric.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// What the walk has read already.
    pub(crate) read: Read,
}

impl Run {
    /// Whether anything was sent to the queues behind.
    pub(crate) fn has_sent(&self) -> bool {
        self.counts.iter().any(|(metric, count)| ![SWEEPS, UNREADABLE].contains(metric) && *count > 0)
    }

    /// Notes what a listing has that cannot be read.
    pub(crate) fn note_unreadable(&mut self, reasons: &[String]) {
        for reason in reasons {
            tracing::error!(reason, "an entry of a listing cannot be read, and is left out");
        }
        if !reasons.is_empty() {
            *self.counts.entry(UNREADABLE).or_default() += reasons.len() as u64;
        }
    }

    /// Notes which entries of the table cannot be read.
    pub(crate) fn note_unread<T>(&mut self, entries: &Entries<T>) {
        let reasons: Vec<String> = entries.unreadable.iter().map(|entry| entry.reason.clone()).collect();
        self.note_unreadable(&reasons);
    }

    /// Counts what was sent.
    pub(crate) fn sent(&mut self, metric: &'static str, count: usize) {
        self.room = self.room.saturating_sub(count);
        *self.counts.entry(metric).or_default() += count as u64;
    }
}

impl Sweep {
    /// Does what is to be done, or as much of it as there is time and room for. A task that fails holds no other back.
    pub(crate) async fn run(&self, wake: Wake, deadline: Deadline) -> Result<(), SweepError> {
        let now = self.clock.now();
        let mut state = self.memory.load().await?;
        if wake == Wake::Continuation {
            state.value.note_continuation(now);
        }
        if state.value.watches.note(&self.included, &self.excluded, now) {
            // What is watched since now was there before, and is walked at once.
            state.value.walked_at = None;
            self.memory.store(&mut state).await?;
        }
        let mut waiting = 0;
        for queue in [&self.assess, &self.images, &self.push] {
            waiting += queue.held().await?;
        }
        let room = usize::try_from(MOST_WAITING.saturating_sub(waiting)).unwrap_or_default();
        let mut run =
            Run { wake, now, waiting, room, counts: BTreeMap::from([(SWEEPS, 1)]), read: Read::default() };
        let mut outcome = Ok(());
        let mut goes_on = false;
        for task in TASKS {
            match self.work(task, &mut state, &mut run, deadline).await {
                Ok(finished) => goes_on |= !finished,
                Err(error) if error.is_conflict() => {
                    tracing::info!("another run goes on from here");
                    return Ok(());
                }
                Err(error) if error.is_throttled() => {
                    tracing::warn!(?task, reason = with_causes(&error), "a task of the sweep goes on later");
                    goes_on = true;
                }
                Err(error) => {
                    tracing::error!(?task, reason = with_causes(&error), "a task of the sweep failed");
                    outcome = outcome.and(Err(error));
                }
            }
        }
        if goes_on && state.value.sends_continuation(now) {
            state.value.continues_at = Some(now + SignedDuration::from_secs(GOES_ON_AFTER.into()));
            self.memory.store(&mut state).await?;
            let message = DelayedMessage {
                delay_seconds: GOES_ON_AFTER,
                ..DelayedMessage::now(message::continuation())
            };
            self.queue.send_all(vec![message]).await?;
        }
        tracing::info!(?wake, waiting, counts = ?run.counts, goes_on, "swept");
        self.publish(&run).await?;
        outcome
    }

    /// Does a task. Returns whether it is finished for now.
    async fn work(
        &self,
        task: Task,
        state: &mut Stored<State>,
        run: &mut Run,
        deadline: Deadline,
    ) -> Result<bool, SweepError> {
        loop {
            let step = async {
                match task {
                    Task::Due => self.due(&state.value, run).await,
                    Task::Policy => self.new_policy(&state.value, run).await,
                    Task::Changes => self.changes(&state.value, run).await,
                    Task::Walk => self.walk(&state.value, run).await,
                    Task::Adoption => self.tell_adoption(&state.value, run).await,
                    Task::Gauges => self.gauge(&state.value, run).await,
                }
            };
            let Some(stepped) = deadline.limit(Box::pin(step)).await else { return Ok(false) };
            let (value, next) = stepped?;
            if value != state.value {
                state.value = value;
                self.memory.store(state).await?;
            }
            match next {
                Next::Done => return Ok(true),
                Next::Again => {}
                Next::Later => return Ok(false),
            }
        }
    }

    /// That a run was counted is what the alarm on missing sweeps waits for, so one that cannot say so has failed.
    async fn publish(&self, run: &Run) -> Result<(), SweepError> {
        let count = |(name, count): (&&'static str, &u64)| Metric {
            name,
            unit: StandardUnit::Count,
            dimensions: BTreeMap::new(),
            #[allow(clippy::cast_precision_loss)] // Far below 2^52.
            values: vec![(*count as f64, 1.0)],
        };
        let metrics: Vec<Metric> = run.counts.iter().map(count).collect();
        Ok(self.metrics.publish(&metrics, run.now).await?)
    }
}
