//! Writes every announcement into the history, where it can be read when the ledger has gone on.

use std::collections::BTreeMap;

use aws::dynamodb::History;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::assessment::Assessment;
use domain::history::Entry;
use futures::StreamExt;
use lambda::batch::{Message, Report, Retry, Retryable, messages};
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use thiserror::Error;

/// How many calls to DynamoDB run concurrently.
const CALLS_AT_ONCE: usize = 4;

/// The function and its clients.
#[derive(Debug)]
pub struct RecordHistory {
    history: History,
}

/// An entry, and the messages that carry it; a batch may contain an announcement twice.
type Carried = (Entry, Vec<String>);

/// The invocation was about to time out. The messages come again; what was written is written over by itself.
#[derive(Debug, Error)]
#[error("not enough time left in this invocation")]
struct NoTimeLeft;

impl Retryable for NoTimeLeft {
    fn retry(&self) -> Retry {
        Retry::ByTheQueue
    }
}

impl RecordHistory {
    /// Reads `HISTORY_TABLE_NAME`.
    pub fn new(config: &SdkConfig, environment: &Environment) -> Result<Self, EnvironmentError> {
        let client = aws_sdk_dynamodb::Client::new(config);
        Ok(Self { history: History::new(client, environment.required("HISTORY_TABLE_NAME")?) })
    }

    /// Handles a batch: as few calls as it takes. It needs no claims, because the same announcement is the same entry
    /// whenever it is written.
    pub async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
        let mut report = Report::default();
        let mut entries: BTreeMap<(String, String), Carried> = BTreeMap::new();
        for Message { id, body, .. } in messages(event) {
            match Assessment::from_event(&body) {
                Ok(assessment) => {
                    let entry = Entry::of(&assessment);
                    let key = (entry.image.to_string(), entry.key());
                    entries.entry(key).or_insert_with(|| (entry, Vec::new())).1.push(id);
                }
                Err(error) => report.fail([id], &error),
            }
        }
        let entries: Vec<Carried> = entries.into_values().collect();
        let mut calls = futures::stream::iter(entries.chunks(History::PER_CALL))
            .map(|carried| async move {
                let written = deadline.limit(Box::pin(self.write(carried))).await;
                written.unwrap_or_else(|| Report::of(carrying(carried), Err(NoTimeLeft)))
            })
            .buffer_unordered(CALLS_AT_ONCE);
        while let Some(Report { handled, failed, .. }) = calls.next().await {
            report.handled.extend(handled);
            report.failed.extend(failed);
        }
        report
    }

    /// Writes what one call takes. DynamoDB refuses a call for any of its entries, and none may take the others with it,
    /// so after a refusal each is written alone.
    async fn write(&self, carried: &[Carried]) -> Report {
        let entries: Vec<Entry> = carried.iter().map(|(entry, _)| entry.clone()).collect();
        match self.history.append(&entries).await {
            Err(error) if !error.retryable && entries.len() > 1 => {}
            written => return Report::of(carrying(carried), written),
        }
        let mut report = Report::default();
        for (entry, messages) in carried {
            match self.history.append(std::slice::from_ref(entry)).await {
                Ok(()) => report.handled.extend(messages.iter().cloned()),
                Err(error) => report.fail(messages.iter().cloned(), &error),
            }
        }
        report
    }
}

fn carrying(carried: &[Carried]) -> Vec<String> {
    carried.iter().flat_map(|(_, messages)| messages.clone()).collect()
}
