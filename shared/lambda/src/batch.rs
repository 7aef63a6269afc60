//! How every function handles a batch from its queue: each message is handled, skipped with a reason, deferred with a
//! reason, or fails with a reason and goes back to the queue. A failed message does not affect the others.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws::AwsError;
use aws::dynamodb::LedgerError;
use aws::sqs::{DelayedMessage, Queue};
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use domain::assessment::AnnouncementError;
use domain::event::EventError;
use domain::text::with_causes;
use futures::StreamExt;
use lambda_runtime::Diagnostic;
use thiserror::Error;

use crate::deadline::Deadline;
use crate::deferral::{Cause, Deferrals};

/// How many subjects of a batch are processed concurrently.
const SUBJECTS_AT_ONCE: usize = 8;
/// How many calls that send messages again run concurrently.
const SENDS_AT_ONCE: usize = 16;
/// Logged when a message was sent again, to be handled later.
const DEFERRED: &str = "deferred";
/// Logged when a message failed and a retry may help. An alarm searches the logs for this text.
const TO_BE_RETRIED: &str = "failed, to be retried";
/// Logged when a retry cannot help. The same alarm searches for this text.
const FOR_GOOD: &str = "failed for good, bound for the dead-letter queue";

/// When a message that could not be handled is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// When the queue delivers it again, which it counts: after five times the message is a dead letter.
    ByTheQueue,
    /// Later, because what it needs is not there yet. Nothing is wrong, so the queue need not count it.
    Later,
    /// After so many seconds, because it is known that it has to wait so long. Nothing is wrong here either.
    After(u16),
    /// In the next invocation that has time for it.
    WhenThereIsTime,
    /// Never: no attempt can succeed.
    Never,
}

impl Retry {
    /// For an error that may pass, or not.
    pub fn if_it_may_help(retryable: bool) -> Self {
        if retryable { Self::ByTheQueue } else { Self::Never }
    }

    /// Why a message with this error is deferred; `None` if it is not.
    fn deferral(self) -> Option<Cause> {
        match self {
            Self::Later => Some(Cause::NotThereYet),
            Self::After(seconds) => Some(Cause::TooEarly(seconds)),
            Self::WhenThereIsTime => Some(Cause::NoTimeLeft),
            Self::ByTheQueue | Self::Never => None,
        }
    }
}

/// The error of a message.
pub trait Retryable: std::error::Error {
    /// When the message is tried again.
    fn retry(&self) -> Retry;
}

impl Retryable for AwsError {
    fn retry(&self) -> Retry {
        Retry::if_it_may_help(self.retryable)
    }
}

impl Retryable for LedgerError {
    fn retry(&self) -> Retry {
        Retry::if_it_may_help(self.is_retryable())
    }
}

impl Retryable for EventError {
    fn retry(&self) -> Retry {
        Retry::Never
    }
}

impl Retryable for AnnouncementError {
    fn retry(&self) -> Retry {
        Retry::Never
    }
}

/// The results of a batch, by message id.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub handled: Vec<String>,
    /// Messages that are not for this function: id and reason.
    pub skipped: Vec<(String, String)>,
    /// Messages that were sent again, to be handled later.
    pub deferred: Vec<String>,
    pub failed: Vec<Failure>,
}

/// A message that goes back to its queue, unless it can be deferred.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    /// The error with all its causes.
    pub reason: String,
    pub retry: Retry,
    /// Messages of the same group failed together, and are tried again together.
    group: String,
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

/// The invocation was about to time out.
#[derive(Debug, Error)]
#[error("not enough time left in this invocation")]
struct NoTimeLeft;

impl Retryable for NoTimeLeft {
    fn retry(&self) -> Retry {
        Retry::WhenThereIsTime
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    /// An EventBridge event.
    pub body: String,
    /// How many times it was received, this time included; 0 if SQS does not say.
    pub receives: u32,
    pub deferrals: Deferrals,
}

/// The messages of a batch. SQS gives every message an id and a body. A message without a body is unreadable, and one
/// without an id makes Lambda return the whole batch to the queue.
pub fn messages(event: SqsEvent) -> Vec<Message> {
    event
        .records
        .into_iter()
        .map(|record| Message {
            deferrals: Deferrals::of(&record),
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
    /// How often it was received or postponed.
    turns: u32,
}

/// Handles a batch by subject: each subject once, however many messages it has, a few of them concurrently. Subjects
/// whose messages came most often come first, so that none is put off until it is a dead letter. What has to wait, and
/// what no time is left for, is sent to the function's own queue again.
pub async fn by_subject<K: Ord, T, E: Retryable>(
    event: SqsEvent,
    deadline: Deadline,
    queue: &Queue,
    read: impl Fn(&str) -> Result<Subject<K, T>, E>,
    work: impl AsyncFn(K, Vec<Received<T>>) -> Report,
) -> Report {
    let mut report = Report::default();
    let mut subjects: BTreeMap<K, Vec<Received<T>>> = BTreeMap::new();
    let mut originals = BTreeMap::new();
    for Message { id, body, receives, deferrals } in messages(event) {
        match read(&body) {
            Ok(Subject::About(subject, content)) => {
                let turns = receives + deferrals.postponed;
                subjects.entry(subject).or_default().push(Received { message: id.clone(), content, turns });
                originals.insert(id, (body, deferrals));
            }
            Ok(Subject::NotOurs(reason)) => report.skip(id, reason),
            Err(error) => report.fail([id], &error),
        }
    }
    let work = &work;
    let mut reports = futures::stream::iter(most_turns_first(subjects))
        .map(|(subject, received)| async move {
            let messages: Vec<String> = received.iter().map(|received| received.message.clone()).collect();
            let done = deadline.limit(Box::pin(work(subject, received))).await;
            done.unwrap_or_else(|| Report::of(messages, Err(NoTimeLeft)))
        })
        .buffer_unordered(SUBJECTS_AT_ONCE);
    while let Some(Report { handled, skipped, deferred, failed }) = reports.next().await {
        report.handled.extend(handled);
        report.skipped.extend(skipped);
        report.deferred.extend(deferred);
        report.failed.extend(failed);
    }
    report.defer(originals, deadline, queue).await;
    report
}

fn most_turns_first<K: Ord, T>(subjects: BTreeMap<K, Vec<Received<T>>>) -> Vec<(K, Vec<Received<T>>)> {
    let mut subjects: Vec<_> = subjects.into_iter().collect();
    subjects.sort_by_key(|(_, received)| Reverse(received.iter().map(|received| received.turns).max()));
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

    /// Records messages that failed with the same error. Those that can be deferred are logged when that is decided.
    pub fn fail(&mut self, messages: impl IntoIterator<Item = String>, error: &impl Retryable) {
        let (reason, retry) = (with_causes(error), error.retry());
        let mut group = None;
        for message in messages {
            let group = group.get_or_insert_with(|| message.clone()).clone();
            let failure = Failure { message, reason: reason.clone(), retry, group };
            if retry.deferral().is_none() {
                failure.log();
            }
            self.failed.push(failure);
        }
    }

    /// Sends again what failed only because it has to wait. What cannot be sent remains a failure, so that the queue
    /// delivers it again.
    async fn defer(
        &mut self,
        mut originals: BTreeMap<String, (String, Deferrals)>,
        deadline: Deadline,
        queue: &Queue,
    ) {
        let mut waiting = Vec::new();
        for mut failure in std::mem::take(&mut self.failed) {
            let cause = failure.retry.deferral();
            let Some((cause, (body, deferrals))) = cause.zip(originals.remove(&failure.message)) else {
                self.failed.push(failure);
                continue;
            };
            if let Some(next) = deferrals.next(cause) {
                let delay = next.delay_seconds(cause, &failure.group);
                waiting.push((failure, next, next.message(body, delay)));
            } else {
                failure.reason = format!("deferred too often: {}", failure.reason);
                failure.retry = Retry::Never;
                failure.log();
                self.failed.push(failure);
            }
        }
        let mut calls = futures::stream::iter(split_into_calls(waiting))
            .map(|(failures, messages)| async move {
                let sent = deadline.finish(queue.send(messages)).await;
                (failures, sent)
            })
            .buffer_unordered(SENDS_AT_ONCE);
        while let Some((failures, sent)) = calls.next().await {
            let (results, reason) = match sent {
                Some(Ok(results)) => (results, String::new()),
                Some(Err(error)) => (Vec::new(), with_causes(&error)),
                None => (Vec::new(), NoTimeLeft.to_string()),
            };
            let mut results = results.into_iter();
            for (mut failure, next, delay_seconds) in failures {
                match results.next() {
                    Some(Ok(())) => {
                        let Failure { message, reason, .. } = failure;
                        let (attempt, postponed) = (next.attempt(), next.postponed);
                        tracing::info!(
                            message_id = message,
                            reason,
                            attempt,
                            postponed,
                            delay_seconds,
                            "{DEFERRED}"
                        );
                        self.deferred.push(message);
                    }
                    refused => {
                        let why = match refused {
                            Some(Err(error)) => with_causes(&error),
                            _ => reason.clone(),
                        };
                        failure.reason = format!("{}; not deferred: {why}", failure.reason);
                        failure.log();
                        self.failed.push(failure);
                    }
                }
            }
        }
    }

    /// The answer to Lambda.
    pub fn into_response(self) -> Result<SqsBatchResponse, AllFailed> {
        let count = self.failed.len();
        let nothing_else = self.handled.is_empty() && self.skipped.is_empty() && self.deferred.is_empty();
        if count > 0 && nothing_else {
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

impl Failure {
    fn log(&self) {
        let Self { message, reason, retry, .. } = self;
        if *retry == Retry::Never {
            tracing::error!(message_id = message, reason, "{FOR_GOOD}");
        } else {
            tracing::warn!(message_id = message, reason, "{TO_BE_RETRIED}");
        }
    }
}

/// What is deferred, and the numbers and the delay with which it is sent again.
type Waiting = (Failure, Deferrals, u16);

/// Splits messages into what one call takes.
fn split_into_calls(
    mut waiting: Vec<(Failure, Deferrals, DelayedMessage)>,
) -> Vec<(Vec<Waiting>, Vec<DelayedMessage>)> {
    let mut calls = Vec::new();
    while !waiting.is_empty() {
        let count = Queue::fitting(waiting.iter().map(|(_, _, message)| message));
        let of_call = waiting
            .drain(..count.max(1))
            .map(|(failure, next, message)| ((failure, next, message.delay_seconds), message));
        calls.push(of_call.unzip());
    }
    calls
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
    fn what_was_deferred_is_no_failure() {
        let mut report = failing();
        report.deferred.push("b".to_owned());
        assert_eq!(report.into_response().unwrap().batch_item_failures.len(), 1);
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
    fn subjects_that_came_most_often_come_first() {
        let received = |turns: u32| Received { message: turns.to_string(), content: (), turns };
        let subjects = BTreeMap::from([
            ("a", vec![received(1), received(1)]),
            ("b", vec![received(1), received(3)]),
            ("c", vec![received(2)]),
            ("d", vec![received(1)]),
        ]);
        let order: Vec<&str> = most_turns_first(subjects).into_iter().map(|(subject, _)| subject).collect();
        assert_eq!(order, ["b", "c", "a", "d"]);
    }
}
