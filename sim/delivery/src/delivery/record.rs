//! A message as its receiver sees it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

/// What AWS puts around each body in the event that a function gets, in bytes, generously rounded.
const ENVELOPE_BYTES: usize = 1_024;

/// A message attribute that is a text or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub data_type: String,
    pub value: String,
}

/// One message of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The same for every receipt of the message.
    pub message_id: String,
    /// Different for every receipt of the message.
    pub receipt_handle: String,
    /// An event as EventBridge sends it, in JSON.
    pub body: Arc<str>,
    pub attributes: BTreeMap<String, Attribute>,
    /// How often the message was received, this receipt included.
    pub receive_count: u32,
    /// When the message was sent, in milliseconds since 1970.
    pub sent_at: i64,
    /// When the message was received for the first time, in milliseconds since 1970.
    pub first_received_at: i64,
}

impl Record {
    /// The record as a function gets it.
    /// Source: <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>.
    pub(super) fn to_lambda(&self, queue_arn: &str, region: &str) -> Value {
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .map(|(name, Attribute { data_type, value })| {
                let attribute = json!({
                    "stringValue": value,
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": data_type,
                });
                (name.clone(), attribute)
            })
            .collect();
        json!({
            "messageId": self.message_id,
            "receiptHandle": self.receipt_handle,
            "body": &*self.body,
            "attributes": {
                "ApproximateReceiveCount": self.receive_count.to_string(),
                "SentTimestamp": self.sent_at.to_string(),
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": self.first_received_at.to_string(),
            },
            "messageAttributes": attributes,
            "md5OfBody": md5_of(&self.body),
            "eventSource": "aws:sqs",
            "eventSourceARN": queue_arn,
            "awsRegion": region,
        })
    }
}

fn md5_of(body: &str) -> String {
    let mut text = String::with_capacity(32);
    for byte in Md5::digest(body.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What a body adds to an invocation, in bytes and at most: its JSON is a string inside JSON, so its
/// quotation marks and backslashes double and its control characters become `\u0000`.
pub(super) fn payload_bytes(body: &str) -> usize {
    // Two plain counts run many bytes at a time, which one careful look at each byte does not.
    let doubled = body.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    let control = body.bytes().filter(|byte| *byte < 32).count();
    body.len() + doubled + 5 * control + ENVELOPE_BYTES
}
