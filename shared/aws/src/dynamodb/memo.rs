//! What a function remembers: items with a state in JSON and a version, so that two invocations do not overwrite each
//! other's.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Put};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::key::Item;
use crate::AwsError;

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
pub(super) struct Memos {
    client: Client,
    table: String,
}

impl Memos {
    pub(super) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    pub(super) async fn get(&self, id: &str) -> Result<Option<Item>, AwsError> {
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

    pub(super) async fn load<T: Default + DeserializeOwned>(
        &self,
        id: &str,
    ) -> Result<Stored<T>, NotesError> {
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

    pub(super) async fn store(&self, id: &str, put: Put) -> Result<(), NotesError> {
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

    /// Puts a state whatever is there.
    pub(super) fn replace<T: Serialize>(&self, id: &str, state: &T, expires: i64) -> Result<Put, NotesError> {
        let wrong = |reason: String| NotesError::Item { id: id.to_owned(), reason };
        let state = serde_json::to_string(state).map_err(|error| wrong(error.to_string()))?;
        let put = Put::builder()
            .table_name(&self.table)
            .item("id", AttributeValue::S(id.to_owned()))
            .item("version", AttributeValue::N("1".to_owned()))
            .item("state", AttributeValue::S(state))
            .item("expires", AttributeValue::N(expires.to_string()));
        put.build().map_err(|error| wrong(error.to_string()))
    }

    /// The next version, if the stored one is still the one that was loaded.
    pub(super) fn put<T: Serialize>(
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
