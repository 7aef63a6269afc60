//! Items through the real `DynamoDB` client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use std::collections::HashMap;

use account::{RecordedAccount, account};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure,
    WriteRequest,
};

async fn table() -> (RecordedAccount, Client) {
    let aws = account();
    aws.dynamodb().create_table("ledger", "image").await;
    aws.dynamodb().create_table("ledger", "image").await;
    let client = Client::new(&aws.sdk_config().await);
    (aws, client)
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[tokio::test]
async fn put_whose_condition_fails_is_refused() {
    let (aws, client) = table().await;
    let put = |version| {
        client.put_item().table_name("ledger").item("image", text("a")).item("version", number(version))
    };
    let created = put(1).condition_expression("attribute_not_exists(image)");
    created.clone().send().await.unwrap();
    let refused = created
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let PutItemError::ConditionalCheckFailedException(refused) = refused else { panic!("{refused:?}") };
    assert_eq!(refused.item().unwrap()["version"], number(1));

    let next = |expected| {
        let request = put(expected + 1).condition_expression("#version = :expected");
        request
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":expected", number(expected))
    };
    next(1).send().await.unwrap();
    let error = next(1).send().await.unwrap_err().into_service_error();
    assert!(error.is_conditional_check_failed_exception());
    let request = client.get_item().table_name("ledger").key("image", text("a")).consistent_read(true);
    assert_eq!(request.send().await.unwrap().item().unwrap()["version"], number(2));
    assert_eq!(aws.calls()["dynamodb:PutItem"], 4);
}

#[tokio::test]
async fn update_sets_and_removes_attributes_under_a_condition() {
    let (_aws, client) = table().await;
    let item = [("image", text("a")), ("version", number(1)), ("unpublished", text("x"))];
    let item: HashMap<_, _> = item.map(|(name, value)| (name.to_owned(), value)).into();
    client.put_item().table_name("ledger").set_item(Some(item)).send().await.unwrap();
    let update = || {
        let request = client.update_item().table_name("ledger").key("image", text("a"));
        request
            .update_expression("SET done = :done REMOVE unpublished")
            .condition_expression("version = :version AND attribute_exists(unpublished)")
            .expression_attribute_values(":version", number(1))
            .expression_attribute_values(":done", AttributeValue::Bool(true))
            .return_values(ReturnValue::AllNew)
    };
    let attributes = update().send().await.unwrap().attributes.unwrap();
    assert_eq!(attributes["done"], AttributeValue::Bool(true));
    assert!(!attributes.contains_key("unpublished"));
    assert!(update().send().await.unwrap_err().into_service_error().is_conditional_check_failed_exception());
}

async fn write(client: &Client, count: usize) -> HashMap<String, Vec<WriteRequest>> {
    let requests = (0..count).map(|at| {
        let put = PutRequest::builder().item("image", text(format!("{at:03}"))).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    });
    let request = client.batch_write_item().request_items("ledger", requests.collect());
    request.send().await.unwrap().unprocessed_items.unwrap_or_default()
}

fn keys(count: usize) -> KeysAndAttributes {
    let keys = (0..count).map(|at| HashMap::from([("image".to_owned(), text(format!("{at:03}")))]));
    KeysAndAttributes::builder().set_keys(Some(keys.collect())).consistent_read(true).build().unwrap()
}

#[tokio::test]
async fn unprocessed_half_of_a_batch_is_returned() {
    let (aws, client) = table().await;
    assert!(write(&client, 10).await.is_empty());
    aws.dynamodb().leave_unprocessed(2);
    let response = client.batch_get_item().request_items("ledger", keys(10)).send().await.unwrap();
    assert_eq!(response.responses().unwrap()["ledger"].len(), 5);
    let left = response.unprocessed_keys.unwrap();
    assert_eq!((left["ledger"].keys().len(), left["ledger"].consistent_read()), (5, Some(true)));
    assert_eq!(write(&client, 11).await["ledger"].len(), 6);
    let request = client.batch_get_item().set_request_items(Some(left));
    let response = request.send().await.unwrap();
    assert_eq!(response.responses().unwrap()["ledger"].len(), 5);
    assert!(response.unprocessed_keys.unwrap_or_default().is_empty());
}

#[tokio::test]
async fn single_item_of_a_batch_is_returned_unprocessed() {
    let (aws, client) = table().await;
    aws.dynamodb().leave_unprocessed(2);
    assert_eq!(write(&client, 1).await["ledger"].len(), 1);
    let response = client.batch_get_item().request_items("ledger", keys(1)).send().await.unwrap();
    assert_eq!(response.unprocessed_keys().unwrap()["ledger"].keys().len(), 1);
}

#[tokio::test]
async fn batch_that_is_too_large_or_has_duplicates_is_refused() {
    let (_aws, client) = table().await;
    let code = async |keys| {
        let error = client.batch_get_item().request_items("ledger", keys).send().await.unwrap_err();
        error.into_service_error().meta().code().map(str::to_owned)
    };
    assert_eq!(code(keys(101)).await.as_deref(), Some("ValidationException"));
    let twice = [keys(1).keys, keys(1).keys].concat();
    let twice = KeysAndAttributes::builder().set_keys(Some(twice)).build().unwrap();
    assert_eq!(code(twice).await.as_deref(), Some("ValidationException"));
    let requests = vec![WriteRequest::builder().build(); 26];
    let request = client.batch_write_item().request_items("ledger", requests);
    let error = request.send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("ValidationException"));
}

#[tokio::test]
async fn item_of_more_than_400_kilobytes_is_refused() {
    let (_aws, client) = table().await;
    let put = |bytes: usize| {
        let request = client.put_item().table_name("ledger").item("image", text("a"));
        request.item("findings", AttributeValue::B(Blob::new(vec![7; bytes])))
    };
    let names = "image".len() + "a".len() + "findings".len();
    put(400 * 1024 - names).send().await.unwrap();
    let error = put(400 * 1024 - names + 1).send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("ValidationException"));
    assert_eq!(error.meta().message(), Some("Item size has exceeded the maximum allowed size"));
}
