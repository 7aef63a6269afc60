//! Batches, visibility, redrive and what a crash leaves behind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[allow(dead_code, reason = "each test file uses its own part")]
mod small;

use serde_json::{Value, json};
use sim_delivery::{Batch, Failed, LONGEST_INVOCATION, LONGEST_MESSAGE, Stack};

fn with_sales(count: u64) -> Stack {
    let mut stack = small::load(small::TEMPLATE).unwrap();
    for number in 0..count {
        assert_eq!(stack.route("default", &small::sale(number), 0).queues, ["Sales"]);
    }
    stack
}

fn numbers(batch: &Batch) -> Vec<u64> {
    let event = Stack::lambda_event(batch);
    let records = event["Records"].as_array().unwrap();
    let bodies = records.iter().map(|record| record["body"].as_str().unwrap());
    bodies
        .map(|body| serde_json::from_str::<Value>(body).unwrap()["detail"]["number"].as_u64().unwrap())
        .collect()
}

#[test]
fn batches_are_as_large_as_the_mapping_allows() {
    let mut stack = with_sales(6);
    let first = stack.next_batch(0).unwrap();
    assert_eq!((first.function.as_str(), first.queue.as_str()), ("record-sale", "Sales"));
    assert_eq!(numbers(&first), [0, 1, 2, 3]);
    // Two are left, and their window of five seconds runs while the first batch is being delivered.
    assert_eq!(stack.next_batch(4_999), None);
    assert_eq!(stack.next_visible_at(), Some(5_000));
    let second = stack.next_batch(5_000).unwrap();
    assert_eq!(numbers(&second), [4, 5]);
    assert_eq!(stack.finish(first, Failed::None).deleted.len(), 4);
    assert!(!stack.idle());
    stack.finish(second, Failed::None);
    assert!(stack.idle());
    assert_eq!(stack.next_visible_at(), None);
}

#[test]
fn the_window_counts_as_passed_once_nothing_is_being_delivered() {
    let mut stack = with_sales(5);
    let first = stack.next_batch(0).unwrap();
    stack.finish(first, Failed::None);
    assert_eq!(numbers(&stack.next_batch(0).unwrap()), [4]);
}

#[test]
fn only_the_failed_come_again_and_only_after_the_timeout() {
    let mut stack = with_sales(4);
    let batch = stack.next_batch(1_000).unwrap();
    let failed = vec![batch.records[2].message_id.clone()];
    let finished = stack.finish(batch, Failed::Items(failed));
    assert_eq!((finished.deleted.len(), finished.dead.len(), finished.retried), (3, 0, 1));
    assert_eq!(stack.next_batch(60_999), None);
    assert_eq!(stack.next_visible_at(), Some(61_000));
    let again = stack.next_batch(61_000).unwrap();
    assert_eq!(numbers(&again), [2]);
    assert_eq!(again.records[0].receive_count, 2);
}

#[test]
fn an_unknown_or_empty_message_id_fails_the_whole_batch() {
    for id in ["", "no-such-message"] {
        let mut stack = with_sales(4);
        let batch = stack.next_batch(0).unwrap();
        let known = batch.records[0].message_id.clone();
        let finished = stack.finish(batch, Failed::Items(vec![known, id.to_owned()]));
        assert_eq!((finished.deleted.len(), finished.retried), (0, 4), "{id:?}");
    }
}

#[test]
fn no_failed_ids_mean_success() {
    let mut stack = with_sales(4);
    let batch = stack.next_batch(0).unwrap();
    assert_eq!(stack.finish(batch, Failed::Items(Vec::new())).deleted.len(), 4);
}

#[test]
fn without_report_batch_item_failures_an_answer_is_success() {
    let text = small::changed("      FunctionResponseTypes: [ReportBatchItemFailures]\n", "");
    let mut stack = small::load(&text).unwrap();
    stack.route("default", &small::sale(0), 0);
    let batch = stack.next_batch(0).unwrap();
    let failed = vec![batch.records[0].message_id.clone()];
    assert_eq!(stack.finish(batch, Failed::Items(failed)).deleted.len(), 1);
}

#[test]
fn the_third_failure_ends_in_the_dead_letter_queue() {
    let mut stack = with_sales(1);
    let mut now = 0;
    for attempt in 1..=3 {
        let batch = stack.next_batch(now).unwrap();
        assert_eq!(batch.records[0].receive_count, attempt);
        let finished = stack.finish(batch, Failed::All);
        assert_eq!((finished.dead.len(), finished.retried), if attempt < 3 { (0, 1) } else { (1, 0) });
        now = stack.next_visible_at().unwrap_or(now);
    }
    assert!(stack.idle());
    let dead = stack.dead_letters();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].0.as_str(), &*dead[0].1.body), ("Dead", small::sale(0).to_string().as_str()));
}

#[test]
fn a_crash_costs_a_receipt_and_nothing_else() {
    let mut stack = with_sales(4);
    let lost = stack.next_batch(0).unwrap();
    stack.release_in_flight();
    assert_eq!(stack.next_batch(59_999), None);
    let again = stack.next_batch(60_000).unwrap();
    assert_eq!(again.records.len(), 4);
    assert!(again.records.iter().all(|record| record.receive_count == 2));
    // The batch from before the crash holds old receipts, which delete nothing.
    assert_eq!(stack.finish(lost, Failed::None).deleted.len(), 0);
    assert_eq!(stack.finish(again, Failed::None).deleted.len(), 4);
}

#[test]
fn a_poisonous_message_that_kills_every_process_ends_in_the_dead_letter_queue() {
    let mut stack = with_sales(1);
    for crash in 0..3 {
        assert!(stack.next_batch(crash * 60_000).is_some());
        stack.release_in_flight();
    }
    assert_eq!(stack.next_batch(180_000), None);
    assert!(stack.idle());
    assert_eq!(stack.dead_letters().len(), 1);
}

#[test]
fn an_invocation_carries_no_more_than_six_megabytes() {
    let text = small::changed("BatchSize: 4", "BatchSize: 1000");
    let mut stack = small::load(&text).unwrap();
    // A quotation mark is two bytes in the body and four in the invocation, which is JSON inside JSON.
    let heavy = json!({"source": "shop", "detail": {"text": "\"".repeat(400_000)}});
    for _ in 0..10 {
        assert_eq!(stack.route("default", &heavy, 0).queues.len(), 1);
    }
    let mut sizes = Vec::new();
    while let Some(batch) = stack.next_batch(0) {
        assert!(Stack::lambda_event(&batch).to_string().len() <= LONGEST_INVOCATION);
        sizes.push(batch.records.len());
        stack.finish(batch, Failed::None);
    }
    assert_eq!(sizes, [3, 3, 3, 1]);
}

#[test]
fn a_message_over_a_mebibyte_is_refused() {
    let mut stack = small::load(small::TEMPLATE).unwrap();
    let routed = stack.route("default", &json!({"source": "shop", "detail": "x".repeat(LONGEST_MESSAGE)}), 0);
    assert_eq!((routed.queues.len(), routed.refused), (0, vec!["Sales".to_owned()]));
    assert!(stack.idle());
}

#[test]
fn a_limit_of_concurrency_holds() {
    let text = small::changed("BatchSize: 4", "BatchSize: 1\n      ScalingConfig: { MaximumConcurrency: 2 }");
    let mut stack = small::load(&text).unwrap();
    for number in 0..3 {
        stack.route("default", &small::sale(number), 0);
    }
    let first = stack.next_batch(0).unwrap();
    assert!(stack.next_batch(0).is_some());
    assert_eq!(stack.next_batch(0), None);
    stack.finish(first, Failed::None);
    assert!(stack.next_batch(0).is_some());
}

#[test]
fn the_event_of_a_function_looks_like_that_of_sqs() {
    let mut stack = with_sales(1);
    let event = Stack::lambda_event(&stack.next_batch(7).unwrap());
    let body = small::sale(0).to_string();
    assert_eq!(
        event,
        json!({"Records": [{
            "messageId": "00000000-0000-4000-8000-000000000001",
            "receiptHandle": "0000000000000001:0000000000000001",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "0",
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "7",
            },
            "messageAttributes": {},
            "md5OfBody": "73fbc125ba6ab9960d7e1ed35958079f",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:small-Sales",
            "awsRegion": "eu-central-1",
        }]})
    );
}

#[test]
fn what_a_rule_tells_people_is_in_no_queue() {
    let people = "  People: { Type: AWS::SNS::Topic }\n  SaleEvents:\n";
    let told = small::changed("  SaleEvents:\n", people).replace(
        "Arn: !GetAtt Sales.Arn }]",
        "Arn: !GetAtt Sales.Arn }, { Id: People, Arn: !Ref People, InputPath: $.id }]",
    );
    let mut stack = small::load(&told).unwrap();
    assert_eq!(stack.route("default", &small::sale(1), 0).queues, ["Sales"]);
}

#[test]
fn a_list_may_be_split_from_text() {
    let split = small::changed("source: [!Ref Source]", "source: !Split [', ', !Sub '${Source}, market']");
    let mut stack = small::load(&split).unwrap();
    for (source, rules) in [("shop", 1), ("market", 1), ("shop, market", 0)] {
        let sale = json!({"source": source, "detail": {"number": 1}});
        assert_eq!(stack.route("default", &sale, 0).rules.len(), rules, "{source}");
    }
}
