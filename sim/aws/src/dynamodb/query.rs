//! The pages of a query. `DynamoDB` developer guide, "Paginating table query results"; API reference, `Query`.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::item_size::item_size;

/// What a page holds at most.
pub(super) const PAGE_BYTES: usize = 1024 * 1024;

/// The keys of the table or index that is queried, and what an index has of an item.
pub(super) struct Schema {
    /// The table's keys.
    primary: Vec<String>,
    /// The keys of what is queried: hash and, if there is one, range.
    queried: Vec<String>,
    /// The attributes that an index has besides keys; `None` where it has them all.
    columns: Option<BTreeSet<String>>,
}

impl Schema {
    /// Reads it off a table's description. `None` if there is no such index.
    pub(super) fn of(table: &Value, query: &Value) -> Option<Self> {
        let primary = key_names(table)?;
        let Some(name) = query.get("IndexName") else {
            return Some(Self { queried: primary.clone(), primary, columns: None });
        };
        let indexes = table.get("GlobalSecondaryIndexes")?.as_array()?;
        let index = indexes.iter().find(|index| index.get("IndexName") == Some(name))?;
        let projection = index.get("Projection")?;
        let included = projection.get("NonKeyAttributes").and_then(Value::as_array).into_iter().flatten();
        let all = projection.get("ProjectionType")? == "ALL";
        let columns = (!all).then(|| included.filter_map(|name| Some(name.as_str()?.to_owned())).collect());
        Some(Self { primary, queried: key_names(index)?, columns })
    }

    /// The page of these items that a query asks for, which has at most so many bytes or one item.
    pub(super) fn page(&self, items: Vec<Value>, query: &Value, bytes: usize) -> Value {
        let backwards = query.get("ScanIndexForward") == Some(&json!(false));
        let mut items: Vec<Value> =
            items.into_iter().filter(|item| self.queried.iter().all(|key| item.get(key).is_some())).collect();
        items.sort_by(|a, b| self.compare(a, b));
        if backwards {
            items.reverse();
        }
        if let Some(start) = query.get("ExclusiveStartKey") {
            let before = if backwards { Ordering::Less } else { Ordering::Greater };
            items.retain(|item| self.compare(item, start) == before);
        }
        let limit = query.get("Limit").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let mut room = bytes;
        let mut page: Vec<Value> = Vec::new();
        let mut last = None;
        for item in items {
            let projected = self.project(&item);
            let size = item_size(&projected);
            if page.len() as u64 == limit || size > room && !page.is_empty() {
                last = page.last().map(|last| self.keys(last));
                break;
            }
            room = room.saturating_sub(size);
            page.push(projected);
        }
        let mut answer = json!({"Items": page, "Count": page.len(), "ScannedCount": page.len()});
        if let Some(last) = last {
            answer["LastEvaluatedKey"] = last;
        }
        answer
    }

    /// By the range key; then by the table's keys, so that no two items are equal.
    fn compare(&self, a: &Value, b: &Value) -> Ordering {
        let keys = self.queried.iter().chain(&self.primary);
        keys.map(|key| compare_values(&a[key], &b[key]))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    fn keys(&self, item: &Value) -> Value {
        let keys = self.queried.iter().chain(&self.primary);
        Value::Object(keys.map(|key| (key.clone(), item[key].clone())).collect())
    }

    fn project(&self, item: &Value) -> Value {
        let Some(columns) = &self.columns else { return item.clone() };
        let here = |name: &String| {
            columns.contains(name) || self.queried.contains(name) || self.primary.contains(name)
        };
        let attributes = item.as_object().into_iter().flatten().filter(|(name, _)| here(name));
        Value::Object(attributes.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
    }
}

fn key_names(of: &Value) -> Option<Vec<String>> {
    let parts = of.get("KeySchema")?.as_array()?;
    parts.iter().map(|part| Some(part.get("AttributeName")?.as_str()?.to_owned())).collect()
}

/// Two values of a key: texts by their bytes, numbers by their value.
fn compare_values(a: &Value, b: &Value) -> Ordering {
    let number = |value: &Value| value.get("N").and_then(Value::as_str)?.parse::<f64>().ok();
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.to_string().cmp(&b.to_string()),
    }
}
