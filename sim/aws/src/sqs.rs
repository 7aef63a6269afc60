//! Amazon SQS: queues that take messages. SQS API reference, `SendMessageBatch` and `GetQueueAttributes`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::account::Account;
use crate::shared::Shared;
use crate::wire::error::ApiError;
use crate::wire::parameters::Parameters;

const ENTRIES: usize = 10;
const ATTRIBUTES: usize = 10;
const REQUEST_BYTES: usize = 1_048_576;
const LONGEST_DELAY: i64 = 900;
const ID_CHARACTERS: usize = 80;

/// A message on its way to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    pub queue_url: String,
    pub body: String,
    pub delay_seconds: u32,
    pub attributes: BTreeMap<String, MessageAttribute>,
}

/// An attribute that is a text or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAttribute {
    pub data_type: String,
    pub value: String,
}

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

#[derive(Default)]
struct State {
    /// By URL, with what was told of them.
    queues: BTreeMap<String, QueueDepth>,
    sent: Vec<SentMessage>,
    failing_entries: u64,
}

/// Keeps what was sent until it is taken; nothing is received here.
#[derive(Clone)]
pub struct Sqs {
    account: Account,
    state: Shared<State>,
}

/// Why one entry of a request failed.
#[derive(Debug, thiserror::Error)]
enum EntryError {
    #[error("Value {0} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.")]
    Delay(i64),
    #[error("The request must contain the parameter MessageBody.")]
    Empty,
    #[error("Number of message attributes [{0}] exceeds the allowed maximum [10].")]
    TooManyAttributes(usize),
    #[error("The message attribute '{0}' must contain a non-empty StringValue that its DataType allows.")]
    Attribute(String),
    #[error("injected failure of this entry")]
    Internal,
}

impl EntryError {
    fn code(&self) -> &'static str {
        match self {
            Self::Delay(_) | Self::TooManyAttributes(_) | Self::Attribute(_) => "InvalidParameterValue",
            Self::Empty => "MissingParameter",
            Self::Internal => "InternalError",
        }
    }
}

impl Sqs {
    pub(crate) fn new(account: Account) -> Self {
        Self { account, state: Shared::default() }
    }

    /// Sending to a queue that was not created is refused.
    pub fn create_queue(&self, url: &str) {
        self.state.with(|state| state.queues.insert(url.to_owned(), QueueDepth::default()));
    }

    /// Says what a queue holds. Whoever takes what was sent knows; what was not taken yet is counted besides.
    pub fn set_depth(&self, url: &str, depth: QueueDepth) {
        self.state.with(|state| {
            if let Some(known) = state.queues.get_mut(url) {
                *known = depth;
            }
        });
    }

    /// Makes the next so many entries fail with `InternalError`, in a response of HTTP 200.
    pub fn fail_entries(&self, count: u64) {
        self.state.with(|state| state.failing_entries = count);
    }

    /// Returns the messages sent since the last time, oldest first.
    pub fn take_sent(&self) -> Vec<SentMessage> {
        self.state.with(|state| std::mem::take(&mut state.sent))
    }

    pub(crate) fn handle(&self, operation: &str, body: &Value) -> Result<Value, ApiError> {
        match operation {
            "SendMessageBatch" => {}
            "GetQueueUrl" => return self.queue_url(body),
            "GetQueueAttributes" => return self.queue_attributes(Parameters(body)),
            _ => return Err(ApiError::unknown_operation(&format!("sqs:{operation}"))),
        }
        let request = Parameters(body);
        let url = request.text("QueueUrl").unwrap_or_default();
        if !self.state.with(|state| state.queues.contains_key(url)) {
            return Err(refused("QueueDoesNotExist", "The specified queue does not exist."));
        }
        let entries: Vec<Parameters<'_>> = request.list("Entries").iter().map(Parameters).collect();
        check_batch(&entries)?;
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = entry.text("Id").unwrap_or_default();
            match self.send(url, entry) {
                Ok(mut result) => {
                    result["Id"] = json!(id);
                    successful.push(result);
                }
                Err(error) => failed.push(json!({
                    "Id": id,
                    "Code": error.code(),
                    "Message": error.to_string(),
                    "SenderFault": !matches!(error, EntryError::Internal),
                })),
            }
        }
        Ok(json!({"Successful": successful, "Failed": failed}))
    }

    fn queue_url(&self, body: &Value) -> Result<Value, ApiError> {
        let name = Parameters(body).text("QueueName").unwrap_or_default();
        let suffix = format!("/{name}");
        let url = self.state.with(|state| state.queues.keys().find(|url| url.ends_with(&suffix)).cloned());
        let url = url.ok_or_else(|| refused("QueueDoesNotExist", "The specified queue does not exist."))?;
        Ok(json!({"QueueUrl": url}))
    }

    /// The numbers of messages, of which a request names those that it wants. The other attributes are not implemented.
    fn queue_attributes(&self, request: Parameters<'_>) -> Result<Value, ApiError> {
        let url = request.text("QueueUrl").unwrap_or_default();
        let depth = self.state.with(|state| {
            let mut depth = *state.queues.get(url)?;
            let sent = state.sent.iter().filter(|message| message.queue_url == url);
            let delayed = sent.clone().filter(|message| message.delay_seconds > 0).count();
            depth.visible += sent.count() - delayed;
            depth.delayed += delayed;
            Some(depth)
        });
        let depth =
            depth.ok_or_else(|| refused("QueueDoesNotExist", "The specified queue does not exist."))?;
        let known = [
            ("ApproximateNumberOfMessages", depth.visible),
            ("ApproximateNumberOfMessagesNotVisible", depth.in_flight),
            ("ApproximateNumberOfMessagesDelayed", depth.delayed),
        ];
        let wanted = request.texts("AttributeNames");
        if let Some(name) =
            wanted.iter().find(|name| **name != "All" && !known.iter().any(|(one, _)| one == *name))
        {
            let message = format!("the attribute {name} is not implemented by the simulated AWS");
            return Err(refused("InvalidAttributeName", message));
        }
        let named = known.into_iter().filter(|(name, _)| wanted.contains(name) || wanted.contains(&"All"));
        let attributes: BTreeMap<&str, String> =
            named.map(|(name, count)| (name, count.to_string())).collect();
        Ok(if attributes.is_empty() { json!({}) } else { json!({"Attributes": attributes}) })
    }

    fn send(&self, url: &str, entry: Parameters<'_>) -> Result<Value, EntryError> {
        let body = entry.text("MessageBody").filter(|body| !body.is_empty()).ok_or(EntryError::Empty)?;
        let delay = entry.integer("DelaySeconds").unwrap_or_default();
        let delay_seconds =
            u32::try_from(delay).ok().filter(|_| delay <= LONGEST_DELAY).ok_or(EntryError::Delay(delay))?;
        let attributes = attributes(entry)?;
        let mut result = json!({
            "MessageId": self.account.next_identifier(),
            "MD5OfMessageBody": hexadecimal(&Md5::digest(body.as_bytes())),
        });
        if !attributes.is_empty() {
            result["MD5OfMessageAttributes"] = json!(digest_of(&attributes));
        }
        self.state.with(|state| {
            if state.failing_entries > 0 {
                state.failing_entries -= 1;
                return Err(EntryError::Internal);
            }
            state.sent.push(SentMessage {
                queue_url: url.to_owned(),
                body: body.to_owned(),
                delay_seconds,
                attributes,
            });
            Ok(result)
        })
    }
}

fn check_batch(entries: &[Parameters<'_>]) -> Result<(), ApiError> {
    if entries.is_empty() {
        return Err(refused("EmptyBatchRequest", "There should be at least one entry in the request."));
    }
    if entries.len() > ENTRIES {
        let message =
            format!("Maximum number of entries per request are 10. You have sent {}.", entries.len());
        return Err(refused("TooManyEntriesInBatchRequest", message));
    }
    let ids: Vec<&str> = entries.iter().map(|entry| entry.text("Id").unwrap_or_default()).collect();
    let valid = |id: &&str| {
        (1..=ID_CHARACTERS).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if !ids.iter().all(valid) {
        let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores.";
        return Err(refused("InvalidBatchEntryId", message));
    }
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        return Err(refused("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id."));
    }
    if entries.iter().map(|entry| size(*entry)).sum::<usize>() > REQUEST_BYTES {
        let message = format!("Batch requests cannot be longer than {REQUEST_BYTES} bytes.");
        return Err(refused("BatchRequestTooLong", message));
    }
    Ok(())
}

/// The codes of the query protocol, which clients still see (the `awsQueryCompatible` trait), have a prefix.
fn refused(shape: &'static str, message: impl Into<String>) -> ApiError {
    let code = match shape {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "EmptyBatchRequest" => "AWS.SimpleQueueService.EmptyBatchRequest",
        "TooManyEntriesInBatchRequest" => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "InvalidBatchEntryId" => "AWS.SimpleQueueService.InvalidBatchEntryId",
        "BatchEntryIdsNotDistinct" => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "BatchRequestTooLong" => "AWS.SimpleQueueService.BatchRequestTooLong",
        other => other,
    };
    ApiError { shape, ..ApiError::refused(code, message) }
}

fn attributes(entry: Parameters<'_>) -> Result<BTreeMap<String, MessageAttribute>, EntryError> {
    let members = entry.0.get("MessageAttributes").and_then(Value::as_object);
    let count = members.map_or(0, serde_json::Map::len);
    if count > ATTRIBUTES {
        return Err(EntryError::TooManyAttributes(count));
    }
    members
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let read = || {
                let data_type = Parameters(value).text("DataType")?;
                let text = Parameters(value).text("StringValue").filter(|text| !text.is_empty())?;
                let valid = match data_type.split('.').next() {
                    Some("Number") => text.parse::<f64>().is_ok(),
                    Some("String") => true,
                    _ => false,
                };
                valid.then(|| MessageAttribute { data_type: data_type.to_owned(), value: text.to_owned() })
            };
            Ok((name.clone(), read().ok_or_else(|| EntryError::Attribute(name.clone()))?))
        })
        .collect()
}

fn size(entry: Parameters<'_>) -> usize {
    let attributes = entry.0.get("MessageAttributes").and_then(Value::as_object);
    let of_attribute = |(name, value): (&String, &Value)| {
        let text = |member| Parameters(value).text(member).map_or(0, str::len);
        name.len() + text("DataType") + text("StringValue")
    };
    entry.text("MessageBody").map_or(0, str::len)
        + attributes.into_iter().flatten().map(of_attribute).sum::<usize>()
}

/// Developer guide, "Calculating the MD5 message digest for message attributes": by name, each part after its length,
/// and a 1 before a value that is text.
fn digest_of(attributes: &BTreeMap<String, MessageAttribute>) -> String {
    let mut digest = Md5::new();
    let part = |digest: &mut Md5, text: &str| {
        digest.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(text.as_bytes());
    };
    for (name, MessageAttribute { data_type, value }) in attributes {
        part(&mut digest, name);
        part(&mut digest, data_type);
        digest.update([1]);
        part(&mut digest, value);
    }
    hexadecimal(&digest.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
