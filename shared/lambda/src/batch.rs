//! How every function handles a batch from its queue: each message is handled, skipped with a reason, or fails with a
//! reason and goes back to the queue. A failed message does not affect the others.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws::AwsError;
use aws::dynamodb::LedgerError;
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use domain::assessment::AnnouncementError;
use domain::event::EventError;
use domain::text::with_causes;
use futures::StreamExt;
use lambda_runtime::Diagnostic;
use thiserror::Error;

use crate::deadline::Deadline;

/// How many subjects of a batch are processed concurrently.
const SUBJECTS_AT_ONCE: usize = 8;
/// Logged when a message failed and a retry may help. An alarm searches the logs for this text.
const TO_BE_RETRIED: &str = "failed, to be retried";
/// Logged when a retry cannot help. The same alarm searches for this text.
const FOR_GOOD: &str = "failed for good, bound for the dead-letter queue";

/// The error of a message.
pub trait Retryable: std::error::Error {
    /// Whether a retry may succeed.
    fn is_retryable(&self) -> bool;
}

impl Retryable for AwsError {
    fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl Retryable for LedgerError {
    fn is_retryable(&self) -> bool {
        Self::is_retryable(self)
    }
}

impl Retryable for EventError {
    fn is_retryable(&self) -> bool {
        false
    }
}

impl Retryable for AnnouncementError {
    fn is_retryable(&self) -> bool {
        false
    }
}

/// The results of a batch, by message id.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub handled: Vec<String>,
    /// Messages that are not for this function: id and reason.
    pub skipped: Vec<(String, String)>,
    pub failed: Vec<Failure>,
}

/// A message that goes back to its queue.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    /// The error with all its causes.
    pub reason: String,
    /// Whether a retry may succeed. If not, every attempt fails until the message is in the dead-letter queue.
    pub retryable: bool,
}

/// Every message of a batch failed. The function then fails as a whole: if it only listed every message as failed,
/// Lambda would count the invocation as a success, and the error metric would stay silent.
#[derive(Debug, Error)]
#[error("all {count} messages failed, the first because: {first}")]
pub struct AllFailed {
    pub count: usize,
    /// The reason of the first failure.
    pub first: String,
}

impl From<AllFailed> for Diagnostic {
    /// Sets the error type in the Lambda console and the logs, which would otherwise be the name of a boxed trait.
    fn from(failed: AllFailed) -> Self {
        Self { error_type: "AllFailed".to_owned(), error_message: failed.to_string() }
    }
}

/// The invocation was about to time out. The message goes back to the queue.
#[derive(Debug, Error)]
#[error("not enough time left in this invocation")]
struct NoTimeLeft;

impl Retryable for NoTimeLeft {
    fn is_retryable(&self) -> bool {
        true
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    /// An EventBridge event.
    pub body: String,
    /// How many times it was received, this time included; 0 if SQS does not say.
    pub receives: u32,
}

/// The messages of a batch. SQS gives every message an id and a body. A message without a body is unreadable, and one
/// without an id makes Lambda return the whole batch to the queue.
pub fn messages(event: SqsEvent) -> Vec<Message> {
    event
        .records
        .into_iter()
        .map(|record| Message {
            id: record.message_id.unwrap_or_default(),
            body: record.body.unwrap_or_default(),
            receives: record
                .attributes
                .get("ApproximateReceiveCount")
                .and_then(|count| count.parse().ok())
                .unwrap_or_default(),
        })
        .collect()
}

/// What a message is about.
#[derive(Debug)]
pub enum Subject<K, T> {
    /// What to work on, and what the message says about it.
    About(K, T),
    /// Not for this function; with the reason.
    NotOurs(String),
}

/// The content of a message, and its id.
#[derive(Debug)]
pub struct Received<T> {
    pub message: String,
    pub content: T,
    receives: u32,
}

/// Handles a batch by subject: each subject once, however many messages it has, a few of them concurrently. Subjects
/// whose messages were received most often come first, so that none is put off until it is a dead letter. Messages of
/// subjects for which no time is left go back to the queue.
pub async fn by_subject<K: Ord, T, E: Retryable>(
    event: SqsEvent,
    deadline: Deadline,
    read: impl Fn(&str) -> Result<Subject<K, T>, E>,
    work: impl AsyncFn(K, Vec<Received<T>>) -> Report,
) -> Report {
    let mut report = Report::default();
    let mut subjects: BTreeMap<K, Vec<Received<T>>> = BTreeMap::new();
    for Message { id, body, receives } in messages(event) {
        match read(&body) {
            Ok(Subject::About(subject, content)) => {
                subjects.entry(subject).or_default().push(Received { message: id, content, receives });
            }
            Ok(Subject::NotOurs(reason)) => report.skip(id, reason),
            Err(error) => report.fail([id], &error),
        }
    }
    let work = &work;
    let mut reports = futures::stream::iter(most_received_first(subjects))
        .map(|(subject, received)| async move {
            let messages: Vec<String> = received.iter().map(|received| received.message.clone()).collect();
            let done = deadline.limit(Box::pin(work(subject, received))).await;
            done.unwrap_or_else(|| Report::of(messages, Err(NoTimeLeft)))
        })
        .buffer_unordered(SUBJECTS_AT_ONCE);
    while let Some(Report { handled, skipped, failed }) = reports.next().await {
        report.handled.extend(handled);
        report.skipped.extend(skipped);
        report.failed.extend(failed);
    }
    report
}

fn most_received_first<K: Ord, T>(subjects: BTreeMap<K, Vec<Received<T>>>) -> Vec<(K, Vec<Received<T>>)> {
    let mut subjects: Vec<_> = subjects.into_iter().collect();
    subjects.sort_by_key(|(_, received)| Reverse(received.iter().map(|received| received.receives).max()));
    subjects
}

/// The ids and the contents of messages.
pub fn split<T>(received: Vec<Received<T>>) -> (Vec<String>, Vec<T>) {
    received.into_iter().map(|received| (received.message, received.content)).unzip()
}

impl Report {
    /// The report of messages that share one outcome.
    pub fn of(messages: Vec<String>, outcome: Result<(), impl Retryable>) -> Self {
        let mut report = Self::default();
        match outcome {
            Ok(()) => report.handled = messages,
            Err(error) => report.fail(messages, &error),
        }
        report
    }

    /// Records a message that is not for this function.
    pub fn skip(&mut self, message: String, reason: String) {
        tracing::info!(message_id = message, reason, "skipped");
        self.skipped.push((message, reason));
    }

    /// Records messages that failed with the same error.
    pub fn fail(&mut self, messages: impl IntoIterator<Item = String>, error: &impl Retryable) {
        let (reason, retryable) = (with_causes(error), error.is_retryable());
        for message in messages {
            if retryable {
                tracing::warn!(message_id = message, reason, "{TO_BE_RETRIED}");
            } else {
                tracing::error!(message_id = message, reason, "{FOR_GOOD}");
            }
            self.failed.push(Failure { message, reason: reason.clone(), retryable });
        }
    }

    /// The answer to Lambda.
    pub fn into_response(self) -> Result<SqsBatchResponse, AllFailed> {
        let count = self.failed.len();
        if count > 0 && self.handled.is_empty() && self.skipped.is_empty() {
            let first = self.failed.into_iter().next().map(|failure| failure.reason).unwrap_or_default();
            return Err(AllFailed { count, first });
        }
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = self
            .failed
            .into_iter()
            .map(|failure| {
                let mut item = BatchItemFailure::default();
                item.item_identifier = failure.message;
                item
            })
            .collect();
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> Report {
        let mut report = Report::default();
        report.fail(
            ["a".to_owned()],
            &AwsError { action: "a:B", code: None, retryable: true, source: "no".into() },
        );
        report
    }

    #[test]
    fn a_batch_in_which_all_failed_fails_as_a_whole() {
        let error = failing().into_response().unwrap_err();
        assert_eq!((error.count, error.first.as_str()), (1, "a:B failed: no"));
    }

    #[test]
    fn a_batch_in_which_some_failed_returns_only_those() {
        let mut report = failing();
        report.handled.push("b".to_owned());
        let response = report.into_response().unwrap();
        let failed: Vec<&str> =
            response.batch_item_failures.iter().map(|item| item.item_identifier.as_str()).collect();
        assert_eq!(failed, ["a"]);
    }

    #[test]
    fn the_quarantine_alarm_searches_for_the_logged_texts() {
        let template = include_str!("../../../template.yaml");
        assert!(template.contains(&format!("?\"{TO_BE_RETRIED}\" ?\"{FOR_GOOD}\"")));
    }

    #[test]
    fn an_empty_batch_does_not_fail() {
        assert!(Report::default().into_response().unwrap().batch_item_failures.is_empty());
    }

    #[test]
    fn subjects_received_most_often_come_first() {
        let received = |receives: u32| Received { message: receives.to_string(), content: (), receives };
        let subjects = BTreeMap::from([
            ("a", vec![received(1), received(1)]),
            ("b", vec![received(1), received(3)]),
            ("c", vec![received(2)]),
            ("d", vec![received(1)]),
        ]);
        let order: Vec<&str> =
            most_received_first(subjects).into_iter().map(|(subject, _)| subject).collect();
        assert_eq!(order, ["b", "c", "a", "d"]);
    }
}
