//! The index of all images, read without unpacking a ledger.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::image::ImageId;
use domain::row::{Shard, StatusRow};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::error::{LedgerError, wrong};
use super::index::read_due;
use super::key::{IMAGE, Item};
use super::ledgers::Ledgers;
use crate::AwsError;

/// The name of the index in template.yaml, whose keys are `shard` and `due`; it has the attribute `row` besides.
const INDEX: &str = "rows";
/// How many shards are read concurrently.
const SHARDS_AT_ONCE: usize = 4;

/// An image in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub image: ImageId,
    /// The earliest moment at which the clock alone could change what is said of it, in whole seconds.
    pub due: Option<Timestamp>,
    pub row: StatusRow,
}

fn read(item: &Item) -> Result<Listed, LedgerError> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
    let id = text("id").strip_prefix(IMAGE).unwrap_or_default();
    let image: ImageId =
        id.parse().map_err(|source| LedgerError::Key { key: text("id").to_owned(), source })?;
    let row = serde_json::from_str(text("row")).map_err(|error| wrong(&image, "row", error.to_string()))?;
    Ok(Listed { due: read_due(item), row, image })
}

impl Ledgers {
    /// All images that are in the registry, in no particular order. DynamoDB brings the index up to date after a ledger
    /// was stored, usually within a second, so an image that was stored just now may be missing or out of date.
    pub async fn rows(&self) -> Result<Vec<Listed>, LedgerError> {
        let shards = futures::stream::iter(Shard::all()).map(|shard| self.rows_of(shard));
        let rows: Vec<Vec<Listed>> = shards.buffer_unordered(SHARDS_AT_ONCE).try_collect().await?;
        Ok(rows.concat())
    }

    async fn rows_of(&self, shard: Shard) -> Result<Vec<Listed>, LedgerError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("shard = :shard")
            .expression_attribute_values(":shard", AttributeValue::S(shard.to_string()))
            .into_paginator()
            .send();
        let mut rows = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of("dynamodb:Query", error))?;
            for item in page.items() {
                rows.push(read(item)?);
            }
        }
        Ok(rows)
    }
}
