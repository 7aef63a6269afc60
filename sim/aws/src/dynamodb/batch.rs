//! The limits of batches, and how they are split. `DynamoDB` API reference, `BatchGetItem` and `BatchWriteItem`.

use serde_json::{Map, Value, json};

use crate::wire::error::ApiError;

pub(super) const KEYS_PER_GET: usize = 100;
pub(super) const REQUESTS_PER_WRITE: usize = 25;

pub(super) fn check_size(body: &Value, limit: usize) -> Result<(), ApiError> {
    let requests = requests(body);
    if requests.is_empty() || requests.len() > limit {
        return Err(ApiError::validation(format!("Member must have length between 1 and {limit}")));
    }
    let duplicates = requests.iter().enumerate().any(|(at, request)| requests[..at].contains(request));
    if duplicates {
        return Err(ApiError::validation("Provided list of item keys contains duplicates"));
    }
    Ok(())
}

/// The keys of a `BatchGetItem` or the requests of a `BatchWriteItem`, of all tables.
pub(super) fn requests(body: &Value) -> Vec<&Value> {
    let tables = body.get("RequestItems").and_then(Value::as_object);
    let lists = tables.into_iter().flatten().filter_map(|(_, of_table)| {
        of_table.as_array().or_else(|| of_table.get("Keys").and_then(Value::as_array))
    });
    lists.flatten().collect()
}

/// Splits `RequestItems` into halves, the first rounded down.
pub(super) fn split(body: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let mut remaining = requests(body).len() / 2;
    let (mut first, mut second) = (Map::new(), Map::new());
    for (table, of_table) in body.get("RequestItems").and_then(Value::as_object).into_iter().flatten() {
        let list = of_table.as_array().or_else(|| of_table.get("Keys").and_then(Value::as_array));
        let list = list.map_or(&[][..], Vec::as_slice);
        let (done, left) = list.split_at(remaining.min(list.len()));
        remaining -= done.len();
        for (half, part) in [(&mut first, done), (&mut second, left)] {
            if part.is_empty() {
                continue;
            }
            let mut part_of_table = of_table.clone();
            if of_table.is_array() {
                part_of_table = json!(part);
            } else {
                part_of_table["Keys"] = json!(part);
            }
            half.insert(table.clone(), part_of_table);
        }
    }
    (first, second)
}
