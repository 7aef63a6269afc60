//! An SQS queue, to send messages to and to see how much waits in it.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>

use std::collections::BTreeMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry};

use crate::AwsError;

/// `SendMessageBatch` needs this permission; it has none of its own.
const ACTION: &str = "sqs:SendMessage";
/// How many messages one call takes.
const MESSAGES_PER_CALL: usize = 10;
/// How many bytes the messages of one call may have together, attributes included.
const BYTES_PER_CALL: usize = 1_048_576;
/// The type of an attribute that is a number.
const NUMBER: &str = "Number";

/// A message that nobody can receive for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelayedMessage {
    pub body: String,
    /// 900 at most.
    pub delay_seconds: u16,
    pub attributes: BTreeMap<&'static str, u32>,
}

impl DelayedMessage {
    /// A message that can be received at once.
    pub fn now(body: String) -> Self {
        Self { body, delay_seconds: 0, attributes: BTreeMap::new() }
    }

    /// What SQS counts: the body, and of each attribute the name, the type and the value.
    fn bytes(&self) -> usize {
        let attributes = self.attributes.iter();
        let of_attribute = |(name, value): (&&str, &u32)| name.len() + NUMBER.len() + value.to_string().len();
        self.body.len() + attributes.map(of_attribute).sum::<usize>()
    }
}

#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The longest delay, in seconds.
    pub const LONGEST_DELAY: u16 = 900;

    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// A queue in the account and region of the client, by its name.
    pub async fn named(client: Client, name: &str) -> Result<Self, AwsError> {
        const ACTION: &str = "sqs:GetQueueUrl";
        let answer = client
            .get_queue_url()
            .queue_name(name)
            .send()
            .await
            .map_err(|error| AwsError::of(ACTION, error))?;
        let url =
            answer.queue_url.ok_or_else(|| AwsError::answer(ACTION, "the answer names no queue", true))?;
        Ok(Self { client, url })
    }

    /// Whether this is the queue with an ARN, as a message from it says. Account and region are not looked at.
    pub fn is(&self, arn: &str) -> bool {
        let name = |path: &str, separator| path.rsplit(separator).next().map(str::to_owned);
        name(&self.url, '/') == name(arn, ':')
    }

    /// How many of the first messages fit into one call; at least one, if there is any. SQS refuses a message that is
    /// too long on its own.
    pub fn fitting<'a>(messages: impl IntoIterator<Item = &'a DelayedMessage>) -> usize {
        let mut bytes = 0;
        let fits = |message: &&DelayedMessage| {
            let is_first = bytes == 0;
            bytes += message.bytes();
            is_first || bytes <= BYTES_PER_CALL
        };
        messages.into_iter().take(MESSAGES_PER_CALL).take_while(fits).count()
    }

    /// Sends all messages, in as many calls as it takes. After an error it is open which of them were sent.
    pub async fn send_all(&self, mut messages: Vec<DelayedMessage>) -> Result<(), AwsError> {
        while !messages.is_empty() {
            let rest = messages.split_off(Self::fitting(&messages));
            for sent in self.send(messages).await? {
                sent?;
            }
            messages = rest;
        }
        Ok(())
    }

    /// How many messages it holds: those that wait, those that are being handled, and those that are delayed. SQS counts
    /// them approximately, and settles within a minute.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>
    pub async fn held(&self) -> Result<u64, AwsError> {
        const ACTION: &str = "sqs:GetQueueAttributes";
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .map_err(|error| AwsError::of(ACTION, error))?;
        let count =
            |name: &QueueAttributeName| -> Option<u64> { answer.attributes()?.get(name)?.parse().ok() };
        let counts: Option<Vec<u64>> = names.iter().map(count).collect();
        let missing = || AwsError::answer(ACTION, "the answer lacks a number of messages", true);
        Ok(counts.ok_or_else(missing)?.into_iter().sum())
    }

    /// Sends messages in one call. Returns for each of them whether SQS took it, in their order: SQS answers 200 even if
    /// it refuses some.
    pub async fn send(&self, messages: Vec<DelayedMessage>) -> Result<Vec<Result<(), AwsError>>, AwsError> {
        let count = messages.len();
        let entries = messages.into_iter().enumerate().map(entry).collect::<Result<_, AwsError>>()?;
        let answer = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| AwsError::of(ACTION, error))?;
        let outcome = |position: usize| {
            let id = position.to_string();
            if answer.successful().iter().any(|entry| entry.id() == id) {
                return Ok(());
            }
            let refused = answer.failed().iter().find(|entry| entry.id() == id);
            let code = refused.map_or("the answer does not name it", |entry| entry.code());
            Err(AwsError::answer(ACTION, format!("the message was refused: {code}"), true))
        };
        Ok((0..count).map(outcome).collect())
    }
}

fn entry((position, message): (usize, DelayedMessage)) -> Result<SendMessageBatchRequestEntry, AwsError> {
    let invalid = |error: aws_smithy_types::error::operation::BuildError| {
        AwsError::answer(ACTION, error.to_string(), false)
    };
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(position.to_string())
        .message_body(message.body)
        .delay_seconds(message.delay_seconds.into());
    for (name, value) in message.attributes {
        let value = MessageAttributeValue::builder().data_type(NUMBER).string_value(value.to_string());
        entry = entry.message_attributes(name, value.build().map_err(invalid)?);
    }
    entry.build().map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(lengths: &[usize]) -> Vec<DelayedMessage> {
        let message = |length: &usize| DelayedMessage {
            body: "x".repeat(*length),
            delay_seconds: 0,
            attributes: BTreeMap::from([("attempt", 2)]),
        };
        lengths.iter().map(message).collect()
    }

    #[test]
    fn a_call_takes_ten_messages_and_one_mebibyte() {
        assert_eq!(Queue::fitting(&messages(&[])), 0);
        assert_eq!(Queue::fitting(&messages(&[1; 11])), 10);
        // An attribute named `attempt` of the type `Number` with one digit has 14 bytes.
        let half = BYTES_PER_CALL / 2;
        assert_eq!(Queue::fitting(&messages(&[half - 14, half - 14, 1])), 2);
        assert_eq!(Queue::fitting(&messages(&[half - 14, half - 13])), 1);
        assert_eq!(Queue::fitting(&messages(&[BYTES_PER_CALL, 1])), 1, "SQS refuses it");
    }
}
