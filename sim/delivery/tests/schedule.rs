//! Rules that the clock fires.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[allow(dead_code, reason = "each test file uses its own part")]
mod small;

use serde_json::{Value, json};
use sim_delivery::{Failed, Stack, TemplateError};

const MINUTE: i64 = 60_000;

/// The small template with a schedule in the place of the pattern.
fn scheduled(expression: &str) -> Result<Stack, TemplateError> {
    let schedule = format!("ScheduleExpression: {expression}");
    small::load(&small::changed("EventPattern: { source: [!Ref Source] }", &schedule))
}

#[test]
fn a_schedule_sends_the_event_that_eventbridge_sends() {
    let mut stack = scheduled("rate(15 minutes)").unwrap();
    let at = 1_483_123_500_000;
    assert_eq!(stack.next_scheduled(at - 1), Some(at));
    assert_eq!(stack.next_scheduled(at), Some(at + 15 * MINUTE));
    assert_eq!(stack.fire_scheduled(at).queues, ["Sales"]);
    let batch = stack.next_batch(at).unwrap();
    let event: Value = serde_json::from_str(&batch.records[0].body).unwrap();
    let expected = json!({
        "version": "0", "id": "00000000-0000-4000-8000-000000000001", "detail-type": "Scheduled Event",
        "source": "aws.events", "account": "123456789012", "time": "2016-12-30T18:45:00Z",
        "region": "eu-central-1", "resources": ["arn:aws:events:eu-central-1:123456789012:rule/small-Sold"],
        "detail": {},
    });
    assert_eq!(event, expected);
    stack.finish(batch, Failed::None);
    assert!(stack.idle());
}

#[test]
fn between_its_times_a_schedule_fires_only_where_it_is_told_to() {
    let mut stack = scheduled("rate(15 minutes)").unwrap();
    assert_eq!(stack.fire_scheduled(MINUTE).queues, Vec::<String>::new());
    assert_eq!(stack.fire_every_schedule(MINUTE).rules, ["Sold"]);
    assert_eq!(stack.queue_length("Sales"), 1);
}

#[test]
fn a_stack_without_a_schedule_never_fires() {
    let mut stack = small::load(small::TEMPLATE).unwrap();
    assert_eq!(stack.next_scheduled(0), None);
    assert_eq!(stack.fire_every_schedule(0).rules, Vec::<String>::new());
    // And an event of that form is one like any other.
    let stack = scheduled("rate(15 minutes)");
    let event = json!({"source": "aws.events", "detail-type": "Scheduled Event"});
    assert_eq!(stack.unwrap().route("default", &event, 0).rules, Vec::<String>::new());
}

#[test]
fn schedules_that_are_not_understood_are_refused() {
    for (expression, reason) in [
        ("cron(0 10 * * ? *)", "not supported"),
        ("rate(1 minutes)", "rate(15 minutes)"),
        ("rate(15 minutes)\n      EventBusName: other", "default bus"),
    ] {
        let error = scheduled(expression).unwrap_err().to_string();
        assert!(error.starts_with("resource `Sold`") && error.contains(reason), "{error}");
    }
}
