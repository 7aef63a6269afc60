//! What wakes the function: the schedule, and the message with which it goes on where it stopped.

use domain::assessment::EVENT_SOURCE;
use lambda::batch::{Retry, Retryable, Subject};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;

/// What EventBridge sends for a rule with a schedule.
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html>.
const SCHEDULED: (&str, &str) = ("aws.events", "Scheduled Event");
/// What the function sends itself.
const CONTINUES: (&str, &str) = (EVENT_SOURCE, "Sweep Continues");

/// What woke the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    Schedule,
    Continuation,
}

#[derive(Deserialize)]
struct Envelope {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
}

/// A message that nobody should have sent.
#[derive(Debug, Error)]
pub enum MessageError {
    #[error("message cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("`{detail_type}` from `{source_name}` wakes no sweep")]
    Unknown { source_name: String, detail_type: String },
}

impl Retryable for MessageError {
    fn retry(&self) -> Retry {
        Retry::Never
    }
}

/// The message with which the function goes on.
pub(crate) fn continuation() -> String {
    json!({ "source": CONTINUES.0, "detail-type": CONTINUES.1, "detail": {} }).to_string()
}

/// Reads a message.
pub(crate) fn read(body: &str) -> Result<Subject<Wake, ()>, MessageError> {
    let Envelope { source, detail_type } = serde_json::from_str(body)?;
    let wake = match (source.as_str(), detail_type.as_str()) {
        SCHEDULED => Wake::Schedule,
        CONTINUES => Wake::Continuation,
        _ => return Err(MessageError::Unknown { source_name: source, detail_type }),
    };
    Ok(Subject::About(wake, ()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wake(source: &str, detail_type: &str) -> Result<Wake, MessageError> {
        let body = json!({"source": source, "detail-type": detail_type, "detail": {}}).to_string();
        read(&body).map(|subject| match subject {
            Subject::About(wake, ()) => wake,
            Subject::NotOurs(reason) => panic!("{reason}"),
        })
    }

    #[test]
    fn the_schedule_and_the_function_itself_wake_it_and_nobody_else() {
        assert_eq!(wake("aws.events", "Scheduled Event").unwrap(), Wake::Schedule);
        assert_eq!(wake("ecr-warden", "Sweep Continues").unwrap(), Wake::Continuation);
        assert!(matches!(wake("ecr-warden", "Scheduled Event"), Err(MessageError::Unknown { .. })));
        assert!(matches!(wake("aws.events", "Sweep Continues"), Err(MessageError::Unknown { .. })));
        assert!(matches!(wake("ecr-warden", "Image Due"), Err(MessageError::Unknown { .. })));
        assert!(matches!(read("{}"), Err(MessageError::Json(_))));
    }
}
