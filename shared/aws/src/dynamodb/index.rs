//! How a ledger's item gets into the index of all images. An image that has no place in a list is in it as long as
//! something is left to be sent of it, so that the sweep finds what a crash has left.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::row::{Shard, StatusRow};
use jiff::Timestamp;

use super::error::{LedgerError, wrong};
use super::item::StoredLedger;
use super::key::Item;

/// The sort key of an image of which the clock changes nothing: the end of the year 9999, in epoch seconds.
const NEVER: i64 = 253_402_300_799;
/// The sort key of one of which something is left to be sent.
const AT_ONCE: i64 = 0;

/// The sort key of an image; `None` if it has no place in the index.
pub(super) fn due(stored: &StoredLedger) -> Option<i64> {
    let is_listed = StatusRow::of(&stored.ledger).is_some();
    let is_left = stored.unpublished.is_some() || !stored.due_images.is_empty();
    match (is_left, is_listed) {
        (true, _) => Some(AT_ONCE),
        (false, true) => Some(stored.due.map_or(NEVER, Timestamp::as_second)),
        (false, false) => None,
    }
}

/// Adds what puts an item into the index. Returns how many bytes that is.
pub(super) fn write(item: &mut Item, stored: &StoredLedger) -> Result<usize, LedgerError> {
    let Some(due) = due(stored) else { return Ok(0) };
    let image = &stored.ledger.image;
    item.insert("shard".to_owned(), AttributeValue::S(Shard::of(image).to_string()));
    item.insert("due".to_owned(), AttributeValue::N(due.to_string()));
    let Some(row) = StatusRow::of(&stored.ledger) else { return Ok(0) };
    let row = serde_json::to_string(&row).map_err(|error| wrong(image, "row", error.to_string()))?;
    let bytes = row.len();
    item.insert("row".to_owned(), AttributeValue::S(row));
    Ok(bytes)
}

/// When an item is due; never, if it says nothing of it, as those of an earlier version.
pub(super) fn read_due(item: &Item) -> Option<Timestamp> {
    let seconds: i64 = item.get("due")?.as_n().ok()?.parse().ok()?;
    Timestamp::from_second(seconds).ok().filter(|_| seconds < NEVER)
}
