//! The index of all images, read without unpacking a ledger.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::image::ImageId;
use domain::row::{Shard, StatusRow};
use domain::sweep::Position;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::error::{LedgerError, wrong};
use super::index::read_due;
use super::key::{IMAGE, Item};
use super::ledgers::Ledgers;
use crate::AwsError;

/// The name of the index in template.yaml, whose keys are `shard` and `due`; it has the attribute `row` besides.
const INDEX: &str = "rows";
/// An expression cannot name this attribute, for DynamoDB reserves the word.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>
pub(super) const SHARD: &str = "shard";
/// How many shards are read concurrently.
const SHARDS_AT_ONCE: usize = 4;

/// Some of the images of a shard that are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuePage {
    pub images: Entries<ImageId>,
    /// The key of the last one that was read, if there may be more.
    pub next: Option<Position>,
}

/// Entries of the table, as far as they can be read: one that was damaged, or stored by a newer version, keeps back no
/// other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries<T> {
    pub items: Vec<T>,
    /// Those that the caller must not take for missing.
    pub unreadable: Vec<UnreadableEntry>,
}

/// An entry that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableEntry {
    /// Which image it is about, if at least its key can be read.
    pub image: Option<ImageId>,
    /// What is wrong, with the key.
    pub reason: String,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { items: Vec::new(), unreadable: Vec::new() }
    }
}

impl<T> Entries<T> {
    pub(super) fn add(&mut self, entry: Result<T, LedgerError>) {
        match entry {
            Ok(item) => self.items.push(item),
            Err(error) => {
                let reason = error.to_string();
                self.unreadable.push(UnreadableEntry { image: error.into_image(), reason });
            }
        }
    }

    fn extend(&mut self, other: Self) {
        self.items.extend(other.items);
        self.unreadable.extend(other.unreadable);
    }

    /// The images of which is known at least that there is an entry about them.
    pub fn unreadable_images(&self) -> impl Iterator<Item = &ImageId> {
        self.unreadable.iter().filter_map(|entry| entry.image.as_ref())
    }
}

/// An image in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub image: ImageId,
    /// The earliest moment at which the clock alone could change what is said of it, in whole seconds.
    pub due: Option<Timestamp>,
    pub row: StatusRow,
}

fn read(item: &Item) -> Result<Listed, LedgerError> {
    let image = image_of(item)?;
    let row = item.get("row").and_then(|value| value.as_s().ok()).map_or("", String::as_str);
    let row = serde_json::from_str(row).map_err(|error| wrong(&image, "row", error.to_string()))?;
    Ok(Listed { due: read_due(item), row, image })
}

/// The image of an item of the index.
fn image_of(item: &Item) -> Result<ImageId, LedgerError> {
    let text = item.get("id").and_then(|value| value.as_s().ok()).map_or("", String::as_str);
    let id = text.strip_prefix(IMAGE).unwrap_or_default();
    id.parse().map_err(|source| LedgerError::Key { key: text.to_owned(), source })
}

impl Ledgers {
    /// All images that are in the registry, in no particular order. DynamoDB brings the index up to date after a ledger
    /// was stored, usually within a second, so an image that was stored just now may be missing or out of date.
    pub async fn rows(&self) -> Result<Entries<Listed>, LedgerError> {
        let shards = futures::stream::iter(Shard::all()).map(|shard| self.rows_of(shard));
        let add = async |mut all: Entries<Listed>, more| {
            all.extend(more);
            Ok(all)
        };
        shards.buffer_unordered(SHARDS_AT_ONCE).try_fold(Entries::default(), add).await
    }

    /// The images of one shard, in the order of what is due.
    pub async fn rows_of(&self, shard: Shard) -> Result<Entries<Listed>, LedgerError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("#shard = :shard")
            .expression_attribute_names("#shard", SHARD)
            .expression_attribute_values(":shard", AttributeValue::S(shard.to_string()))
            .into_paginator()
            .send();
        let mut rows = Entries::default();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of("dynamodb:Query", error))?;
            // What has no row is in the index only because something is left to be sent of it.
            for item in page.items().iter().filter(|item| item.contains_key("row")) {
                rows.add(read(item));
            }
        }
        Ok(rows)
    }

    /// Up to so many images of a shard that are due by then, those that have been due for longest first, after those that
    /// were read before.
    pub async fn due(
        &self,
        shard: Shard,
        until: Timestamp,
        after: Option<&Position>,
        limit: i32,
    ) -> Result<DuePage, LedgerError> {
        let start = after.map(|Position { due, id }| {
            HashMap::from([
                ("id".to_owned(), AttributeValue::S(id.clone())),
                (SHARD.to_owned(), AttributeValue::S(shard.to_string())),
                ("due".to_owned(), AttributeValue::N(due.clone())),
            ])
        });
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("#shard = :shard AND due <= :until")
            .expression_attribute_names("#shard", SHARD)
            .expression_attribute_values(":shard", AttributeValue::S(shard.to_string()))
            .expression_attribute_values(":until", AttributeValue::N(until.as_second().to_string()))
            .limit(limit)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| AwsError::of("dynamodb:Query", error))?;
        let next = page.last_evaluated_key().and_then(|last| {
            Some(Position {
                due: last.get("due")?.as_n().ok()?.clone(),
                id: last.get("id")?.as_s().ok()?.clone(),
            })
        });
        let mut images = Entries::default();
        page.items().iter().for_each(|item| images.add(image_of(item)));
        Ok(DuePage { images, next })
    }
}
