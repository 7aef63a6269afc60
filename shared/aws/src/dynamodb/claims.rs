//! Claims: which assessments a reactor is working on or has finished, so that it does nothing twice.
//!
//! An item `done#<reactor>#<assessment id>` starts as a claim that expires, and ends as a record that the work is done.
//! A reactor that dies between its effect and that record leaves a claim. Once the claim has expired, the effect is
//! repeated, because nothing can tell whether it took place. See docs/adr/0004.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::StreamExt;
use jiff::Timestamp;

use super::batch::Batches;
use super::key::Item;
use crate::AwsError;

/// How many items are claimed concurrently. Each takes a connection, and a function has 1,024 file descriptors.
const CLAIMS_AT_ONCE: usize = 32;
/// How many times unprocessed items are sent again before the batch goes back to its queue.
const REPETITIONS: u32 = 8;
/// How long a finished id is remembered: SQS keeps a message for at most 14 days.
const REMEMBERED: Duration = Duration::from_hours(15 * 24);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// This invocation holds the claim.
    Ours {
        /// Whether an earlier claim expired before its work was recorded as done.
        after_a_crash: bool,
    },
    /// Another invocation holds the claim.
    Taken,
    Done,
}

/// The claims of one reactor.
#[derive(Debug, Clone)]
pub struct Claims {
    client: Client,
    table: String,
    reactor: &'static str,
    lease: Duration,
}

impl Claims {
    /// The claims of a reactor. `lease` must be longer than the function's timeout and shorter than its queue's
    /// visibility timeout.
    pub fn new(client: Client, table: String, reactor: &'static str, lease: Duration) -> Self {
        Self { client, table, reactor, lease }
    }

    /// Claims ids; the results are in the order of the ids.
    pub async fn claim(&self, ids: &[String], now: Timestamp) -> Vec<Result<Claim, AwsError>> {
        futures::stream::iter(ids).map(|id| self.claim_one(id, now)).buffered(CLAIMS_AT_ONCE).collect().await
    }

    async fn claim_one(&self, id: &str, now: Timestamp) -> Result<Claim, AwsError> {
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
            // The claim has expired, or the item has been deleted since. If two invocations see this, one wins.
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

    /// Records that the work for these ids is done.
    pub async fn finish(&self, ids: &[String], now: Timestamp) -> Result<(), AwsError> {
        let done = ids.iter().map(|id| self.done(id, now)).collect();
        Batches { client: &self.client, table: &self.table, repetitions: REPETITIONS }.put(done).await
    }

    fn done(&self, id: &str, now: Timestamp) -> Item {
        HashMap::from([
            ("id".to_owned(), AttributeValue::S(self.key(id))),
            ("expires".to_owned(), expires(now)),
        ])
    }

    fn key(&self, id: &str) -> String {
        format!("done#{}#{id}", self.reactor)
    }
}

/// The time to live, in epoch seconds.
fn expires(now: Timestamp) -> AttributeValue {
    AttributeValue::N(
        (now.as_second() + i64::try_from(REMEMBERED.as_secs()).unwrap_or(i64::MAX / 2)).to_string(),
    )
}
