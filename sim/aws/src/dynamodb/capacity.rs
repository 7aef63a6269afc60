//! What calls consume: `DynamoDB` developer guide, "`DynamoDB` on-demand capacity mode". What indexes consume is not counted.

use serde_json::Value;

use super::batch::requests;
use super::item_size::item_size;

/// A write unit is a kilobyte of an item.
const WRITE_BYTES: usize = 1_024;
/// A read unit is four kilobytes read consistently, or eight read otherwise.
const READ_BYTES: usize = 4_096;

/// Request units that were consumed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Capacity {
    pub read_units: f64,
    pub write_units: f64,
}

impl Capacity {
    /// For the writes in a request; what an update makes of an item is not in its request.
    pub(super) fn of_request(operation: &str, body: &Value) -> Self {
        let units = |item: &Value| item_size(item).div_ceil(WRITE_BYTES).max(1);
        let put = |request: &&Value| request.pointer("/PutRequest/Item").map_or(1, units);
        let units = match operation {
            "PutItem" => body.get("Item").map_or(1, units),
            "DeleteItem" => 1,
            "BatchWriteItem" => requests(body).iter().map(put).sum(),
            "TransactWriteItems" => {
                let items = body.get("TransactItems").and_then(Value::as_array).into_iter().flatten();
                2 * items.map(|item| item.pointer("/Put/Item").map_or(1, units)).sum::<usize>()
            }
            _ => 0,
        };
        Self { read_units: 0.0, write_units: count(units) }
    }

    /// For an item that was updated.
    pub(super) fn of_update(item: &Value) -> Self {
        Self { read_units: 0.0, write_units: count(item_size(item).div_ceil(WRITE_BYTES).max(1)) }
    }

    /// For what a request got to read.
    pub(super) fn of_response(operation: &str, body: &Value, response: &Value) -> Self {
        let units = |bytes: usize| bytes.div_ceil(READ_BYTES).max(1);
        let units = match operation {
            "GetItem" => units(response.get("Item").map_or(0, item_size)),
            "BatchGetItem" => {
                let tables = response.get("Responses").and_then(Value::as_object).into_iter().flatten();
                let items = tables.filter_map(|(_, items)| items.as_array()).flatten();
                items.map(|item| units(item_size(item))).sum()
            }
            "Query" => {
                let items = response.get("Items").and_then(Value::as_array).into_iter().flatten();
                units(items.map(item_size).sum())
            }
            _ => 0,
        };
        let in_batch = body.get("RequestItems").and_then(Value::as_object).into_iter().flatten();
        let consistent = [Some(body)].into_iter().flatten().chain(in_batch.map(|(_, table)| table));
        let is_consistent =
            consistent.filter_map(|one| one.get("ConsistentRead")?.as_bool()).any(|is_it| is_it);
        Self { read_units: count(units) / if is_consistent { 1.0 } else { 2.0 }, write_units: 0.0 }
    }
}

impl std::ops::AddAssign for Capacity {
    fn add_assign(&mut self, other: Self) {
        self.read_units += other.read_units;
        self.write_units += other.write_units;
    }
}

#[allow(clippy::cast_precision_loss)] // Units of requests, which are a few megabytes at most.
fn count(units: usize) -> f64 {
    units as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    #[allow(clippy::float_cmp)] // Halves are exact.
    fn begun_kilobytes_count_and_reads_cost_half_unless_they_are_consistent() {
        let item = |bytes: usize| json!({ "a": { "S": "x".repeat(bytes - 1) } });
        let written = |bytes| Capacity::of_request("PutItem", &json!({ "Item": item(bytes) })).write_units;
        assert_eq!([written(1), written(1_024), written(1_025)], [1.0, 1.0, 2.0]);
        let read =
            |body, bytes| Capacity::of_response("GetItem", &body, &json!({ "Item": item(bytes) })).read_units;
        assert_eq!([read(json!({}), 4_096), read(json!({ "ConsistentRead": true }), 4_097)], [0.5, 2.0]);
        let batch = json!({ "RequestItems": { "t": { "ConsistentRead": true } } });
        let response = json!({ "Responses": { "t": [item(1), item(5_000)] } });
        assert_eq!(Capacity::of_response("BatchGetItem", &batch, &response).read_units, 3.0);
        let found = json!({ "Items": [item(3_000), item(3_000)] });
        assert_eq!(Capacity::of_response("Query", &json!({}), &found).read_units, 1.0);
        assert_eq!(Capacity::of_update(&item(3_000)).write_units, 3.0);
        let puts = json!([{ "PutRequest": { "Item": item(2_000) } }, { "DeleteRequest": {} }]);
        let batch = json!({ "RequestItems": { "t": puts } });
        assert_eq!(Capacity::of_request("BatchWriteItem", &batch).write_units, 3.0);
    }
}
