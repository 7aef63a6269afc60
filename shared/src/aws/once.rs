//! What a reactor has done, in DynamoDB, so that it does nothing twice.
//!
//! An item `done#<reactor>#<assessment id>` is first a claim that ends by itself, then says that it is done.
//! A reactor that dies between its effect and that word leaves a claim; when the claim has ended the effect is
//! repeated, because nothing can tell whether it came about. See docs/adr/0004.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use futures::StreamExt;
use jiff::Timestamp;

use super::AwsError;
use crate::assessment::Assessment;
use crate::clock::Clock;
use crate::queue::{Message, Report};

/// How many items one `BatchWriteItem` takes.
const ITEMS_PER_CALL: usize = 25;
/// How many items are claimed at the same time; each takes a connection, and a function has 1,024 file descriptors.
const CLAIMS_AT_ONCE: usize = 32;
/// How often what DynamoDB did not process is sent again before the batch is given back to its queue.
const ATTEMPTS: usize = 8;
/// How long a finished id is remembered: SQS keeps a message for 14 days at most.
const REMEMBERED: Duration = Duration::from_hours(15 * 24);

/// What became of an attempt to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Ours: nobody has done it. `after_a_crash` where somebody claimed it before and never finished.
    Ours {
        /// Whether an earlier claim ended without a word.
        after_a_crash: bool,
    },
    /// Somebody is at it; come back later.
    Taken,
    /// It is done.
    Done,
}

/// The memory of one reactor.
#[derive(Debug, Clone)]
pub struct Once {
    client: Client,
    table: String,
    reactor: &'static str,
    lease: Duration,
    clock: Clock,
}

impl Once {
    /// The memory of a reactor, whose claims end after `lease`: longer than the function can run, and shorter
    /// than its queue hides a message.
    pub fn new(client: Client, table: String, reactor: &'static str, lease: Duration, clock: Clock) -> Self {
        Self { client, table, reactor, lease, clock }
    }

    /// Claims each of these ids.
    pub async fn claim(&self, ids: &[String]) -> Vec<Result<Claim, AwsError>> {
        futures::stream::iter(ids).map(|id| self.claim_one(id)).buffered(CLAIMS_AT_ONCE).collect().await
    }

    async fn claim_one(&self, id: &str) -> Result<Claim, AwsError> {
        let now = self.clock.now();
        let claimed = self.put(id, now, "attribute_not_exists(id)").await?;
        if claimed {
            return Ok(Claim::Ours { after_a_crash: false });
        }
        let known = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(self.key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::of("dynamodb:GetItem", error))?;
        let ends =
            known.item.as_ref().and_then(|item| item.get("claimed_until")?.as_n().ok()?.parse::<i64>().ok());
        match (known.item, ends) {
            (Some(_), None) => Ok(Claim::Done),
            (Some(_), Some(ends)) if ends > now.as_millisecond() => Ok(Claim::Taken),
            // A claim that has ended, or an item that has gone meanwhile. Of two that see it one wins.
            _ if self.put(id, now, "claimed_until <= :now OR attribute_not_exists(id)").await? => {
                Ok(Claim::Ours { after_a_crash: true })
            }
            _ => Ok(Claim::Taken),
        }
    }

    async fn put(&self, id: &str, now: Timestamp, condition: &str) -> Result<bool, AwsError> {
        let ends = now.as_millisecond() + i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX / 2);
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("id", AttributeValue::S(self.key(id)))
            .item("claimed_until", AttributeValue::N(ends.to_string()))
            .item("expires", expires(now))
            .condition_expression(condition);
        let request = if condition.contains(":now") {
            request.expression_attribute_values(":now", AttributeValue::N(now.as_millisecond().to_string()))
        } else {
            request
        };
        match request.send().await.map_err(|error| AwsError::of("dynamodb:PutItem", error)) {
            Ok(_) => Ok(true),
            Err(error) if error.is("ConditionalCheckFailed") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Notes that these ids are done.
    pub async fn finish(&self, ids: &[String]) -> Result<(), AwsError> {
        const ACTION: &str = "dynamodb:BatchWriteItem";
        let now = self.clock.now();
        for ids in ids.chunks(ITEMS_PER_CALL) {
            let mut writes = ids.iter().map(|id| self.done(id, now)).collect::<Result<Vec<_>, _>>()?;
            for attempt in 0.. {
                let answer = self
                    .client
                    .batch_write_item()
                    .request_items(&self.table, writes)
                    .send()
                    .await
                    .map_err(|error| AwsError::of(ACTION, error))?;
                writes = answer.unprocessed_items.unwrap_or_default().remove(&self.table).unwrap_or_default();
                if writes.is_empty() {
                    break;
                }
                if attempt == ATTEMPTS {
                    return Err(AwsError::answer(ACTION, "items stayed unprocessed", true));
                }
                // The SDK does not retry what a 200 leaves undone, so this is the one place that waits itself.
                tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
            }
        }
        Ok(())
    }

    fn done(&self, id: &str, now: Timestamp) -> Result<WriteRequest, AwsError> {
        let put = PutRequest::builder()
            .item("id", AttributeValue::S(self.key(id)))
            .item("expires", expires(now))
            .build()
            .map_err(|error| AwsError::answer("dynamodb:BatchWriteItem", error.to_string(), false))?;
        Ok(WriteRequest::builder().put_request(put).build())
    }

    fn key(&self, id: &str) -> String {
        format!("done#{}#{id}", self.reactor)
    }
}

/// DynamoDB's time to live, epoch seconds.
fn expires(now: Timestamp) -> AttributeValue {
    AttributeValue::N(
        (now.as_second() + i64::try_from(REMEMBERED.as_secs()).unwrap_or(i64::MAX / 2)).to_string(),
    )
}

/// A message with an assessment that nobody has reacted to.
#[derive(Debug)]
pub struct Claimed {
    /// The ids of the messages that carry it: an announcement may come twice in one batch.
    pub messages: Vec<String>,
    /// The assessment.
    pub assessment: Assessment,
    /// Whether an earlier reaction to it may have come about.
    pub after_a_crash: bool,
}

impl Once {
    /// Reads the assessments of a batch and claims them. What is unreadable, done or taken goes into the report.
    pub async fn claim_assessments(&self, messages: Vec<Message>, report: &mut Report) -> Vec<Claimed> {
        let mut assessments: BTreeMap<String, (Vec<String>, Assessment)> = BTreeMap::new();
        for Message { id, body, .. } in messages {
            match Assessment::from_event(&body) {
                Ok(assessment) => {
                    assessments
                        .entry(assessment.id.clone())
                        .or_insert_with(|| (Vec::new(), assessment))
                        .0
                        .push(id);
                }
                Err(error) => report.fail([id], &error, false),
            }
        }
        let ids: Vec<String> = assessments.keys().cloned().collect();
        let mut claimed = Vec::new();
        for ((messages, assessment), claim) in assessments.into_values().zip(self.claim(&ids).await) {
            match claim {
                Ok(Claim::Ours { after_a_crash }) => {
                    claimed.push(Claimed { messages, assessment, after_a_crash });
                }
                Ok(Claim::Done) => report.handled.extend(messages),
                Ok(Claim::Taken) => report.fail(messages, &Busy, true),
                Err(error) => report.fail(messages, &error, error.retryable),
            }
        }
        claimed
    }

    /// Notes what became of the reaction to some assessments.
    pub async fn conclude(&self, batch: Vec<Claimed>, outcome: Result<(), AwsError>, report: &mut Report) {
        let ids: Vec<String> = batch.iter().map(|claimed| claimed.assessment.id.clone()).collect();
        let outcome = match outcome {
            Ok(()) => self.finish(&ids).await,
            Err(error) => Err(error),
        };
        let messages = batch.into_iter().flat_map(|claimed| claimed.messages);
        match outcome {
            Ok(()) => report.handled.extend(messages),
            Err(error) => report.fail(messages, &error, error.retryable),
        }
    }
}

/// Somebody else is reacting to the same assessment, or died while doing so.
#[derive(Debug, thiserror::Error)]
#[error("another invocation has claimed this assessment")]
struct Busy;
