//! The deployed stack: rules, queues and mappings, and the messages in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::batch::{Batch, Failed, Finished};
use crate::error::TemplateError;
use crate::mapping::Mapping;
use crate::name::bus_name;
use crate::pattern::Pattern;
use crate::queue::{AfterFailure, Queue};
use crate::record::Record;
use crate::template::{Pseudo, Template};

/// A function of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The logical id, such as `AssessImage`.
    pub logical_id: String,
    /// The last segment of `CodeUri`, which is the name of the package: `assess-image`.
    pub name: String,
    /// The environment variables that the template sets.
    pub environment: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout_seconds: u32,
    /// What the function's role allows.
    pub grants: Vec<Grant>,
}

/// A statement of a role's policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The IAM actions, such as `ecr:PutImage`.
    pub actions: BTreeSet<String>,
    /// The ARNs, or `*`.
    pub resources: BTreeSet<String>,
    /// Whether it holds only under a condition.
    pub conditional: bool,
}

/// A table of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The logical id, such as `Ledger`.
    pub logical_id: String,
    /// The physical name.
    pub name: String,
    /// The name of the hash key.
    pub key: String,
}

/// A rule of the template and the queues that it sends to.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The logical id.
    pub logical_id: String,
    /// The name of the bus; `default` is the account's own.
    pub bus: String,
    /// The compiled pattern; `None` for a rule that only has a schedule.
    pub pattern: Option<Pattern>,
    /// The logical ids of the queues.
    pub queues: Vec<String>,
}

/// Where an event went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routed {
    /// The logical ids of the queues that have the event now; one for each target of each rule.
    pub queues: Vec<String>,
    /// The logical ids of the rules that matched; none means that nobody wanted the event.
    pub rules: Vec<String>,
    /// The logical ids of the queues that refused the event because it is longer than a message may be.
    pub refused: Vec<String>,
}

/// An invocation that has not been finished yet.
#[derive(Debug)]
struct Invocation {
    mapping: usize,
    /// When its messages become visible again, which ends it whatever it still does.
    ends_at: i64,
}

/// The stack of a template. It has no clock: the caller says what time it is, in milliseconds since 1970.
#[derive(Debug)]
pub struct Stack {
    pub(crate) region: String,
    pub(crate) functions: Vec<Function>,
    pub(crate) tables: Vec<Table>,
    pub(crate) topics: Vec<String>,
    pub(crate) buses: Vec<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) queues: BTreeMap<String, Queue>,
    invocations: BTreeMap<u64, Invocation>,
    next_message: u64,
    next_invocation: u64,
    /// The mapping whose turn it is.
    turn: usize,
}

impl Stack {
    /// Reads a template. `overrides` are the values of parameters that shall not have their defaults.
    pub fn load(
        text: &str,
        overrides: &BTreeMap<String, String>,
        pseudo: &Pseudo,
    ) -> Result<Self, TemplateError> {
        let template = Template::read(text, overrides, pseudo)?;
        let functions = crate::load::functions(&template)?;
        let queues = crate::load::queues(&template)?;
        let mappings = crate::load_mapping::mappings(&template, &functions, &queues)?;
        let rules = crate::load::rules(&template, &queues)?;
        crate::permission::check(&template, &rules)?;
        Ok(Self {
            region: pseudo.region.clone(),
            tables: crate::load::tables(&template)?,
            topics: crate::load::topics(&template)?,
            buses: crate::load::buses(&template)?,
            functions,
            rules,
            mappings,
            queues,
            invocations: BTreeMap::new(),
            next_message: 1,
            next_invocation: 1,
            turn: 0,
        })
    }

    /// The functions, ordered by logical id.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter()
    }

    /// How long a queue hides a message that somebody took, in milliseconds; `None` where there is no such queue.
    pub fn visibility_timeout(&self, queue: &str) -> Option<i64> {
        self.queues.get(queue).map(Queue::visibility_timeout)
    }

    /// The tables, ordered by logical id.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The ARNs of the topics, ordered by logical id.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// The names of the buses that the template adds to the account's default bus.
    pub fn buses(&self) -> &[String] {
        &self.buses
    }

    /// The rules, ordered by logical id.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The event source mappings, ordered by logical id.
    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// Sends an event to the queues of every rule on the bus that matches it. The bus is `default`, a
    /// name or an ARN.
    pub fn route(&mut self, bus: &str, event: &Value, now: i64) -> Routed {
        let bus = bus_name(bus);
        let mut routed = Routed::default();
        let mut body: Option<Arc<str>> = None;
        for rule in &self.rules {
            if rule.bus != bus || !rule.pattern.as_ref().is_some_and(|pattern| pattern.matches(event)) {
                continue;
            }
            routed.rules.push(rule.logical_id.clone());
            for target in &rule.queues {
                let Some(queue) = self.queues.get_mut(target) else { continue };
                let body = body.get_or_insert_with(|| serialize(event));
                match queue.send(self.next_message, Arc::clone(body), now) {
                    Ok(()) => {
                        self.next_message += 1;
                        routed.queues.push(target.clone());
                    }
                    Err(_) => routed.refused.push(target.clone()),
                }
            }
        }
        routed
    }

    /// The next invocation that Lambda would start, if any.
    ///
    /// Mappings that have a full batch, or whose batching window has passed, take turns. When there is
    /// none and nothing is being delivered either, nothing more could arrive before the window ends, so
    /// the window that would end first counts as passed. A window is therefore never waited for, and
    /// still gathers everything that the rest of the pipeline had to say.
    pub fn next_batch(&mut self, now: i64) -> Option<Batch> {
        self.invocations.retain(|_, invocation| invocation.ends_at > now);
        // A queue may have nothing left but messages that are received too often; then look again.
        loop {
            for mapping in &self.mappings {
                if let Some(queue) = self.queues.get_mut(&mapping.queue) {
                    queue.expire(now);
                }
            }
            let chosen = self.choose(now)?;
            self.turn = (chosen + 1) % self.mappings.len();
            if let Some(batch) = self.invoke(chosen, now) {
                return Some(batch);
            }
        }
    }

    fn choose(&self, now: i64) -> Option<usize> {
        let count = self.mappings.len();
        let willing = || {
            (0..count).map(|step| (self.turn + step) % count).filter_map(|index| {
                let mapping = &self.mappings[index];
                let queue = self.queues.get(&mapping.queue)?;
                let running = || self.invocations.values().filter(|one| one.mapping == index).count();
                let free = mapping.maximum_concurrency.is_none_or(|most| running() < most as usize);
                (queue.ready_count() > 0 && free).then_some((index, mapping, queue))
            })
        };
        let due = willing().find(|(_, mapping, queue)| mapping.is_due(queue, now));
        if let Some((index, _, _)) = due {
            return Some(index);
        }
        if !self.invocations.is_empty() {
            return None;
        }
        willing().min_by_key(|(_, mapping, queue)| mapping.window_ends(queue)).map(|(index, _, _)| index)
    }

    fn invoke(&mut self, index: usize, now: i64) -> Option<Batch> {
        let mapping = self.mappings.get(index)?;
        let queue = self.queues.get_mut(&mapping.queue)?;
        let received = queue.receive(mapping.batch_size as usize, Mapping::PAYLOAD_BYTES, now);
        let ends_at = now + queue.visibility_timeout();
        let queue_arn = queue.arn.clone();
        let dead_letters = queue.redrive.as_ref().map(|redrive| redrive.dead_letter_queue.clone());
        if let Some(dead_letters) = dead_letters.and_then(|name| self.queues.get_mut(&name)) {
            for message in received.dead {
                dead_letters.put(message);
            }
        }
        if received.records.is_empty() {
            return None;
        }
        let number = self.next_invocation;
        self.next_invocation += 1;
        self.invocations.insert(number, Invocation { mapping: index, ends_at });
        Some(Batch {
            function: mapping.function.clone(),
            queue: mapping.queue.clone(),
            queue_arn,
            region: self.region.clone(),
            records: received.records,
            number,
        })
    }

    /// The event that Lambda gives the function.
    /// Source: <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>.
    pub fn lambda_event(batch: &Batch) -> Value {
        let records = batch.records.iter().map(|record| record.to_lambda(&batch.queue_arn, &batch.region));
        json!({ "Records": records.collect::<Vec<_>>() })
    }

    /// Ends an invocation. Done messages are deleted. Failed ones come again when the visibility timeout
    /// has passed since they were received, or go to the dead-letter queue if this was the last receipt
    /// that the queue allows (SQS itself moves them when they would be received once more).
    ///
    /// An unknown or empty message id among the failed ones fails the whole batch, and without
    /// `ReportBatchItemFailures` on the mapping an answer that names failures is still success.
    /// Source: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>.
    pub fn finish(&mut self, batch: Batch, failed: Failed) -> Finished {
        self.invocations.remove(&batch.number);
        let mut finished = Finished::default();
        let reports = self.mappings.iter().any(|mapping| {
            mapping.queue == batch.queue && mapping.function == batch.function && mapping.reports_failures
        });
        let failed = match failed {
            Failed::Items(_) if !reports => Failed::None,
            Failed::Items(ids) => {
                let known: BTreeSet<&str> =
                    batch.records.iter().map(|record| record.message_id.as_str()).collect();
                if ids.iter().all(|id| known.contains(id.as_str())) {
                    Failed::Items(ids)
                } else {
                    Failed::All
                }
            }
            other => other,
        };
        let failed_ids: BTreeSet<&str> = match &failed {
            Failed::Items(ids) => ids.iter().map(String::as_str).collect(),
            Failed::None | Failed::All => BTreeSet::new(),
        };
        let Some(queue) = self.queues.get_mut(&batch.queue) else { return finished };
        let mut dead = Vec::new();
        for record in batch.records {
            if failed != Failed::All && !failed_ids.contains(record.message_id.as_str()) {
                if queue.delete(&record) {
                    finished.deleted.push(record);
                } else {
                    finished.retried += 1;
                }
                continue;
            }
            match queue.fail(&record) {
                AfterFailure::WillRetry => finished.retried += 1,
                AfterFailure::Dead(message) => {
                    dead.push(message);
                    finished.dead.push(record);
                }
            }
        }
        let dead_letters = queue.redrive.as_ref().map(|redrive| redrive.dead_letter_queue.clone());
        if let Some(dead_letters) = dead_letters.and_then(|name| self.queues.get_mut(&name)) {
            for message in dead {
                dead_letters.put(message);
            }
        }
        finished
    }

    /// When nothing can be received now: the earliest time at which something can. `None` if all queues
    /// that feed a function are empty.
    pub fn next_visible_at(&self) -> Option<i64> {
        self.mappings
            .iter()
            .filter_map(|mapping| Some((mapping, self.queues.get(&mapping.queue)?)))
            .flat_map(|(mapping, queue)| [mapping.window_ends(queue), queue.next_timeout()])
            .flatten()
            .min()
    }

    /// What lies in the dead-letter queues: the logical id of the queue, and the message.
    pub fn dead_letters(&self) -> Vec<(String, Record)> {
        let names: BTreeSet<&String> = self
            .queues
            .values()
            .filter_map(|queue| queue.redrive.as_ref())
            .map(|redrive| &redrive.dead_letter_queue)
            .collect();
        names
            .into_iter()
            .filter_map(|name| Some((name, self.queues.get(name)?)))
            .flat_map(|(name, queue)| queue.peek().map(move |record| (name.clone(), record)))
            .collect()
    }

    /// How many messages a queue holds, those in flight included; the queue is named by its logical id.
    pub fn queue_length(&self, queue: &str) -> usize {
        self.queues.get(queue).map_or(0, Queue::len)
    }

    /// Whether every queue that feeds a function is empty, with nothing in flight either.
    pub fn idle(&self) -> bool {
        self.mappings.iter().all(|mapping| self.queue_length(&mapping.queue) == 0)
    }

    /// The process that ran the functions died: no invocation is running any more, nothing was deleted,
    /// and every message in flight becomes visible again when its timeout passes. Receive counts stay.
    pub fn release_in_flight(&mut self) {
        self.invocations.clear();
    }
}

/// The event's JSON. A `Value` always has one; its `Display` writes the same text at half the speed.
fn serialize(event: &Value) -> Arc<str> {
    serde_json::to_string(event).unwrap_or_else(|_| event.to_string()).into()
}
