//! An SQS standard queue in simulated time.
//!
//! Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html>.
//! All times are milliseconds since 1970 and come from the caller. Messages are received oldest first,
//! which a standard queue may do but does not promise. No message ever expires: the retention period is
//! days, and a simulation that skips days should lose nothing by it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use thiserror::Error;

use super::record::{Attribute, Record, payload_bytes};
use crate::resources::{self, Redrive};

/// The longest message that SQS takes, in bytes.
pub const LONGEST_MESSAGE: usize = 1_048_576;

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Those that could be received.
    pub visible: usize,
    /// Those that were received and not deleted yet.
    pub in_flight: usize,
    /// Those that nobody could have received yet.
    pub delayed: usize,
}

/// A message that SQS would refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a message of at most {LONGEST_MESSAGE} bytes, found {bytes}")]
pub(super) struct MessageTooLong {
    bytes: usize,
}

/// A message at rest.
#[derive(Debug, Clone)]
pub(super) struct Message {
    number: u64,
    body: Arc<str>,
    attributes: BTreeMap<String, Attribute>,
    payload_bytes: usize,
    sent_at: i64,
    /// When it last became visible or will.
    ready_at: i64,
    receive_count: u32,
    first_received_at: i64,
    /// The receipt that may delete it; 0 before the first.
    receipt: u64,
}

impl Message {
    fn to_record(&self) -> Record {
        Record {
            message_id: format!(
                "{:08x}-0000-4000-8000-{:012x}",
                self.number >> 48,
                self.number & 0xFFFF_FFFF_FFFF
            ),
            receipt_handle: format!("{:016x}:{:016x}", self.number, self.receipt),
            body: Arc::clone(&self.body),
            attributes: self.attributes.clone(),
            receive_count: self.receive_count,
            sent_at: self.sent_at,
            first_received_at: self.first_received_at,
        }
    }
}

/// What one receipt took out of a queue.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) records: Vec<Record>,
    /// Messages that were received too often already and belong in the dead-letter queue.
    pub(super) dead: Vec<Message>,
}

/// What became of a message that its receiver failed on.
#[derive(Debug, Clone)]
pub(super) enum AfterFailure {
    WillRetry,
    Dead(Message),
}

/// The messages of a queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    declared: resources::Queue,
    ready: VecDeque<Message>,
    ready_payload: usize,
    /// Messages in flight, and those that are still delayed.
    invisible: BTreeMap<u64, Message>,
    /// How many of them are delayed.
    delayed: usize,
    /// When each of them becomes visible.
    timeouts: BTreeSet<(i64, u64)>,
    next_receipt: u64,
}

impl Queue {
    pub(super) fn new(declared: resources::Queue) -> Self {
        Self {
            declared,
            ready: VecDeque::new(),
            ready_payload: 0,
            invisible: BTreeMap::new(),
            delayed: 0,
            timeouts: BTreeSet::new(),
            next_receipt: 1,
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.declared.url
    }

    pub(super) fn arn(&self) -> &str {
        &self.declared.arn
    }

    pub(super) fn redrive(&self) -> Option<&Redrive> {
        self.declared.redrive.as_ref()
    }

    /// Whether the message was received as often as the queue allows.
    fn is_exhausted(&self, message: &Message) -> bool {
        self.redrive().is_some_and(|redrive| message.receive_count >= redrive.max_receive_count)
    }

    /// Sends one message; its number must be new.
    pub(super) fn send(&mut self, number: u64, body: Arc<str>, now: i64) -> Result<(), MessageTooLong> {
        self.send_delayed(number, body, BTreeMap::new(), now, now)
    }

    /// Sends one message that nobody can receive before a certain time; its number must be new.
    pub(super) fn send_delayed(
        &mut self,
        number: u64,
        body: Arc<str>,
        attributes: BTreeMap<String, Attribute>,
        ready_at: i64,
        now: i64,
    ) -> Result<(), MessageTooLong> {
        if body.len() > LONGEST_MESSAGE {
            return Err(MessageTooLong { bytes: body.len() });
        }
        let payload_bytes = payload_bytes(&body);
        let message = Message {
            number,
            body,
            attributes,
            payload_bytes,
            sent_at: now,
            ready_at,
            receive_count: 0,
            first_received_at: 0,
            receipt: 0,
        };
        if ready_at <= now {
            self.put(message);
        } else {
            self.delayed += 1;
            self.hide(message);
        }
        Ok(())
    }

    /// Puts a message at the end; SQS keeps identity and age of a message that it moves.
    pub(super) fn put(&mut self, message: Message) {
        self.ready_payload += message.payload_bytes;
        self.ready.push_back(message);
    }

    /// Keeps a message back until it is ready.
    fn hide(&mut self, message: Message) {
        self.timeouts.insert((message.ready_at, message.number));
        self.invisible.insert(message.number, message);
    }

    /// How long a received message stays invisible, in milliseconds.
    pub(super) fn visibility_timeout(&self) -> i64 {
        i64::from(self.declared.visibility_timeout_seconds) * 1_000
    }

    /// Makes visible what was in flight or delayed until now.
    pub(super) fn expire(&mut self, now: i64) {
        while let Some(&(timeout, number)) = self.timeouts.first()
            && timeout <= now
        {
            self.timeouts.pop_first();
            if let Some(mut message) = self.invisible.remove(&number) {
                self.delayed -= usize::from(message.receive_count == 0);
                message.ready_at = timeout;
                self.put(message);
            }
        }
    }

    /// Receives up to `most` messages and no more than `most_payload` bytes, but at least one.
    pub(super) fn receive(&mut self, most: usize, most_payload: usize, now: i64) -> Received {
        self.expire(now);
        let mut received = Received::default();
        let mut payload = 0;
        while received.records.len() < most
            && let Some(next) = self.ready.front()
        {
            let exhausted = self.is_exhausted(next);
            let fits = received.records.is_empty() || payload + next.payload_bytes <= most_payload;
            if !exhausted && !fits {
                break;
            }
            let Some(mut message) = self.ready.pop_front() else { break };
            self.ready_payload -= message.payload_bytes;
            if exhausted {
                received.dead.push(message);
                continue;
            }
            payload += message.payload_bytes;
            message.receive_count += 1;
            if message.receive_count == 1 {
                message.first_received_at = now;
            }
            message.receipt = self.next_receipt;
            self.next_receipt += 1;
            received.records.push(message.to_record());
            message.ready_at = now + self.visibility_timeout();
            self.hide(message);
        }
        received
    }

    /// Deletes a message for good. False if this receipt is not the message's last one any more, in which
    /// case SQS may keep the message too.
    pub(super) fn delete(&mut self, record: &Record) -> bool {
        let Some((number, receipt)) = read_handle(&record.receipt_handle) else { return false };
        if self.invisible.get(&number).is_some_and(|message| message.receipt == receipt) {
            self.take_in_flight(number);
            return true;
        }
        // The message may have become visible again without having been received since.
        let place =
            self.ready.iter().position(|message| message.number == number && message.receipt == receipt);
        let removed = place.and_then(|place| self.ready.remove(place));
        self.ready_payload -= removed.as_ref().map_or(0, |message| message.payload_bytes);
        removed.is_some()
    }

    /// Leaves a message in flight until its visibility timeout passes, or gives it up for dead.
    pub(super) fn fail(&mut self, record: &Record) -> AfterFailure {
        let Some((number, receipt)) = read_handle(&record.receipt_handle) else {
            return AfterFailure::WillRetry;
        };
        let exhausted = self
            .invisible
            .get(&number)
            .is_some_and(|message| message.receipt == receipt && self.is_exhausted(message));
        if exhausted && let Some(message) = self.take_in_flight(number) {
            return AfterFailure::Dead(message);
        }
        AfterFailure::WillRetry
    }

    fn take_in_flight(&mut self, number: u64) -> Option<Message> {
        let message = self.invisible.remove(&number)?;
        self.timeouts.remove(&(message.ready_at, number));
        Some(message)
    }

    /// How many messages could be received now.
    pub(super) fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// How many bytes of an invocation those messages would fill.
    pub(super) fn ready_payload(&self) -> usize {
        self.ready_payload
    }

    /// Since when the oldest of those messages has been waiting.
    pub(super) fn ready_since(&self) -> Option<i64> {
        self.ready.front().map(|message| message.ready_at)
    }

    /// When the next message in flight or delayed becomes visible.
    pub(super) fn next_timeout(&self) -> Option<i64> {
        self.timeouts.first().map(|(timeout, _)| *timeout)
    }

    pub(super) fn depth(&self) -> QueueDepth {
        QueueDepth {
            visible: self.ready.len(),
            in_flight: self.invisible.len() - self.delayed,
            delayed: self.delayed,
        }
    }

    /// Messages that are neither deleted nor moved.
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.invisible.len()
    }

    /// What lies in the queue, without receiving it.
    pub(super) fn peek(&self) -> impl Iterator<Item = Record> {
        self.ready.iter().chain(self.invisible.values()).map(Message::to_record)
    }
}

fn read_handle(handle: &str) -> Option<(u64, u64)> {
    let (number, receipt) = handle.split_once(':')?;
    Some((u64::from_str_radix(number, 16).ok()?, u64::from_str_radix(receipt, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{AfterFailure, Attribute, LONGEST_MESSAGE, MessageTooLong, Queue, QueueDepth};
    use crate::resources::{self, Redrive};

    fn queue() -> Queue {
        Queue::new(resources::Queue {
            logical_id: "Sales".to_owned(),
            arn: "arn:aws:sqs:::queue".to_owned(),
            url: "https://sqs.test/queue".to_owned(),
            visibility_timeout_seconds: 30,
            redrive: Some(Redrive { dead_letter_queue: "Dead".to_owned(), max_receive_count: 2 }),
        })
    }

    #[test]
    fn a_received_message_is_invisible_until_its_timeout() {
        let mut queue = queue();
        queue.send(1, "{}".into(), 0).unwrap();
        let first = queue.receive(10, 1_000_000, 1_000);
        assert_eq!((first.records.len(), first.records[0].receive_count), (1, 1));
        assert!(queue.receive(10, 1_000_000, 30_999).records.is_empty());
        assert_eq!(queue.next_timeout(), Some(31_000));
        let second = queue.receive(10, 1_000_000, 31_000);
        assert_eq!(second.records[0].receive_count, 2);
        assert_eq!(second.records[0].message_id, first.records[0].message_id);
        assert_ne!(second.records[0].receipt_handle, first.records[0].receipt_handle);
        assert!(!queue.delete(&first.records[0]), "an old receipt deletes nothing");
        assert!(queue.delete(&second.records[0]));
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_late_delete_still_counts_while_nobody_else_has_the_message() {
        let mut queue = queue();
        queue.send(1, "{}".into(), 0).unwrap();
        let received = queue.receive(1, 1_000_000, 0);
        queue.expire(60_000);
        assert_eq!(queue.ready_count(), 1);
        assert!(queue.delete(&received.records[0]));
        assert_eq!((queue.len(), queue.ready_payload()), (0, 0));
    }

    #[test]
    fn the_last_allowed_failure_kills_and_a_crash_kills_at_the_next_receipt() {
        let mut failing = queue();
        failing.send(1, "{}".into(), 0).unwrap();
        let first = failing.receive(1, 1_000_000, 0);
        assert!(matches!(failing.fail(&first.records[0]), AfterFailure::WillRetry));
        let second = failing.receive(1, 1_000_000, 30_000);
        assert!(matches!(failing.fail(&second.records[0]), AfterFailure::Dead(_)));
        assert_eq!(failing.len(), 0);

        let mut crashing = queue();
        crashing.send(1, "{}".into(), 0).unwrap();
        crashing.receive(1, 1_000_000, 0);
        crashing.receive(1, 1_000_000, 30_000);
        let third = crashing.receive(1, 1_000_000, 60_000);
        assert_eq!((third.records.len(), third.dead.len()), (0, 1));
    }

    #[test]
    fn a_delayed_message_is_invisible_until_then_and_was_never_received() {
        let mut queue = queue();
        let attribute = Attribute { data_type: "Number".to_owned(), value: "2".to_owned() };
        let attributes = BTreeMap::from([("attempt".to_owned(), attribute)]);
        queue.send_delayed(1, "{}".into(), attributes.clone(), 60_000, 0).unwrap();
        assert_eq!((queue.len(), queue.next_timeout()), (1, Some(60_000)));
        let depth = QueueDepth { delayed: 1, ..QueueDepth::default() };
        assert_eq!(queue.depth(), depth);
        assert!(queue.receive(10, 1_000_000, 59_999).records.is_empty());
        let received = queue.receive(10, 1_000_000, 60_000);
        assert_eq!((received.records[0].receive_count, received.records[0].sent_at), (1, 0));
        assert_eq!(queue.depth(), QueueDepth { in_flight: 1, ..QueueDepth::default() });
        queue.expire(90_000);
        assert_eq!(queue.depth(), QueueDepth { visible: 1, ..QueueDepth::default() });
        assert_eq!(received.records[0].attributes, attributes);
        assert!(queue.delete(&received.records[0]));
    }

    #[test]
    fn one_mebibyte_is_the_most() {
        let mut queue = queue();
        queue.send(1, "x".repeat(LONGEST_MESSAGE).into(), 0).unwrap();
        let refused = queue.send(2, "x".repeat(LONGEST_MESSAGE + 1).into(), 0);
        assert_eq!(refused, Err(MessageTooLong { bytes: LONGEST_MESSAGE + 1 }));
    }
}
