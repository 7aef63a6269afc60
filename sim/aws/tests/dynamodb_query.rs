//! Queries of tables and indexes, page by page, through the real `DynamoDB` client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use std::collections::HashMap;

use account::{RecordedAccount, account};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

/// Sales by shop and time, with an index of what is to be looked at by priority.
async fn sales() -> (RecordedAccount, Client) {
    let aws = account();
    let attribute = |name: &str, kind: &str| json!({"AttributeName": name, "AttributeType": kind});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let definition = json!({
        "AttributeDefinitions": [
            attribute("shop", "S"), attribute("at", "S"), attribute("shelf", "S"), attribute("priority", "N"),
        ],
        "KeySchema": [key("shop", "HASH"), key("at", "RANGE")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "shelves",
            "KeySchema": [key("shelf", "HASH"), key("priority", "RANGE")],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["price"]},
        }],
    });
    aws.dynamodb().create_table_as("sales", &definition).await;
    let client = Client::new(&aws.sdk_config().await);
    (aws, client)
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

async fn sell(client: &Client, at: &str, priority: Option<u64>, note: usize) {
    let mut item = HashMap::from([
        ("shop".to_owned(), text("a")),
        ("at".to_owned(), text(at)),
        ("shelf".to_owned(), text("low")),
        ("price".to_owned(), number(5)),
        ("note".to_owned(), text("x".repeat(note))),
    ]);
    if let Some(priority) = priority {
        item.insert("priority".to_owned(), number(priority));
    }
    client.put_item().table_name("sales").set_item(Some(item)).send().await.unwrap();
}

fn of_shop(client: &Client) -> QueryFluentBuilder {
    let request = client.query().table_name("sales").key_condition_expression("shop = :shop");
    request.expression_attribute_values(":shop", text("a"))
}

fn of_shelf(client: &Client) -> QueryFluentBuilder {
    let request = client.query().table_name("sales").index_name("shelves");
    request.key_condition_expression("shelf = :shelf").expression_attribute_values(":shelf", text("low"))
}

/// The times of the items on each page.
async fn pages(request: QueryFluentBuilder) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut start = None;
    loop {
        let answer = request.clone().set_exclusive_start_key(start).send().await.unwrap();
        pages.push(answer.items().iter().map(|item| item["at"].as_s().unwrap().clone()).collect());
        start = answer.last_evaluated_key;
        if start.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn page_ends_after_a_megabyte_and_the_next_goes_on() {
    let (_aws, client) = sales().await;
    for at in ["3", "1", "4", "2", "5"] {
        sell(&client, at, None, 300 * 1024).await;
    }
    assert_eq!(pages(of_shop(&client)).await, [vec!["1", "2", "3"], vec!["4", "5"]]);
    let backwards = of_shop(&client).scan_index_forward(false);
    assert_eq!(pages(backwards).await, [vec!["5", "4", "3"], vec!["2", "1"]]);
    assert_eq!(pages(of_shop(&client).limit(4)).await, [vec!["1", "2", "3"], vec!["4", "5"]]);
    assert_eq!(pages(of_shop(&client).limit(2)).await, [vec!["1", "2"], vec!["3", "4"], vec!["5"]]);
}

#[tokio::test]
async fn items_between_two_keys_are_found() {
    let (_aws, client) = sales().await;
    for at in ["1#a", "2#a", "2#b", "3#a"] {
        sell(&client, at, None, 1).await;
    }
    let request = client.query().table_name("sales");
    let request = request.key_condition_expression("shop = :shop AND #at BETWEEN :from AND :to");
    let request = request.expression_attribute_names("#at", "at");
    let request = request.expression_attribute_values(":shop", text("a"));
    let request = request.expression_attribute_values(":from", text("2"));
    assert_eq!(pages(request.expression_attribute_values(":to", text("3"))).await, [["2#a", "2#b"]]);
}

#[tokio::test]
async fn index_has_the_items_with_its_keys_in_the_order_of_their_numbers() {
    let (_aws, client) = sales().await;
    sell(&client, "1", Some(10), 1).await;
    sell(&client, "2", Some(9), 1).await;
    sell(&client, "3", None, 1).await;
    assert_eq!(pages(of_shelf(&client)).await, [["2", "1"]]);
    let items = of_shelf(&client).send().await.unwrap().items.unwrap();
    let mut attributes: Vec<&String> = items[0].keys().collect();
    attributes.sort();
    assert_eq!(attributes, ["at", "price", "priority", "shelf", "shop"], "without the note");
}

#[tokio::test]
async fn no_item_with_the_same_range_key_is_lost_between_pages() {
    let (aws, client) = sales().await;
    aws.dynamodb().limit_pages(1);
    for at in ["1", "2", "3"] {
        sell(&client, at, Some(7), 1).await;
    }
    assert_eq!(pages(of_shelf(&client)).await, [["1"], ["2"], ["3"]]);
}

#[tokio::test]
async fn attribute_with_a_reserved_name_needs_a_placeholder() {
    let (_aws, client) = sales().await;
    let request = client.query().table_name("sales").key_condition_expression("shop = :shop AND at = :at");
    let request = request.expression_attribute_values(":shop", text("a"));
    let error = request.expression_attribute_values(":at", text("1")).send().await.unwrap_err();
    let error = error.into_service_error();
    assert_eq!(error.meta().code(), Some("ValidationException"));
    let told = "Invalid KeyConditionExpression: Attribute name is a reserved keyword; reserved keyword: at";
    assert_eq!(error.meta().message(), Some(told));
}

#[tokio::test]
async fn index_cannot_be_read_consistently() {
    let (_aws, client) = sales().await;
    let error = of_shelf(&client).consistent_read(true).send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("ValidationException"));
}
