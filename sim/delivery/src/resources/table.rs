use serde_json::Value;

use crate::template::{Template, TemplateError};

/// A DynamoDB table with a hash key alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub logical_id: String,
    /// The physical name.
    pub name: String,
    /// The attribute that is the hash key.
    pub key: String,
}

pub(super) fn read(template: &Template) -> Result<Vec<Table>, TemplateError> {
    template.of_kind("AWS::DynamoDB::Table").map(|logical_id| table(template, logical_id)).collect()
}

fn table(template: &Template, logical_id: &str) -> Result<Table, TemplateError> {
    let schema = template.property(logical_id, "KeySchema")?;
    let keys = schema.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let key = match keys {
        [key] if key.get("KeyType").and_then(Value::as_str) == Some("HASH") => {
            key.get("AttributeName").and_then(Value::as_str)
        }
        _ => None,
    };
    let key = key.ok_or_else(|| TemplateError::resource(logical_id, "KeySchema: expected one hash key"))?;
    Ok(Table {
        logical_id: logical_id.to_owned(),
        name: template.physical_name(logical_id)?,
        key: key.to_owned(),
    })
}
