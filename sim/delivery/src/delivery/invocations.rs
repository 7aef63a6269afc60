//! Batches out of the queues, as Lambda takes them, and what becomes of their messages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::batch::{Batch, Failed, Finished, LONGEST_INVOCATION};
use super::queue::{AfterFailure, Message, Queue};
use super::stack::{Invocation, Stack};
use crate::resources::Mapping;

/// The bytes that the records of one invocation may fill; the rest is what stands around all of them.
const MOST_PAYLOAD: usize = LONGEST_INVOCATION - 64;

impl Stack {
    /// The next invocation that Lambda would start, if any.
    ///
    /// Mappings that have a full batch, or whose batching window has passed, take turns. When there is
    /// none and nothing is being delivered either, nothing more can arrive before the window ends, so
    /// the window that would end first counts as passed. A window is therefore never waited for, and
    /// still gathers everything that the rest of the pipeline had to say.
    pub fn next_batch(&mut self, now: i64) -> Option<Batch> {
        self.invocations.retain(|_, invocation| invocation.ends_at > now);
        // A queue may have nothing left but messages that are received too often; then look again.
        loop {
            for mapping in &self.resources.mappings {
                if let Some(queue) = self.queues.get_mut(&mapping.queue) {
                    queue.expire(now);
                }
            }
            let chosen = self.choose(now)?;
            self.turn = (chosen + 1) % self.resources.mappings.len();
            if let Some(batch) = self.invoke(chosen, now) {
                return Some(batch);
            }
        }
    }

    fn choose(&self, now: i64) -> Option<usize> {
        let count = self.resources.mappings.len();
        let willing = || {
            (0..count).map(|step| (self.turn + step) % count).filter_map(|index| {
                let mapping = &self.resources.mappings[index];
                let queue = self.queues.get(&mapping.queue)?;
                let running = || self.invocations.values().filter(|one| one.mapping == index).count();
                let free = mapping.maximum_concurrency.is_none_or(|most| running() < most as usize);
                (queue.ready_count() > 0 && free).then_some((index, mapping, queue))
            })
        };
        let due = willing().find(|(_, mapping, queue)| is_due(mapping, queue, now));
        if let Some((index, _, _)) = due {
            return Some(index);
        }
        if !self.invocations.is_empty() {
            return None;
        }
        willing().min_by_key(|(_, mapping, queue)| window_ends(mapping, queue)).map(|(index, _, _)| index)
    }

    fn invoke(&mut self, index: usize, now: i64) -> Option<Batch> {
        let mapping = self.resources.mappings.get(index)?;
        let queue = self.queues.get_mut(&mapping.queue)?;
        let received = queue.receive(mapping.batch_size as usize, MOST_PAYLOAD, now);
        let ends_at = now + queue.visibility_timeout();
        let queue_arn = queue.arn().to_owned();
        let dead_letter_queue = queue.redrive().map(|redrive| redrive.dead_letter_queue.clone());
        bury(&mut self.queues, dead_letter_queue, received.dead);
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
        let reports = self.resources.mappings.iter().any(|mapping| {
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
        let dead_letter_queue = queue.redrive().map(|redrive| redrive.dead_letter_queue.clone());
        bury(&mut self.queues, dead_letter_queue, dead);
        finished
    }

    /// When nothing can be received now: the earliest time at which something can. `None` if all queues
    /// that feed a function are empty.
    pub fn next_visible_at(&self) -> Option<i64> {
        self.resources
            .mappings
            .iter()
            .filter_map(|mapping| Some((mapping, self.queues.get(&mapping.queue)?)))
            .flat_map(|(mapping, queue)| [window_ends(mapping, queue), queue.next_timeout()])
            .flatten()
            .min()
    }

    /// The process that ran the functions died: no invocation is running any more, nothing was deleted,
    /// and every message in flight becomes visible again when its timeout passes. Receive counts stay.
    pub fn release_in_flight(&mut self) {
        self.invocations.clear();
    }
}

/// Puts messages into their dead-letter queue.
fn bury(queues: &mut BTreeMap<String, Queue>, dead_letter_queue: Option<String>, messages: Vec<Message>) {
    if let Some(queue) = dead_letter_queue.and_then(|name| queues.get_mut(&name)) {
        for message in messages {
            queue.put(message);
        }
    }
}

/// When Lambda stops waiting for more messages; `None` if there are none.
fn window_ends(mapping: &Mapping, queue: &Queue) -> Option<i64> {
    queue.ready_since().map(|since| since + i64::from(mapping.batching_window_seconds) * 1_000)
}

/// Whether Lambda would invoke the function at this moment.
fn is_due(mapping: &Mapping, queue: &Queue, now: i64) -> bool {
    queue.ready_count() >= mapping.batch_size as usize
        || queue.ready_payload() >= MOST_PAYLOAD
        || window_ends(mapping, queue).is_some_and(|end| end <= now)
}
