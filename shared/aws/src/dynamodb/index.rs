//! How a ledger's item gets into the index of all images.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ledger::Ledger;
use domain::row::{Shard, StatusRow};
use jiff::Timestamp;

use super::error::{LedgerError, wrong};
use super::key::Item;

/// The sort key of an image of which the clock changes nothing: the end of the year 9999, in epoch seconds.
const NEVER: i64 = 253_402_300_799;

/// Adds what puts an item into the index. Returns how many bytes that is.
pub(super) fn write(item: &mut Item, ledger: &Ledger, due: Option<Timestamp>) -> Result<usize, LedgerError> {
    let Some(row) = StatusRow::of(ledger) else { return Ok(0) };
    let row = serde_json::to_string(&row).map_err(|error| wrong(&ledger.image, "row", error.to_string()))?;
    let bytes = row.len();
    let due = due.map_or(NEVER, Timestamp::as_second);
    item.insert("shard".to_owned(), AttributeValue::S(Shard::of(&ledger.image).to_string()));
    item.insert("due".to_owned(), AttributeValue::N(due.to_string()));
    item.insert("row".to_owned(), AttributeValue::S(row));
    Ok(bytes)
}

/// When an item is due; never, if it says nothing of it, as those of an earlier version.
pub(super) fn read_due(item: &Item) -> Option<Timestamp> {
    let seconds: i64 = item.get("due")?.as_n().ok()?.parse().ok()?;
    Timestamp::from_second(seconds).ok().filter(|_| seconds < NEVER)
}
