//! Ledgers in DynamoDB: one item an image, with optimistic locking.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::image::ImageId;
use domain::ledger::Ledger;

use super::item::{self, LedgerError, StoredLedger};
use crate::AwsError;

/// How often a ledger is loaded and changed anew because somebody else stored it meanwhile.
const ATTEMPTS: u32 = 8;
/// By how much longer each attempt waits than the one before: the burst of a first scan needs time to pass.
const PAUSE: Duration = Duration::from_millis(25);

/// What a change of a loaded ledger came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// There is nothing to store.
    Nothing,
    /// The ledger is to be stored.
    Store,
    /// Somebody else stored a newer version: load it and begin again.
    Reload,
}

/// The table of ledgers.
#[derive(Debug, Clone)]
pub struct Ledgers {
    client: Client,
    table: String,
}

impl Ledgers {
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The ledger of an image; a new one if there is none.
    pub async fn load(&self, image: &ImageId) -> Result<StoredLedger, LedgerError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(item::key(image)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::of("dynamodb:GetItem", error))?;
        match answer.item {
            Some(item) => item::read(image, &item),
            None => Ok(StoredLedger { ledger: Ledger::new(image.clone()), version: 0, unpublished: None }),
        }
    }

    /// Loads a ledger, has it changed and stores it; all of it anew where somebody else stored it meanwhile. Returns
    /// the ledger as it was stored, and `None` where there was nothing to store.
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

    /// Stores a ledger as its next version. Returns whether the stored one was still the one that was loaded; if it
    /// was not, nothing is stored.
    pub async fn store(&self, stored: &mut StoredLedger) -> Result<bool, LedgerError> {
        let item = item::write(stored)?;
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

    /// Notes that the unpublished assessment is announced. If another one waits in its place by now, then whoever
    /// put that there has announced this one first, and there is nothing to note. The mark is a new version, so
    /// that nobody who loaded the ledger before puts the assessment back. Returns whether the ledger is still the
    /// one that is stored, as far as can be seen from here.
    pub async fn mark_published(&self, stored: &mut StoredLedger) -> Result<bool, LedgerError> {
        let Some(announced) = stored.unpublished.take() else { return Ok(true) };
        let marked = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(item::key(&stored.ledger.image)))
            .update_expression("REMOVE unpublished, unpublished_id ADD version :one")
            .condition_expression("unpublished_id = :announced")
            .expression_attribute_values(":announced", AttributeValue::S(announced.id))
            .expression_attribute_values(":one", item::number(1))
            .send()
            .await
            .map_err(|error| AwsError::of("dynamodb:UpdateItem", error));
        match marked {
            // If others stored it meanwhile, this is no version that there is, and to store it will conflict.
            Ok(_) => {
                stored.version += 1;
                Ok(true)
            }
            Err(error) if error.is("ConditionalCheckFailed") => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
