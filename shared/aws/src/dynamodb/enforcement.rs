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
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::key::Item;
use crate::AwsError;

const LIMIT: &str = "limit#enforcement";
/// Over how many items the images that are held are spread. An item has room for about 1,600.
const SHARDS: u8 = 32;
/// How long empty notes are kept, so that their version outlasts messages that are still under way.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// Something that is stored with a version; 0 if it never was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    pub value: T,
    pub version: u64,
}

/// Why notes or the limit cannot be loaded or stored.
#[derive(Debug, Error)]
pub enum NotesError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("item {id}: {reason}")]
    Item { id: String, reason: String },
    /// Another invocation stored it since it was loaded.
    #[error("another invocation has changed {0}")]
    Conflict(String),
}

impl NotesError {
    /// Whether a retry may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Aws(error) => error.retryable,
            Self::Item { .. } => false,
            Self::Conflict(_) => true,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Enforcement {
    client: Client,
    table: String,
}

impl Enforcement {
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    pub async fn notes(&self, image: &ImageId) -> Result<Stored<Notes>, NotesError> {
        self.load(&notes_key(image)).await
    }

    pub async fn limit(&self) -> Result<Stored<Limit>, NotesError> {
        self.load(LIMIT).await
    }

    pub async fn store_notes(
        &self,
        image: &ImageId,
        notes: &mut Stored<Notes>,
        now: Timestamp,
    ) -> Result<(), NotesError> {
        let put = self.put_notes(image, notes, now)?;
        self.store(&notes_key(image), put).await?;
        notes.version += 1;
        Ok(())
    }

    pub async fn store_limit(&self, limit: &mut Stored<Limit>) -> Result<(), NotesError> {
        let put = self.put(LIMIT, limit, None)?;
        self.store(LIMIT, put).await?;
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
        let puts = [self.put_notes(image, notes, now)?, self.put(LIMIT, limit, None)?];
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
        let item = self.get(&shard_key(shard)).await?.unwrap_or_default();
        Ok(item.get("images").and_then(|images| images.as_ss().ok()).cloned().unwrap_or_default())
    }

    async fn get(&self, id: &str) -> Result<Option<Item>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(id.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::of("dynamodb:GetItem", error))?;
        Ok(answer.item)
    }

    async fn load<T: Default + DeserializeOwned>(&self, id: &str) -> Result<Stored<T>, NotesError> {
        let Some(item) = self.get(id).await? else {
            return Ok(Stored { value: T::default(), version: 0 });
        };
        let wrong = |reason: String| NotesError::Item { id: id.to_owned(), reason };
        let missing =
            |attribute: &str| wrong(format!("attribute {attribute} is missing or of the wrong type"));
        let state = item.get("state").and_then(|state| state.as_s().ok()).ok_or_else(|| missing("state"))?;
        let version = item.get("version").and_then(|version| version.as_n().ok()?.parse().ok());
        Ok(Stored {
            value: serde_json::from_str(state).map_err(|error| wrong(error.to_string()))?,
            version: version.ok_or_else(|| missing("version"))?,
        })
    }

    async fn store(&self, id: &str, put: Put) -> Result<(), NotesError> {
        let written = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_values(put.expression_attribute_values)
            .send()
            .await
            .map_err(|error| AwsError::of("dynamodb:PutItem", error));
        match written {
            Ok(_) => Ok(()),
            Err(error) if error.is("ConditionalCheckFailed") => Err(NotesError::Conflict(id.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    fn put_notes(&self, image: &ImageId, notes: &Stored<Notes>, now: Timestamp) -> Result<Put, NotesError> {
        let kept = i64::try_from(KEPT.as_secs()).unwrap_or(i64::MAX / 2);
        let expires = (notes.value == Notes::default()).then(|| now.as_second() + kept);
        self.put(&notes_key(image), notes, expires)
    }

    /// The next version, if the stored one is still the one that was loaded.
    fn put<T: Serialize>(
        &self,
        id: &str,
        stored: &Stored<T>,
        expires: Option<i64>,
    ) -> Result<Put, NotesError> {
        let wrong = |reason: String| NotesError::Item { id: id.to_owned(), reason };
        let state = serde_json::to_string(&stored.value).map_err(|error| wrong(error.to_string()))?;
        let number = |number: String| AttributeValue::N(number);
        let put = Put::builder()
            .table_name(&self.table)
            .item("id", AttributeValue::S(id.to_owned()))
            .item("version", number((stored.version + 1).to_string()))
            .item("state", AttributeValue::S(state));
        let put = match expires {
            Some(at) => put.item("expires", number(at.to_string())),
            None => put,
        };
        let put = if stored.version == 0 {
            put.condition_expression("attribute_not_exists(id)")
        } else {
            put.condition_expression("version = :loaded")
                .expression_attribute_values(":loaded", number(stored.version.to_string()))
        };
        put.build().map_err(|error| wrong(error.to_string()))
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
