//! What enforcement remembers: the notes of each image, the limit of the deployment, and which images are held.
//!
//! `quarantine#<image>` and `limit#enforcement` have a version, so that two invocations do not overwrite each other's
//! state. Which images are held is a set of strings, spread over several items by the digest: SQS has let go of their
//! messages, and DynamoDB adds to a set without reading it.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use domain::image::ImageId;
use domain::quarantine::Notes;
use domain::quarantine::limit::Limit;
use jiff::Timestamp;

use super::memo::{Memos, NotesError, Stored};
use crate::AwsError;

const LIMIT: &str = "limit#enforcement";
/// Over how many items the images that are held are spread. An item has room for about 1,600.
const SHARDS: u8 = 32;
/// How long empty notes are kept, so that their version outlasts messages that are still under way.
const KEPT: Duration = Duration::from_hours(30 * 24);

#[derive(Debug, Clone)]
pub struct Enforcement {
    client: Client,
    table: String,
    memos: Memos,
}

impl Enforcement {
    pub fn new(client: Client, table: String) -> Self {
        Self { memos: Memos::new(client.clone(), table.clone()), client, table }
    }

    pub async fn notes(&self, image: &ImageId) -> Result<Stored<Notes>, NotesError> {
        self.memos.load(&notes_key(image)).await
    }

    pub async fn limit(&self) -> Result<Stored<Limit>, NotesError> {
        self.memos.load(LIMIT).await
    }

    pub async fn store_notes(
        &self,
        image: &ImageId,
        notes: &mut Stored<Notes>,
        now: Timestamp,
    ) -> Result<(), NotesError> {
        let put = self.put_notes(image, notes, now)?;
        self.memos.store(&notes_key(image), put).await?;
        notes.version += 1;
        Ok(())
    }

    pub async fn store_limit(&self, limit: &mut Stored<Limit>) -> Result<(), NotesError> {
        let put = self.memos.put(LIMIT, limit, None)?;
        self.memos.store(LIMIT, put).await?;
        limit.version += 1;
        Ok(())
    }

    /// Stores both or neither.
    pub async fn store_both(
        &self,
        image: &ImageId,
        notes: &mut Stored<Notes>,
        limit: &mut Stored<Limit>,
        now: Timestamp,
    ) -> Result<(), NotesError> {
        let puts = [self.put_notes(image, notes, now)?, self.memos.put(LIMIT, limit, None)?];
        let items = puts.map(|put| TransactWriteItem::builder().put(put).build()).to_vec();
        let written = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        match written {
            Ok(_) => {
                notes.version += 1;
                limit.version += 1;
                Ok(())
            }
            Err(error) if conflicts(&error) => Err(NotesError::Conflict(notes_key(image))),
            // The action that a policy must allow; a transaction has none of its own.
            Err(error) => Err(AwsError::of("dynamodb:PutItem", error).into()),
        }
    }

    /// Notes that an image is held. It is looked up first, for to read the list costs less than to write it.
    pub async fn hold(&self, image: &ImageId) -> Result<(), AwsError> {
        if self.held_in(shard(image)).await?.contains(&image.to_string()) {
            return Ok(());
        }
        self.change_held(image, "ADD images :image").await
    }

    /// Notes that an image is not held any more.
    pub async fn let_go(&self, image: &ImageId) -> Result<(), AwsError> {
        self.change_held(image, "DELETE images :image").await
    }

    async fn change_held(&self, image: &ImageId, change: &str) -> Result<(), AwsError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(shard_key(shard(image))))
            .update_expression(change)
            .expression_attribute_values(":image", AttributeValue::Ss(vec![image.to_string()]))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| AwsError::of("dynamodb:UpdateItem", error))
    }

    /// All images that are held, sorted, as `<account>/<region>/<repository>@<digest>`.
    pub async fn held(&self) -> Result<Vec<String>, AwsError> {
        let mut held = Vec::new();
        for shard in 0..SHARDS {
            held.extend(self.held_in(shard).await?);
        }
        held.sort();
        Ok(held)
    }

    async fn held_in(&self, shard: u8) -> Result<Vec<String>, AwsError> {
        let item = self.memos.get(&shard_key(shard)).await?.unwrap_or_default();
        Ok(item.get("images").and_then(|images| images.as_ss().ok()).cloned().unwrap_or_default())
    }

    fn put_notes(&self, image: &ImageId, notes: &Stored<Notes>, now: Timestamp) -> Result<Put, NotesError> {
        let kept = i64::try_from(KEPT.as_secs()).unwrap_or(i64::MAX / 2);
        let expires = (notes.value == Notes::default()).then(|| now.as_second() + kept);
        self.memos.put(&notes_key(image), notes, expires)
    }
}

/// Whether a transaction was cancelled because others wrote in between.
fn conflicts<R>(
    error: &SdkError<aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError, R>,
) -> bool {
    use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError as Error;
    let Some(Error::TransactionCanceledException(cancelled)) = error.as_service_error() else { return false };
    let codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
    codes.into_iter().any(|code| code == "ConditionalCheckFailed" || code == "TransactionConflict")
}

fn notes_key(image: &ImageId) -> String {
    format!("quarantine#{image}")
}

fn shard_key(shard: u8) -> String {
    format!("limit#held#{shard:02}")
}

/// Digests are evenly distributed.
fn shard(image: &ImageId) -> u8 {
    image.digest.as_str().bytes().fold(0, u8::wrapping_add) % SHARDS
}
