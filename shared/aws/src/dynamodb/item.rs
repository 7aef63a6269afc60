//! The item that stores a ledger. `facts` is JSON, readable in the console; `findings` is packed; `unpublished` and
//! `unpublished_id` exist only while an assessment waits to be announced, `due_images` while images wait to be told that
//! they have to be judged; `shard`, `due` and `row`, which put it into the index of all images, only while the image is
//! there; `expires` only while it is gone.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::assessment::Assessment;
use domain::image::{Digest, ImageId};
use domain::ledger::{Announced, Facts, Ledger, Retention, decode, encode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{LedgerError, wrong};
use super::index;
use super::key::{Item, key};

/// A ledger as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLedger {
    pub ledger: Ledger,
    /// How many times it was stored; 0 if never.
    pub version: u64,
    /// The assessment that is stored but not marked as announced.
    pub unpublished: Option<Assessment>,
    /// The earliest moment at which the clock alone could change what is said of the image; stored in whole seconds, and
    /// while something is left to be sent, as long ago. `None` is never.
    pub due: Option<Timestamp>,
    /// The images of the same repository that have to be judged because of this version, and may not have been told.
    pub due_images: BTreeSet<Digest>,
}

/// DynamoDB's limit for an item, less room for the key and the attribute names.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const LARGEST_ITEM: usize = 400 * 1024 - 4 * 1024;
const LARGEST_UNPACKED: usize = 1 << 20;

/// The attribute with the images that have to be judged.
pub(super) const DUE_IMAGES: &str = "due_images";

/// The attribute `facts`: everything but the findings, merged with what was announced.
#[derive(Serialize, Deserialize)]
struct Written<A, F> {
    #[serde(flatten)]
    announced: A,
    #[serde(flatten)]
    facts: F,
}

pub(super) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The item for the next version, in which a ledger whose image is gone expires after the retention.
pub(super) fn write(stored: &StoredLedger, retention: Retention) -> Result<Item, LedgerError> {
    let StoredLedger { ledger, version, unpublished, due_images, .. } = stored;
    let Ledger { image, facts, announced } = ledger;
    let encoding = |source| LedgerError::Encoding { image: Box::new(image.clone()), source };
    let json = |attribute, error: serde_json::Error| wrong(image, attribute, error.to_string());
    let findings = encode(ledger).map_err(encoding)?;
    let written =
        serde_json::to_string(&Written { announced, facts }).map_err(|error| json("facts", error))?;
    let mut bytes = findings.len() + written.len();
    let mut item = HashMap::from([
        ("id".to_owned(), AttributeValue::S(key(image))),
        ("version".to_owned(), number(version + 1)),
        ("repository".to_owned(), AttributeValue::S(image.repository.clone())),
        ("verdict".to_owned(), AttributeValue::S(announced.verdict.to_string())),
        ("facts".to_owned(), AttributeValue::S(written)),
        ("findings".to_owned(), AttributeValue::B(Blob::new(findings))),
    ]);
    bytes += index::write(&mut item, stored)?;
    if let Some(end) = retention.end(facts) {
        item.insert("expires".to_owned(), AttributeValue::N(end.as_second().to_string()));
    }
    if let Some(assessment) = unpublished {
        let json = serde_json::to_vec(assessment).map_err(|error| json("unpublished", error))?;
        let packed = zstd::bulk::compress(&json, 3).map_err(|error| encoding(error.into()))?;
        bytes += packed.len();
        item.insert("unpublished".to_owned(), AttributeValue::B(Blob::new(packed)));
        item.insert("unpublished_id".to_owned(), AttributeValue::S(assessment.id.clone()));
    }
    if !due_images.is_empty() {
        let digests: Vec<String> = due_images.iter().map(Digest::to_string).collect();
        bytes += digests.iter().map(String::len).sum::<usize>();
        item.insert(DUE_IMAGES.to_owned(), AttributeValue::Ss(digests));
    }
    if bytes > LARGEST_ITEM {
        let image = Box::new(image.clone());
        return Err(LedgerError::TooLarge { image, findings: facts.findings.len(), bytes });
    }
    Ok(item)
}

pub(super) fn read(image: &ImageId, item: &Item) -> Result<StoredLedger, LedgerError> {
    let missing = |attribute| wrong(image, attribute, "missing or of the wrong type");
    let encoding = |source| LedgerError::Encoding { image: Box::new(image.clone()), source };
    let version = item.get("version").and_then(|v| v.as_n().ok()).ok_or_else(|| missing("version"))?;
    let written = item.get("facts").and_then(|v| v.as_s().ok()).ok_or_else(|| missing("facts"))?;
    let findings = item.get("findings").and_then(|v| v.as_b().ok()).ok_or_else(|| missing("findings"))?;
    let unpublished = item
        .get("unpublished")
        .map(|value| {
            let packed = value.as_b().map_err(|_| missing("unpublished"))?;
            let json = zstd::bulk::decompress(packed.as_ref(), LARGEST_UNPACKED)
                .map_err(|error| encoding(error.into()))?;
            serde_json::from_slice(&json).map_err(|error| wrong(image, "unpublished", error.to_string()))
        })
        .transpose()?;
    let Written::<Announced, Facts> { announced, facts } =
        serde_json::from_str(written).map_err(|error| wrong(image, "facts", error.to_string()))?;
    let mut ledger = Ledger { image: image.clone(), facts, announced };
    decode(findings.as_ref(), &mut ledger).map_err(encoding)?;
    let version = version.parse().map_err(|_| missing("version"))?;
    let due_images = match item.get(DUE_IMAGES) {
        Some(value) => value.as_ss().map_err(|_| missing(DUE_IMAGES))?.clone(),
        None => Vec::new(),
    };
    let due_images = due_images.into_iter().map(Digest::try_from).collect::<Result<_, _>>();
    let due_images = due_images.map_err(|error| wrong(image, DUE_IMAGES, error.to_string()))?;
    Ok(StoredLedger { ledger, version, unpublished, due: index::read_due(item), due_images })
}

#[cfg(test)]
mod tests {
    use domain::assessment::{Assessed, assess};
    use domain::finding::Finding;
    use domain::ledger::Evidence;
    use domain::row::{Shard, StatusRow};
    use domain::samples;
    use domain::verdict::Verdict;

    use super::*;

    /// A ledger of `findings` findings, whose ids cannot be compressed below 16 bytes each.
    fn stored(findings: u64) -> StoredLedger {
        let random = |n: u64| {
            // A multiplicative hash: neighbouring numbers give distant values.
            u128::from(n + 1).wrapping_mul(0xda94_2042_e4dd_58b5_9e37_79b9_7f4a_7c15).rotate_left(64)
                ^ u128::from(n + 1).wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
        };
        let ledger = samples::ledger((0..findings).map(|n| {
            let id = format!("arn:aws:inspector2:eu-west-1:111122223333:finding/{:032x}", random(n));
            samples::report(Finding { vulnerability: "CVE-2031-1".to_owned(), ..samples::finding(&id, 1) })
        }));
        StoredLedger { ledger, version: 0, unpublished: None, due: None, due_images: BTreeSet::new() }
    }

    fn written(stored: &StoredLedger) -> Result<Item, LedgerError> {
        write(stored, Retention::default())
    }

    #[test]
    fn ledger_that_fits_is_read_back_unchanged() {
        let mut stored = stored(1_000);
        stored.ledger.merge(samples::listing(5, vec![samples::finding("b", 3)]));
        stored.ledger.merge(Evidence::Tagged { at: samples::second(6), tags: vec!["1.0".to_owned()] });
        let Assessed { assessment, announced } =
            assess(&stored.ledger, 1, &samples::strict(), samples::second(9)).unwrap();
        stored.ledger.announced = announced;
        stored.unpublished = Some(assessment);
        stored.due_images = [stored.ledger.image.digest.clone()].into();
        // What is left to be sent is due at once.
        stored.due = Some(Timestamp::UNIX_EPOCH);
        let item = written(&stored).unwrap();
        assert_eq!(item["verdict"].as_s().unwrap(), "quarantine");
        let read = read(&stored.ledger.image, &item).unwrap();
        assert_eq!(read, StoredLedger { version: 1, ..stored });
    }

    #[test]
    fn facts_of_an_earlier_release_are_read() {
        let facts = r#"{"verdict":"quarantine","quarantined":true,"tags":{"1.0":{"at":"2031-01-01T00:00:00Z",
            "present":true}},"pushed_at":"2031-01-01T00:00:00Z","scans":{"inspector":{"completed_at":
            "2031-01-01T00:01:00Z","failed_at":null}},"announced_scan":"2031-01-01T00:01:00Z"}"#;
        let mut item = written(&stored(2)).unwrap();
        item.insert("facts".to_owned(), AttributeValue::S(facts.to_owned()));
        let ledger = read(&samples::image(), &item).unwrap().ledger;
        assert!(ledger.announced.quarantined && ledger.facts.is_scanned());
        assert_eq!(ledger.announced.scan, Some(samples::second(60)));
        assert_eq!(
            (ledger.facts.tags(), ledger.facts.pushed_at),
            (vec!["1.0".to_owned()], Some(samples::second(0)))
        );
    }

    /// What the release before the index wrote, and nothing else.
    fn of_the_release_before() -> Item {
        let mut item = written(&stored(2)).unwrap();
        for new in ["shard", "due", "row"] {
            assert!(item.remove(new).is_some(), "{new}");
        }
        let facts = r#"{"verdict":"quarantine","quarantined":true,"announced_scan":"2031-01-01T00:01:00Z","tags":{},
            "scans":{"inspector":{"completed_at":"2031-01-01T00:01:00Z","failed_at":null}}}"#;
        item.insert("facts".to_owned(), AttributeValue::S(facts.to_owned()));
        let mut names: Vec<&str> = item.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["facts", "findings", "id", "repository", "verdict", "version"]);
        item
    }

    #[test]
    fn item_of_the_release_before_gets_into_the_index_with_its_next_store() {
        let stored = read(&samples::image(), &of_the_release_before()).unwrap();
        assert_eq!((stored.due, stored.ledger.announced.since), (None, None));
        let item = written(&stored).unwrap();
        assert_eq!(item["shard"].as_s().unwrap(), &Shard::of(&samples::image()).to_string());
        assert_eq!(item["due"].as_n().unwrap(), "253402300799");
        let row: StatusRow = serde_json::from_str(item["row"].as_s().unwrap()).unwrap();
        assert_eq!((row.verdict, row.quarantined, row.since), (Verdict::Quarantine, true, None));
    }

    #[test]
    fn image_that_is_gone_leaves_the_index_and_expires_until_it_is_pushed_again() {
        let mut stored = stored(2);
        let attributes = |stored: &StoredLedger| {
            let item = written(stored).unwrap();
            ["shard", "due", "row", "expires"].map(|name| item.contains_key(name))
        };
        assert_eq!(attributes(&stored), [true, true, true, false]);
        stored.ledger.merge(Evidence::Gone { at: samples::second(5) });
        assert_eq!(attributes(&stored), [false, false, false, true]);
        let expires = written(&stored).unwrap()["expires"].as_n().unwrap().clone();
        assert_eq!(expires, (samples::second(5).as_second() + 400 * 86_400).to_string());
        stored.ledger.merge(Evidence::Tagged { at: samples::second(6), tags: vec![] });
        assert_eq!(attributes(&stored), [true, true, true, false]);
    }

    #[test]
    fn image_is_due_when_the_clock_says_or_at_once_while_something_is_left_to_be_sent() {
        let due = |stored: &StoredLedger| {
            let item = written(stored).unwrap();
            let row = item.contains_key("row");
            (item.get("due").map(|due| due.as_n().unwrap().parse::<i64>().unwrap()), row)
        };
        let mut stored = stored(2);
        stored.due = Some(samples::second(77));
        let dated = samples::second(77).as_second();
        assert_eq!(due(&stored), (Some(dated), true));
        stored.due_images = [stored.ledger.image.digest.clone()].into();
        assert_eq!(due(&stored), (Some(0), true));
        // One that has no place in a list is found all the same.
        stored.ledger.merge(Evidence::Gone { at: samples::second(5) });
        assert_eq!(due(&stored), (Some(0), false));
        stored.due_images.clear();
        assert_eq!(due(&stored), (None, false));
    }

    #[test]
    fn ledger_that_does_not_fit_is_refused_with_its_size() {
        // 30,000 ids of 16 random bytes are 480,000 bytes.
        match written(&stored(30_000)) {
            Err(LedgerError::TooLarge { image, findings, bytes }) => {
                assert_eq!((*image, findings), (samples::image(), 30_000));
                assert!(bytes > 480_000, "{bytes}");
            }
            other => panic!("not refused: {:?}", other.map(|item| item.len())),
        }
    }

    #[test]
    fn ledger_that_does_not_fit_is_not_retried() {
        assert!(!written(&stored(30_000)).unwrap_err().is_retryable());
    }

    #[test]
    fn missing_attribute_is_named_in_the_error() {
        let stored = stored(2);
        for missing in ["version", "facts", "findings"] {
            let mut item = written(&stored).unwrap();
            item.remove(missing);
            match read(&stored.ledger.image, &item) {
                Err(LedgerError::Attribute { attribute, .. }) => assert_eq!(attribute, missing),
                other => panic!("{missing}: {other:?}"),
            }
        }
    }
}
