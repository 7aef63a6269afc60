//! Ledgers in DynamoDB: one item per image, with optimistic locking.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::image::ImageId;
use domain::ledger::{Ledger, Retention};

use super::error::LedgerError;
use super::index;
use super::item::{self, StoredLedger};
use super::key::key;
use super::rows::SHARD;
use crate::AwsError;

/// How many times a change is attempted when other invocations store the ledger in between.
const ATTEMPTS: u32 = 8;
/// How much longer each attempt waits than the one before, so that the burst of a first scan can pass.
const PAUSE: Duration = Duration::from_millis(25);

/// What to do with a loaded ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Nothing,
    Store,
    /// Another invocation has stored a newer version: load it and start again.
    Reload,
}

#[derive(Debug, Clone)]
pub struct Ledgers {
    pub(super) client: Client,
    pub(super) table: String,
    retention: Retention,
}

impl Ledgers {
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, retention: Retention::default() }
    }

    /// Lets the ledgers of images that are gone expire after another time than the default.
    #[must_use]
    pub fn expiring_after(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// The ledger of an image; a new one if none is stored.
    pub async fn load(&self, image: &ImageId) -> Result<StoredLedger, LedgerError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(key(image)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::of("dynamodb:GetItem", error))?;
        match answer.item {
            Some(item) => item::read(image, &item),
            None => Ok(StoredLedger {
                ledger: Ledger::new(image.clone()),
                version: 0,
                unpublished: None,
                due: None,
                due_images: BTreeSet::new(),
            }),
        }
    }

    /// Loads a ledger, changes it and stores it, and starts again if another invocation stored it in between. Returns the
    /// ledger as stored, or `None` if there was nothing to store.
    pub async fn update<E: From<LedgerError>>(
        &self,
        image: &ImageId,
        mut change: impl AsyncFnMut(&mut StoredLedger) -> Result<Change, E>,
    ) -> Result<Option<StoredLedger>, E> {
        for attempt in 0..ATTEMPTS {
            let mut stored = self.load(image).await?;
            match change(&mut stored).await? {
                Change::Nothing => return Ok(None),
                Change::Store if self.store(&mut stored).await? => return Ok(Some(stored)),
                Change::Store => tokio::time::sleep(PAUSE * attempt).await,
                Change::Reload => {}
            }
        }
        Err(LedgerError::Contention { image: Box::new(image.clone()), attempts: ATTEMPTS }.into())
    }

    /// Stores a ledger as its next version. Returns false, and stores nothing, if another version was stored since it was
    /// loaded.
    pub async fn store(&self, stored: &mut StoredLedger) -> Result<bool, LedgerError> {
        let item = item::write(stored, self.retention)?;
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let request = if stored.version == 0 {
            request.condition_expression("attribute_not_exists(id)")
        } else {
            request
                .condition_expression("version = :loaded")
                .expression_attribute_values(":loaded", item::number(stored.version))
        };
        match request.send().await.map_err(|error| AwsError::of("dynamodb:PutItem", error)) {
            Ok(_) => {
                stored.version += 1;
                Ok(true)
            }
            Err(error) if error.is("ConditionalCheckFailed") => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Marks the images that are due as told. Returns false, and marks nothing, if another version was stored since the
    /// ledger was loaded: its images may be others.
    pub async fn mark_told(&self, stored: &mut StoredLedger) -> Result<bool, LedgerError> {
        let told = std::mem::take(&mut stored.due_images);
        let loaded = item::number(stored.version);
        let marked = self.mark(stored, item::DUE_IMAGES, "version = :known", loaded).await?;
        if !marked {
            stored.due_images = told;
        }
        Ok(marked)
    }

    /// Marks the unpublished assessment as announced. If the item holds a different one by now, the invocation that stored
    /// that one has already announced this one, and there is nothing to mark. Returns false if the loaded ledger is known
    /// to be out of date.
    pub async fn mark_published(&self, stored: &mut StoredLedger) -> Result<bool, LedgerError> {
        let Some(announced) = stored.unpublished.take() else { return Ok(true) };
        let announced = AttributeValue::S(announced.id);
        // If another invocation stored the ledger meanwhile, this is not its version, and storing it will conflict.
        self.mark(stored, "unpublished, unpublished_id", "unpublished_id = :known", announced).await
    }

    /// Takes out of the item what is done, if a condition on `:known` holds, and has its place in the index be what it is
    /// without that. That is a new version, so that an invocation that loaded the ledger earlier cannot put it back.
    async fn mark(
        &self,
        stored: &mut StoredLedger,
        removed: &str,
        condition: &str,
        known: AttributeValue,
    ) -> Result<bool, LedgerError> {
        let due = index::due(stored);
        let expression = match due {
            Some(_) => format!("REMOVE {removed} SET due = :due ADD version :one"),
            None => format!("REMOVE {removed}, #shard, due ADD version :one"),
        };
        let names = due.is_none().then(|| HashMap::from([("#shard".to_owned(), SHARD.to_owned())]));
        let due = due.map(|due| AttributeValue::N(due.to_string()));
        let marked = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(key(&stored.ledger.image)))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(Some(
                due.map(|due| (":due".to_owned(), due))
                    .into_iter()
                    .chain([(":known".to_owned(), known), (":one".to_owned(), item::number(1))])
                    .collect(),
            ))
            .send()
            .await
            .map_err(|error| AwsError::of("dynamodb:UpdateItem", error));
        match marked {
            Ok(_) => {
                stored.version += 1;
                Ok(true)
            }
            Err(error) if error.is("ConditionalCheckFailed") => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
