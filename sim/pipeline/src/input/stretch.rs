//! A stream in which time passes: `{"detail-type": "Time Passes", "time": "2026-12-01T00:00:00Z"}` anywhere in it.

use jiff::Timestamp;
use serde_json::Value;

use super::{Delivery, InputError};

const TIME_PASSES: &str = "Time Passes";

/// Events that are played to rest, and until when time passes after them.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) until: Option<Timestamp>,
}

/// Cuts a stream where time passes in it. Each time must be one that can be read, and none may lie before what was played
/// already.
pub(crate) fn stretches(deliveries: Vec<Delivery>) -> Result<Vec<Stretch>, InputError> {
    let mut stretches = Vec::new();
    let mut open = Vec::new();
    let mut newest = Timestamp::MIN;
    for delivery in deliveries {
        let time = delivery.time();
        if is_passing(&delivery) {
            let until = time.ok_or_else(|| unreadable(&delivery))?;
            if until < newest {
                return Err(InputError::TimePassed { origin: delivery.origin, until, newest });
            }
            stretches.push(Stretch { deliveries: std::mem::take(&mut open), until: Some(until) });
        } else {
            open.push(delivery);
        }
        newest = newest.max(time.unwrap_or(newest));
    }
    if !open.is_empty() {
        stretches.push(Stretch { deliveries: open, until: None });
    }
    Ok(stretches)
}

/// What time it is when a stream begins: that of the newest event before time first passes, so that a stream has the same
/// outcome whenever it is played.
pub fn beginning(deliveries: &[Delivery]) -> Option<Timestamp> {
    let before = deliveries.iter().take_while(|delivery| !is_passing(delivery));
    before.filter_map(Delivery::time).max().or_else(|| deliveries.iter().find_map(Delivery::time))
}

/// Whether it only says that time passes.
pub(crate) fn is_passing(delivery: &Delivery) -> bool {
    delivery
        .event
        .as_ref()
        .is_ok_and(|event| event.get("detail-type").and_then(Value::as_str) == Some(TIME_PASSES))
}

fn unreadable(delivery: &Delivery) -> InputError {
    let written =
        delivery.event.as_ref().ok().and_then(|event| event.get("time")).cloned().unwrap_or_default();
    InputError::UnreadableTime { origin: delivery.origin.clone(), written: written.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::read_text;
    use super::*;

    fn stream(lines: &[&str]) -> Vec<Delivery> {
        read_text("events.jsonl", lines.join("\n").as_bytes())
    }

    fn at(time: &str) -> String {
        format!(r#"{{"detail-type": "Time Passes", "time": "{time}"}}"#)
    }

    fn event(time: &str) -> String {
        format!(r#"{{"detail-type": "ECR Image Action", "time": "{time}"}}"#)
    }

    #[test]
    fn time_passes_after_what_stands_before_it() {
        let lines = [
            event("2026-03-02T09:00:00Z"),
            at("2026-03-03T00:00:00Z"),
            event("2026-03-02T08:00:00Z"),
            at("2026-03-04T00:00:00Z"),
        ];
        let stream = stream(&lines.each_ref().map(String::as_str));
        assert_eq!(beginning(&stream).unwrap().to_string(), "2026-03-02T09:00:00Z");
        let found: Vec<_> = stretches(stream)
            .unwrap()
            .iter()
            .map(|one| (one.deliveries.len(), one.until.unwrap().to_string()))
            .collect();
        let expected = [(1, "2026-03-03T00:00:00Z".to_owned()), (1, "2026-03-04T00:00:00Z".to_owned())];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_stream_that_begins_with_time_passing_begins_then() {
        let lines = [at("2026-03-03T00:00:00Z"), event("2026-03-04T08:00:00Z")];
        let stream = stream(&lines.each_ref().map(String::as_str));
        assert_eq!(beginning(&stream).unwrap().to_string(), "2026-03-03T00:00:00Z");
        let stretches = stretches(stream).unwrap();
        assert_eq!(stretches.len(), 2);
        assert!(stretches[0].deliveries.is_empty() && stretches[1].until.is_none());
    }

    #[test]
    fn a_time_that_has_passed_already_is_refused_with_its_place() {
        for earlier in [event("2026-03-02T09:00:00Z"), at("2026-03-02T09:00:00Z")] {
            let refused = stretches(stream(&[&earlier, &at("2026-03-02T08:59:59Z")])).unwrap_err();
            let expected = "events.jsonl:2: time cannot pass until 2026-03-02T08:59:59Z: \
                            what was played before is from 2026-03-02T09:00:00Z";
            assert_eq!(refused.to_string(), expected);
            assert_eq!(
                stretches(stream(&[&earlier, &at("2026-03-02T09:00:00Z")])).unwrap().len(),
                1 + usize::from(earlier.contains("Time"))
            );
        }
    }

    #[test]
    fn a_time_that_cannot_be_read_is_refused_with_its_place() {
        for (line, written) in
            [(at("soon"), "\"soon\""), (r#"{"detail-type": "Time Passes"}"#.to_owned(), "null")]
        {
            let refused = stretches(stream(&[&event("2026-03-02T09:00:00Z"), &line])).unwrap_err();
            let expected = format!(
                "events.jsonl:2: `time`: expected a time such as \"2026-12-01T00:00:00Z\", found {written}"
            );
            assert_eq!(refused.to_string(), expected);
        }
    }
}
