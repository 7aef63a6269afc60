use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::template::{Template, TemplateError};

/// What `CreateTable` takes as the template has it.
const DEFINING: [&str; 3] = ["AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"];

/// A DynamoDB table with its keys and global secondary indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub logical_id: String,
    /// The physical name.
    pub name: String,
    /// `AttributeDefinitions`, `KeySchema` and, if there are any, `GlobalSecondaryIndexes`. `CloudFormation` and the API
    /// have the same form of them.
    pub definition: Value,
}

pub(super) fn read(template: &Template) -> Result<Vec<Table>, TemplateError> {
    template.of_kind("AWS::DynamoDB::Table").map(|logical_id| table(template, logical_id)).collect()
}

fn table(template: &Template, logical_id: &str) -> Result<Table, TemplateError> {
    let refuse = |reason: &str| TemplateError::resource(logical_id, reason.to_owned());
    if template.property(logical_id, "LocalSecondaryIndexes")?.is_some() {
        return Err(refuse("LocalSecondaryIndexes: not supported"));
    }
    let mut definition = Map::new();
    for name in DEFINING {
        if let Some(value) = template.property(logical_id, name)? {
            definition.insert(name.to_owned(), value);
        }
    }
    let definition = Value::Object(definition);
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    keys.extend(
        schema(&definition).ok_or_else(|| refuse("KeySchema: expected a hash key, and a range key"))?,
    );
    for index in list(&definition, "GlobalSecondaryIndexes") {
        let key = schema(index);
        keys.extend(
            key.ok_or_else(|| refuse("GlobalSecondaryIndexes: expected a hash key, and a range key"))?,
        );
        let projection = index.get("Projection").unwrap_or(&Value::Null);
        let includes = projection.get("ProjectionType").and_then(Value::as_str) == Some("INCLUDE");
        if includes == list(projection, "NonKeyAttributes").is_empty() {
            return Err(refuse(
                "GlobalSecondaryIndexes: only INCLUDE takes NonKeyAttributes, and it needs some",
            ));
        }
    }
    let defined = list(&definition, "AttributeDefinitions");
    // An N without quotes is a boolean in YAML 1.1.
    if !defined.iter().all(|attribute| ["S", "N", "B"].contains(&text(attribute, "AttributeType"))) {
        return Err(refuse("AttributeDefinitions: expected the `AttributeType` S, 'N' or B"));
    }
    let defined: BTreeSet<&str> = defined.iter().map(|attribute| text(attribute, "AttributeName")).collect();
    if defined != keys {
        return Err(refuse("AttributeDefinitions: expected the attributes of all keys, and no other"));
    }
    Ok(Table { logical_id: logical_id.to_owned(), name: template.physical_name(logical_id)?, definition })
}

/// The attributes of a key: a hash key alone, or with a range key after it.
fn schema(of: &Value) -> Option<Vec<&str>> {
    let parts = list(of, "KeySchema");
    let kinds: Vec<&str> = parts.iter().filter_map(|part| part.get("KeyType")?.as_str()).collect();
    let names: Vec<&str> = parts.iter().filter_map(|part| part.get("AttributeName")?.as_str()).collect();
    (matches!(kinds[..], ["HASH"] | ["HASH", "RANGE"]) && names.len() == kinds.len()).then_some(names)
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
