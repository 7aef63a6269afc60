//! Reading events: JSON lines, JSON files, SQS batches, and Inspector's scan results.

mod delivery;
mod scan_result;
mod stretch;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

pub use delivery::{Delivery, Unreadable, receiver};
pub use stretch::beginning;
pub(crate) use stretch::{is_passing, stretches};

/// EventBridge takes less than 1 MB in an event, and SQS 1 MiB in a message.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
const LONGEST_EVENT: usize = 1 << 20;

/// Why an input cannot be played at all.
#[derive(Debug, Error)]
pub enum InputError {
    /// The file is not there, or not readable.
    #[error("{file}: {source}")]
    Io { file: String, source: std::io::Error },
    /// A `*.cdx.json` that is no scan result.
    #[error("{file}: not a scan result of Inspector in CycloneDX: {reason}")]
    ScanResult { file: String, reason: String },
    /// Time passes to no time.
    #[error("{origin}: `time`: expected a time such as \"2026-12-01T00:00:00Z\", found {written}")]
    UnreadableTime { origin: String, written: String },
    /// Time passes backwards.
    #[error("{origin}: time cannot pass until {until}: what was played before is from {newest}")]
    TimePassed { origin: String, until: Timestamp, newest: Timestamp },
}

/// Reads a file, or standard input where the name is `-`.
pub fn read_file(name: &str) -> Result<Vec<Delivery>, InputError> {
    let failed = |source| InputError::Io { file: name.to_owned(), source };
    let mut bytes = Vec::new();
    if name == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
    } else {
        std::fs::File::open(name).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(failed)?;
    }
    let short =
        Path::new(name).file_name().map_or_else(|| name.to_owned(), |n| n.to_string_lossy().into_owned());
    if let Some(image) = short.strip_suffix(".cdx.json") {
        return scan_result::events(image, &bytes)
            .map(|events| {
                events.into_iter().map(|event| Delivery { origin: short.clone(), event: Ok(event) }).collect()
            })
            .map_err(|reason| InputError::ScanResult { file: name.to_owned(), reason });
    }
    Ok(read_text(&short, &bytes))
}

/// Reads events from text: one JSON value a line, or one value over several lines.
pub fn read_text(origin: &str, bytes: &[u8]) -> Vec<Delivery> {
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        return unwrap(origin, value);
    }
    let mut deliveries = Vec::new();
    for (number, line) in BufReader::new(bytes).split(b'\n').enumerate() {
        let origin = format!("{origin}:{}", number + 1);
        // Reading from memory does not fail.
        let line = line.unwrap_or_default();
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Value>(&line) {
            Ok(value) => deliveries.extend(unwrap(&origin, value)),
            Err(error) => {
                let event = Err(Unreadable(format!("not JSON: {error}")));
                deliveries.push(Delivery { origin, event });
            }
        }
    }
    deliveries
}

/// The events in a value: itself, those of an array, or the bodies of an SQS batch.
fn unwrap(origin: &str, value: Value) -> Vec<Delivery> {
    match value {
        Value::Array(values) => values.into_iter().flat_map(|value| unwrap(origin, value)).collect(),
        Value::Object(mut object) if object.get("Records").is_some_and(Value::is_array) => {
            let Some(Value::Array(records)) = object.remove("Records") else { return Vec::new() };
            records.iter().flat_map(|record| body(origin, record)).collect()
        }
        value => vec![Delivery { origin: origin.to_owned(), event: deliverable(value) }],
    }
}

fn body(origin: &str, record: &Value) -> Vec<Delivery> {
    let text = record.get("body").and_then(Value::as_str);
    match text.map(serde_json::from_str::<Value>) {
        Some(Ok(value)) => unwrap(origin, value),
        Some(Err(error)) => {
            let event = Err(Unreadable(format!("the body of an SQS message is not JSON: {error}")));
            vec![Delivery { origin: origin.to_owned(), event }]
        }
        None => {
            let event = Err(Unreadable("an SQS message without a body".to_owned()));
            vec![Delivery { origin: origin.to_owned(), event }]
        }
    }
}

fn deliverable(value: Value) -> Result<Value, Unreadable> {
    if !value.is_object() {
        return Err(Unreadable("not a JSON object".to_owned()));
    }
    let length = serde_json::to_vec(&value).map_or(0, |bytes| bytes.len());
    if length > LONGEST_EVENT {
        return Err(Unreadable(format!(
            "{length} bytes; EventBridge delivers no event over {LONGEST_EVENT}"
        )));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<Result<Value, Unreadable>> {
        read_text("test", text.as_bytes()).into_iter().map(|delivery| delivery.event).collect()
    }

    #[test]
    fn a_truncated_line_spoils_no_other() {
        let read = read_text("test", b"{\"a\":1}\n\n{\"b\":\n{\"c\":3}\n");
        assert_eq!(read.len(), 3);
        assert!(read[0].event.is_ok() && read[2].event.is_ok());
        assert_eq!(read[1].origin, "test:3");
        assert!(read[1].event.as_ref().unwrap_err().0.starts_with("not JSON"));
    }

    #[test]
    fn one_event_over_several_lines_is_one_event() {
        assert_eq!(events("{\n \"a\": 1\n}\n").len(), 1);
    }

    #[test]
    fn an_sqs_batch_is_its_bodies() {
        let read = events(r#"{"Records":[{"body":"{\"a\":1}"},{"body":"{"},{}]}"#);
        assert_eq!(read[0], Ok(serde_json::json!({"a":1})));
        assert!(read[1].is_err() && read[2].is_err());
    }

    #[test]
    fn what_eventbridge_cannot_deliver_is_refused() {
        let text = format!("{{\"a\":\"{}\"}}", "x".repeat(LONGEST_EVENT));
        assert!(events(&text)[0].as_ref().unwrap_err().0.contains("EventBridge"));
        assert!(events("17")[0].is_err());
    }
}
