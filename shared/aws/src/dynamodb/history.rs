//! The history: a table of what happened to images. Entries are only ever added.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::history::{Entry, Happening};
use domain::image::ImageId;
use jiff::Timestamp;
use thiserror::Error;

use super::batch::Batches;
use super::key::Item;
use crate::AwsError;

/// How many times what DynamoDB left undone is sent again; the waits add up to 13 seconds.
const REPETITIONS: u32 = 8;
const WRITE: &str = "dynamodb:BatchWriteItem";

/// Why a history cannot be read.
#[derive(Debug, Error)]
pub enum HistoryError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An item that nobody of ours wrote.
    #[error("history of {image}: entry {key}: {reason}")]
    Entry { image: Box<ImageId>, key: String, reason: String },
}

#[derive(Debug, Clone)]
pub struct History {
    client: Client,
    table: String,
}

impl History {
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Writes entries, in one call for up to [`History::PER_CALL`] of them. An entry that is there already is written over
    /// by itself, so this is safe to repeat, also where an error leaves it open which of them were written.
    pub async fn append(&self, entries: &[Entry]) -> Result<(), AwsError> {
        // A batch may not name a key twice.
        let items: BTreeMap<(&ImageId, String), &Entry> =
            entries.iter().map(|entry| ((&entry.image, entry.key()), entry)).collect();
        let items = items
            .into_iter()
            .map(|((_, key), entry)| write(entry, key))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| AwsError::answer(WRITE, error.to_string(), false))?;
        Batches { client: &self.client, table: &self.table, repetitions: REPETITIONS }.put(items).await
    }

    /// How many entries one call takes.
    pub const PER_CALL: usize = super::batch::ITEMS_PER_WRITE;

    /// What happened to an image from one moment until just before another, the oldest first.
    pub async fn of(&self, image: &ImageId, time: Range<Timestamp>) -> Result<Vec<Entry>, HistoryError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#image = :image AND #at BETWEEN :from AND :to")
            .expression_attribute_names("#image", "image")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":image", AttributeValue::S(image.to_string()))
            .expression_attribute_values(":from", AttributeValue::S(Entry::begin(time.start)))
            .expression_attribute_values(":to", AttributeValue::S(Entry::begin(time.end)))
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut entries = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of("dynamodb:Query", error))?;
            for item in page.items() {
                entries.push(read(image, item)?);
            }
        }
        Ok(entries)
    }
}

fn write(entry: &Entry, key: String) -> Result<Item, serde_json::Error> {
    let expires = entry.expires().as_second().to_string();
    Ok(HashMap::from([
        ("image".to_owned(), AttributeValue::S(entry.image.to_string())),
        ("at".to_owned(), AttributeValue::S(key)),
        ("what".to_owned(), AttributeValue::S(serde_json::to_string(&entry.what)?)),
        ("expires".to_owned(), AttributeValue::N(expires)),
    ]))
}

fn read(image: &ImageId, item: &Item) -> Result<Entry, HistoryError> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
    let key = text("at");
    let wrong =
        |reason: String| HistoryError::Entry { image: Box::new(image.clone()), key: key.to_owned(), reason };
    let (at, id) = key.split_once('#').ok_or_else(|| wrong("expected <time>#<id>".to_owned()))?;
    let at = at.parse().map_err(|error: jiff::Error| wrong(error.to_string()))?;
    let what: Happening = serde_json::from_str(text("what")).map_err(|error| wrong(error.to_string()))?;
    Ok(Entry { image: image.clone(), at, id: id.to_owned(), what })
}
