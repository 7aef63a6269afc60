//! Batches of items. DynamoDB answers a batch with success even if it left some of it undone; the SDK does not send that
//! again, so this code does.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, PutRequest, WriteRequest};

use super::key::Item;
use crate::AwsError;

/// How many items one `BatchWriteItem` takes.
pub(super) const ITEMS_PER_WRITE: usize = 25;
/// How many keys one `BatchGetItem` takes.
const KEYS_PER_READ: usize = 100;
const WRITE: &str = "dynamodb:BatchWriteItem";
const READ: &str = "dynamodb:BatchGetItem";

/// A table, and how many times what was left undone is sent again. Each wait is twice as long as the one before, which
/// was 50 ms at first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batches<'a> {
    pub(super) client: &'a Client,
    pub(super) table: &'a str,
    pub(super) repetitions: u32,
}

impl Batches<'_> {
    /// Puts items, of which no two may have the same key.
    pub(super) async fn put(self, items: Vec<Item>) -> Result<(), AwsError> {
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let mut writes =
                items.by_ref().take(ITEMS_PER_WRITE).map(put_request).collect::<Result<Vec<_>, _>>()?;
            for repetition in 0.. {
                let request = self.client.batch_write_item().request_items(self.table, writes);
                let answer = request.send().await.map_err(|error| AwsError::of(WRITE, error))?;
                writes = answer.unprocessed_items.unwrap_or_default().remove(self.table).unwrap_or_default();
                if writes.is_empty() {
                    break;
                }
                self.pause(WRITE, repetition).await?;
            }
        }
        Ok(())
    }

    /// Gets the items with these hash keys, of which no two may be equal, and passes each page of them on. Those that do
    /// not exist are left out. A consistent read has all that was written before, and costs twice as much.
    pub(super) async fn get(
        self,
        key: &str,
        values: Vec<String>,
        consistent: bool,
        mut found: impl FnMut(Vec<Item>),
    ) -> Result<(), AwsError> {
        for values in values.chunks(KEYS_PER_READ) {
            let keys = values
                .iter()
                .map(|value| HashMap::from([(key.to_owned(), AttributeValue::S(value.clone()))]));
            let mut wanted = Some(
                KeysAndAttributes::builder()
                    .set_keys(Some(keys.collect()))
                    .consistent_read(consistent)
                    .build()
                    .map_err(|error| AwsError::answer(READ, error.to_string(), false))?,
            );
            for repetition in 0.. {
                let request = self.client.batch_get_item().set_request_items(
                    wanted.take().map(|wanted| HashMap::from([(self.table.to_owned(), wanted)])),
                );
                let answer = request.send().await.map_err(|error| AwsError::of(READ, error))?;
                found(answer.responses.unwrap_or_default().remove(self.table).unwrap_or_default());
                wanted = answer.unprocessed_keys.unwrap_or_default().remove(self.table);
                if wanted.is_none() {
                    break;
                }
                self.pause(READ, repetition).await?;
            }
        }
        Ok(())
    }

    async fn pause(self, action: &'static str, repetition: u32) -> Result<(), AwsError> {
        if repetition == self.repetitions {
            return Err(AwsError::answer(action, "items remained unprocessed", true));
        }
        tokio::time::sleep(Duration::from_millis(50 << repetition)).await;
        Ok(())
    }
}

fn put_request(item: Item) -> Result<WriteRequest, AwsError> {
    let put = PutRequest::builder()
        .set_item(Some(item))
        .build()
        .map_err(|error| AwsError::answer(WRITE, error.to_string(), false))?;
    Ok(WriteRequest::builder().put_request(put).build())
}
