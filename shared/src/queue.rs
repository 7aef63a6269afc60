//! The frame in which every function handles a batch from its queue: each message is handled, skipped with a
//! reason, or fails with a reason and is given back. One that fails takes no other with it.

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use lambda_runtime::Diagnostic;
use thiserror::Error;

/// How the logs say that a message failed and a retry may help. An alarm reads it there.
const TO_BE_RETRIED: &str = "failed, to be retried";
/// How the logs say that no retry can help. The same alarm reads this.
const FOR_GOOD: &str = "failed for good, bound for the dead-letter queue";

/// What became of the messages of a batch, by message id.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Those whose effect is stored.
    pub handled: Vec<String>,
    /// Those that are none of ours, and why.
    pub skipped: Vec<(String, String)>,
    /// Those that go back to the queue.
    pub failed: Vec<Failure>,
}

/// A message that goes back to its queue.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The message's id.
    pub message: String,
    /// Why, with all causes.
    pub reason: String,
    /// Whether a retry can help. If not, the message will reach the dead-letter queue with no other result.
    pub retryable: bool,
}

/// Every message of a batch failed. Reported as such, because Lambda takes an answer that lists all messages
/// as failed for a healthy function, and its error metric stays silent.
#[derive(Debug, Error)]
#[error("all {count} messages failed, the first because: {first}")]
pub struct AllFailed {
    /// How many.
    pub count: usize,
    /// The first one's reason.
    pub first: String,
}

impl From<AllFailed> for Diagnostic {
    /// What the Lambda console and the logs call it; without this it would be the name of a boxed trait.
    fn from(failed: AllFailed) -> Self {
        Self { error_type: "AllFailed".to_owned(), error_message: failed.to_string() }
    }
}

/// A message of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its body; an EventBridge event.
    pub body: String,
    /// How often it was received, with this time; 0 where SQS does not say.
    pub receives: u32,
}

/// The messages of a batch. SQS gives every message an id and a body; one without is handled as an unreadable
/// one, and its missing id makes Lambda give back the whole batch.
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

impl Report {
    /// Notes a message that is none of ours.
    pub fn skip(&mut self, message: String, reason: String) {
        tracing::info!(message_id = message, reason, "skipped");
        self.skipped.push((message, reason));
    }

    /// Notes messages that share a failure.
    pub fn fail(
        &mut self,
        messages: impl IntoIterator<Item = String>,
        error: &dyn std::error::Error,
        retryable: bool,
    ) {
        let reason = chain(error);
        for message in messages {
            if retryable {
                tracing::warn!(message_id = message, reason, "{TO_BE_RETRIED}");
            } else {
                tracing::error!(message_id = message, reason, "{FOR_GOOD}");
            }
            self.failed.push(Failure { message, reason: reason.clone(), retryable });
        }
    }

    /// What Lambda is told.
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

/// An error and all its causes in one line, each said once: many errors repeat their cause in their own text.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> Report {
        let mut report = Report::default();
        report.fail(["a".to_owned()], &std::io::Error::other("no"), true);
        report
    }

    #[test]
    fn a_batch_in_which_all_failed_fails_as_a_whole() {
        let error = failing().into_response().unwrap_err();
        assert_eq!((error.count, error.first.as_str()), (1, "no"));
    }

    #[test]
    fn a_batch_in_which_some_failed_gives_back_those() {
        let mut report = failing();
        report.handled.push("b".to_owned());
        let response = report.into_response().unwrap();
        let failed: Vec<&str> =
            response.batch_item_failures.iter().map(|item| item.item_identifier.as_str()).collect();
        assert_eq!(failed, ["a"]);
    }

    #[test]
    fn the_alarm_on_the_quarantine_reads_what_the_logs_say() {
        let alarms = include_str!("../../infra/alarms.yaml");
        assert!(alarms.contains(&format!("?\"{TO_BE_RETRIED}\" ?\"{FOR_GOOD}\"")));
    }

    #[test]
    fn an_empty_batch_is_no_failure() {
        assert!(Report::default().into_response().unwrap().batch_item_failures.is_empty());
    }
}
