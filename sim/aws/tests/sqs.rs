//! Messages through the real SQS client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use std::collections::BTreeMap;

use account::{RecordedAccount, account};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry, SendMessageBatchResultEntry};
use sim_aws::{Fault, MessageAttribute, Nth, QueueDepth, SentMessage};

const URL: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/work";

async fn queue() -> (RecordedAccount, Client) {
    let aws = account();
    aws.sqs().create_queue(URL);
    let client = Client::new(&aws.sdk_config().await);
    (aws, client)
}

fn entry(id: &str, body: &str, delay: i32) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id).message_body(body).delay_seconds(delay).build().unwrap()
}

fn number(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("Number").string_value(value).build().unwrap()
}

async fn code(client: &Client, url: &str, entries: Vec<SendMessageBatchRequestEntry>) -> String {
    let error =
        client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await.unwrap_err();
    let code = error.into_service_error().meta().code().unwrap().to_owned();
    code.strip_prefix("AWS.SimpleQueueService.").map_or(code.clone(), str::to_owned)
}

#[tokio::test]
async fn message_arrives_with_its_delay_and_attributes() {
    let (aws, client) = queue().await;
    let entry = SendMessageBatchRequestEntry::builder()
        .id("0")
        .message_body("hello")
        .delay_seconds(900)
        .message_attributes("attempt", number("2"));
    let answer =
        client.send_message_batch().queue_url(URL).entries(entry.build().unwrap()).send().await.unwrap();
    assert!(answer.failed().is_empty());
    let [sent] = answer.successful() else { panic!("{answer:?}") };
    assert_eq!((sent.id(), sent.md5_of_message_body()), ("0", "5d41402abc4b2a76b9719d911017c592"));
    // hashlib.md5(b"\0\0\0\7attempt\0\0\0\6Number\1\0\0\0\0012").hexdigest() in Python.
    assert_eq!(sent.md5_of_message_attributes(), Some("4f322cf4d5c06688ead88f91dab9c009"));
    let attribute = MessageAttribute { data_type: "Number".to_owned(), value: "2".to_owned() };
    let expected = SentMessage {
        queue_url: URL.to_owned(),
        body: "hello".to_owned(),
        delay_seconds: 900,
        attributes: BTreeMap::from([("attempt".to_owned(), attribute)]),
    };
    assert_eq!(aws.sqs().take_sent(), [expected]);
    assert_eq!(aws.calls()["sqs:SendMessage"], 1);
    assert!(aws.sqs().take_sent().is_empty());
}

#[tokio::test]
async fn messages_fail_one_by_one() {
    let (aws, client) = queue().await;
    aws.sqs().fail_entries(1);
    let worded = SendMessageBatchRequestEntry::builder()
        .id("worded")
        .message_body("x")
        .message_attributes("attempt", number("two"));
    let mut crowded = SendMessageBatchRequestEntry::builder().id("crowded").message_body("x");
    for name in 0..11 {
        crowded = crowded.message_attributes(name.to_string(), number("1"));
    }
    let entries = vec![
        entry("unlucky", "x", 0),
        entry("late", "x", 901),
        entry("early", "x", -1),
        entry("empty", "", 0),
        worded.build().unwrap(),
        crowded.build().unwrap(),
        entry("good", "x", 0),
    ];
    let answer = client.send_message_batch().queue_url(URL).set_entries(Some(entries)).send().await.unwrap();
    let failed: Vec<_> =
        answer.failed().iter().map(|entry| (entry.id(), entry.code(), entry.sender_fault())).collect();
    let expected = [
        ("unlucky", "InternalError", false),
        ("late", "InvalidParameterValue", true),
        ("early", "InvalidParameterValue", true),
        ("empty", "MissingParameter", true),
        ("worded", "InvalidParameterValue", true),
        ("crowded", "InvalidParameterValue", true),
    ];
    assert_eq!(failed, expected);
    assert_eq!(answer.successful().iter().map(SendMessageBatchResultEntry::id).collect::<Vec<_>>(), ["good"]);
    assert_eq!(aws.sqs().take_sent().len(), 1);
}

#[tokio::test]
async fn batch_that_breaks_a_limit_is_refused_as_a_whole() {
    let (aws, client) = queue().await;
    let many: Vec<_> = (0..11).map(|id| entry(&id.to_string(), "x", 0)).collect();
    assert_eq!(code(&client, URL, many).await, "TooManyEntriesInBatchRequest");
    assert_eq!(code(&client, URL, vec![]).await, "EmptyBatchRequest");
    assert_eq!(code(&client, URL, vec![entry("a", "x", 0); 2]).await, "BatchEntryIdsNotDistinct");
    assert_eq!(code(&client, URL, vec![entry("a b", "x", 0)]).await, "InvalidBatchEntryId");
    let half = "x".repeat(512 * 1024);
    let halves = vec![entry("a", &half, 0), entry("b", &half, 0)];
    let more = [halves.clone(), vec![entry("c", "x", 0)]].concat();
    assert_eq!(code(&client, URL, more).await, "BatchRequestTooLong");
    assert_eq!(code(&client, "https://sqs.test/other", halves.clone()).await, "NonExistentQueue");
    assert!(aws.sqs().take_sent().is_empty());
    client.send_message_batch().queue_url(URL).set_entries(Some(halves)).send().await.unwrap();
    assert_eq!(aws.sqs().take_sent().len(), 2);
}

#[tokio::test]
async fn refusals_that_may_pass_are_retried_by_the_client() {
    for fault in [Fault::Throttle, Fault::ServerError] {
        let (aws, client) = queue().await;
        aws.faults().inject("sqs:SendMessage", fault, Nth::Times(2));
        client.send_message_batch().queue_url(URL).entries(entry("a", "x", 0)).send().await.unwrap();
        assert_eq!((aws.calls()["sqs:SendMessage"], aws.sqs().take_sent().len()), (3, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_queue_says_how_many_messages_it_holds() {
    let (aws, client) = queue().await;
    let ask = |names: &[Attribute]| {
        client.get_queue_attributes().queue_url(URL).set_attribute_names(Some(names.to_vec())).send()
    };
    aws.sqs().set_depth(URL, QueueDepth { visible: 5, in_flight: 2, delayed: 1 });
    let send = client.send_message_batch().queue_url(URL);
    send.entries(entry("a", "{}", 0))
        .entries(entry("b", "{}", 0))
        .entries(entry("c", "{}", 9))
        .send()
        .await
        .unwrap();
    let all = ask(&[Attribute::All]).await.unwrap();
    let held = |name: Attribute| all.attributes().unwrap()[&name].as_str();
    assert_eq!(held(Attribute::ApproximateNumberOfMessages), "7");
    assert_eq!(held(Attribute::ApproximateNumberOfMessagesNotVisible), "2");
    assert_eq!(held(Attribute::ApproximateNumberOfMessagesDelayed), "2");
    let one = ask(&[Attribute::ApproximateNumberOfMessages]).await.unwrap();
    assert_eq!(one.attributes().unwrap().len(), 1);
    assert!(ask(&[]).await.unwrap().attributes().is_none());
    let error = ask(&[Attribute::VisibilityTimeout]).await.unwrap_err().into_service_error();
    assert!(error.is_invalid_attribute_name());
    let other =
        client.get_queue_attributes().queue_url("https://sqs.eu-central-1.amazonaws.com/123456789012/other");
    let error = other.attribute_names(Attribute::All).send().await.unwrap_err().into_service_error();
    assert!(error.is_queue_does_not_exist());
}
