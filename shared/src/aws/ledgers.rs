//! Ledgers in DynamoDB: one item an image, with optimistic locking.
//!
//! The key is `id` = `image#<account>/<region>/<repository>@<digest>`. `facts` is JSON for people to read;
//! `findings` is packed; `unpublished` and `unpublished_id` are there while an assessment waits to be announced.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use thiserror::Error;

use super::AwsError;
use crate::image::ImageId;
use crate::ledger::{EncodingError, Ledger};

/// Why a ledger cannot be loaded or stored.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// DynamoDB refused.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The findings cannot be packed or unpacked.
    #[error("ledger of {image}: {source}")]
    Encoding {
        /// Whose ledger.
        image: Box<ImageId>,
        /// Why.
        source: EncodingError,
    },
    /// An attribute of the item is missing or is not what it should be.
    #[error("ledger of {image}: attribute {attribute}: {reason}")]
    Attribute {
        /// Whose ledger.
        image: Box<ImageId>,
        /// Which attribute.
        attribute: &'static str,
        /// Why.
        reason: String,
    },
    /// The ledger does not fit into an item.
    #[error("ledger of {image} has {findings} findings in {bytes} bytes; DynamoDB takes 400 KB")]
    TooLarge {
        /// Whose ledger.
        image: Box<ImageId>,
        /// How many.
        findings: usize,
        /// How large.
        bytes: usize,
    },
}

impl LedgerError {
    /// Whether the same may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Aws(error) if error.retryable)
    }
}

/// What became of an attempt to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is stored.
    Yes,
    /// Somebody else stored a newer version: load it and merge again.
    Conflict,
}

/// The table of ledgers.
#[derive(Debug, Clone)]
pub struct Ledgers {
    client: Client,
    table: String,
}

/// DynamoDB's limit of an item, less room for the attributes' names and the key.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const LARGEST_ITEM: usize = 400 * 1024 - 4 * 1024;
const LARGEST_UNPACKED: usize = 1 << 20;

impl Ledgers {
    /// The ledgers in a table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The ledger of an image; a new one if there is none.
    pub async fn load(&self, image: &ImageId) -> Result<Ledger, LedgerError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(key(image)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::of("dynamodb:GetItem", error))?;
        answer.item.map_or_else(|| Ok(Ledger::new(image.clone())), |item| read(image, &item))
    }

    /// Stores a ledger as its next version, if the stored one is still the one that was loaded.
    pub async fn store(&self, ledger: &mut Ledger) -> Result<Stored, LedgerError> {
        let item = write(ledger)?;
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let request = if ledger.version == 0 {
            request.condition_expression("attribute_not_exists(id)")
        } else {
            request
                .condition_expression("version = :loaded")
                .expression_attribute_values(":loaded", number(ledger.version))
        };
        match request.send().await.map_err(|error| AwsError::of("dynamodb:PutItem", error)) {
            Ok(_) => {
                ledger.version += 1;
                Ok(Stored::Yes)
            }
            Err(error) if error.is("ConditionalCheckFailed") => Ok(Stored::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that the ledger's assessment is announced. If another one waits in its place by now, then whoever
    /// put that there has announced this one first, and there is nothing to note. The mark is a new version, so
    /// that nobody who loaded the ledger before puts the assessment back. Returns whether the ledger is still the
    /// one that is stored, as far as can be seen from here.
    pub async fn mark_published(&self, ledger: &mut Ledger) -> Result<bool, LedgerError> {
        let Some(announced) = ledger.unpublished.take() else { return Ok(true) };
        let marked = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(key(&ledger.image)))
            .update_expression("REMOVE unpublished, unpublished_id ADD version :one")
            .condition_expression("unpublished_id = :announced")
            .expression_attribute_values(":announced", AttributeValue::S(announced.id))
            .expression_attribute_values(":one", number(1))
            .send()
            .await
            .map_err(|error| AwsError::of("dynamodb:UpdateItem", error));
        match marked {
            // If others stored it meanwhile, this is no version that there is, and to store it will conflict.
            Ok(_) => {
                ledger.version += 1;
                Ok(true)
            }
            Err(error) if error.is("ConditionalCheckFailed") => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn key(image: &ImageId) -> String {
    format!("image#{image}")
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn write(ledger: &Ledger) -> Result<HashMap<String, AttributeValue>, LedgerError> {
    let encoding = |source| LedgerError::Encoding { image: Box::new(ledger.image.clone()), source };
    let json = |attribute, error: serde_json::Error| wrong(&ledger.image, attribute, error.to_string());
    let findings =
        crate::ledger::encode(&ledger.image, &ledger.findings, &ledger.exploitation).map_err(encoding)?;
    let facts = serde_json::to_string(&ledger.facts).map_err(|error| json("facts", error))?;
    let mut bytes = findings.len() + facts.len();
    let mut item = HashMap::from([
        ("id".to_owned(), AttributeValue::S(key(&ledger.image))),
        ("version".to_owned(), number(ledger.version + 1)),
        ("repository".to_owned(), AttributeValue::S(ledger.image.repository.clone())),
        ("verdict".to_owned(), AttributeValue::S(ledger.facts.verdict.to_string())),
        ("facts".to_owned(), AttributeValue::S(facts)),
        ("findings".to_owned(), AttributeValue::B(Blob::new(findings))),
    ]);
    if let Some(assessment) = &ledger.unpublished {
        let json = serde_json::to_vec(assessment).map_err(|error| json("unpublished", error))?;
        let packed = zstd::bulk::compress(&json, 3).map_err(|error| encoding(error.into()))?;
        bytes += packed.len();
        item.insert("unpublished".to_owned(), AttributeValue::B(Blob::new(packed)));
        item.insert("unpublished_id".to_owned(), AttributeValue::S(assessment.id.clone()));
    }
    if bytes > LARGEST_ITEM {
        let image = Box::new(ledger.image.clone());
        return Err(LedgerError::TooLarge { image, findings: ledger.findings.len(), bytes });
    }
    Ok(item)
}

fn read(image: &ImageId, item: &HashMap<String, AttributeValue>) -> Result<Ledger, LedgerError> {
    let missing = |attribute| wrong(image, attribute, "missing or of the wrong type");
    let encoding = |source| LedgerError::Encoding { image: Box::new(image.clone()), source };
    let version = item.get("version").and_then(|v| v.as_n().ok()).ok_or_else(|| missing("version"))?;
    let facts = item.get("facts").and_then(|v| v.as_s().ok()).ok_or_else(|| missing("facts"))?;
    let findings = item.get("findings").and_then(|v| v.as_b().ok()).ok_or_else(|| missing("findings"))?;
    let (findings, exploitation) = crate::ledger::decode(image, findings.as_ref()).map_err(encoding)?;
    let unpublished = item
        .get("unpublished")
        .map(|value| {
            let packed = value.as_b().map_err(|_| missing("unpublished"))?;
            let json = zstd::bulk::decompress(packed.as_ref(), LARGEST_UNPACKED)
                .map_err(|error| encoding(error.into()))?;
            serde_json::from_slice(&json).map_err(|error| wrong(image, "unpublished", error.to_string()))
        })
        .transpose()?;
    Ok(Ledger {
        image: image.clone(),
        version: version.parse().map_err(|_| missing("version"))?,
        findings,
        exploitation,
        facts: serde_json::from_str(facts).map_err(|error| wrong(image, "facts", error.to_string()))?,
        unpublished,
    })
}

fn wrong(image: &ImageId, attribute: &'static str, reason: impl Into<String>) -> LedgerError {
    LedgerError::Attribute { image: Box::new(image.clone()), attribute, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Finding;
    use crate::samples;

    /// So many findings with ids that cannot be compressed below 16 bytes.
    fn ledger(findings: u64) -> Ledger {
        let random = |n: u64| {
            // Two steps of a multiplicative generator, far apart for neighbouring numbers.
            u128::from(n + 1).wrapping_mul(0xda94_2042_e4dd_58b5_9e37_79b9_7f4a_7c15).rotate_left(64)
                ^ u128::from(n + 1).wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
        };
        samples::ledger((0..findings).map(|n| {
            let id = format!("arn:aws:inspector2:eu-west-1:111122223333:finding/{:032x}", random(n));
            samples::report(Finding { vulnerability: "CVE-2031-1".to_owned(), ..samples::finding(&id, 1) })
        }))
    }

    #[test]
    fn ledger_that_fits_is_read_back_as_it_was_written() {
        let mut ledger = ledger(1_000);
        ledger.merge(samples::listing(5, vec![samples::finding("b", 3)]));
        let judgement = crate::judgement::judge(&ledger, &samples::strict(), samples::second(9));
        assert!(crate::judgement::assess(&mut ledger, &judgement, &samples::strict(), samples::second(9)));
        let item = write(&ledger).unwrap();
        assert_eq!(item["verdict"].as_s().unwrap(), "quarantine");
        let read = read(&ledger.image, &item).unwrap();
        assert_eq!(read, Ledger { version: 1, ..ledger });
    }

    #[test]
    fn ledger_that_does_not_fit_is_refused_with_its_size() {
        // 30,000 ids of 16 random bytes are 480,000 bytes.
        match write(&ledger(30_000)) {
            Err(LedgerError::TooLarge { image, findings, bytes }) => {
                assert_eq!((*image, findings), (samples::image(), 30_000));
                assert!(bytes > 480_000, "{bytes}");
            }
            other => panic!("not refused: {:?}", other.map(|item| item.len())),
        }
    }

    #[test]
    fn ledger_that_does_not_fit_is_no_case_for_a_retry() {
        assert!(!write(&ledger(30_000)).unwrap_err().is_retryable());
    }

    #[test]
    fn item_without_an_attribute_is_refused_by_the_name_of_it() {
        let ledger = ledger(2);
        for missing in ["version", "facts", "findings"] {
            let mut item = write(&ledger).unwrap();
            item.remove(missing);
            match read(&ledger.image, &item) {
                Err(LedgerError::Attribute { attribute, .. }) => assert_eq!(attribute, missing),
                other => panic!("{missing}: {other:?}"),
            }
        }
    }
}
