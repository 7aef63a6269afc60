//! The size of items: `DynamoDB` developer guide, "`DynamoDB` item sizes and formats".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::batch::requests;
use crate::wire::error::ApiError;

const ITEM_BYTES: usize = 400 * 1024;

/// Refuses items that are too large. The result of an `UpdateItem` is not checked.
pub(super) fn check(operation: &str, body: &Value) -> Result<(), ApiError> {
    let too_large = |item: &Value| item_size(item) > ITEM_BYTES;
    let written: Vec<&Value> = match operation {
        "PutItem" => body.get("Item").into_iter().collect(),
        "BatchWriteItem" => {
            requests(body).into_iter().filter_map(|request| request.pointer("/PutRequest/Item")).collect()
        }
        "TransactWriteItems" => {
            let items = body.get("TransactItems").and_then(Value::as_array);
            items.into_iter().flatten().filter_map(|item| item.pointer("/Put/Item")).collect()
        }
        _ => Vec::new(),
    };
    if written.into_iter().any(too_large) {
        return Err(ApiError::validation("Item size has exceeded the maximum allowed size"));
    }
    Ok(())
}

/// In bytes: names and decoded values.
pub(super) fn item_size(item: &Value) -> usize {
    let attributes = item.as_object().into_iter().flatten();
    attributes.map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else {
        return 0;
    };
    let text = value.as_str().unwrap_or_default();
    let each = |size: fn(&str) -> usize| {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(size).sum()
    };
    match kind.as_str() {
        "S" => text.len(),
        "N" => number_size(text),
        "B" => binary_size(text),
        "SS" => each(str::len),
        "NS" => each(number_size),
        "BS" => each(binary_size),
        "L" => {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            3 + items.iter().map(|item| 1 + value_size(item)).sum::<usize>()
        }
        "M" => 3 + value.as_object().map_or(0, Map::len) + item_size(value),
        _ => 1,
    }
}

/// One byte, and one for every two significant digits.
fn number_size(number: &str) -> usize {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    1 + digits.trim_matches('0').len().div_ceil(2)
}

fn binary_size(encoded: &str) -> usize {
    STANDARD.decode(encoded).map_or(encoded.len(), |bytes| bytes.len())
}
