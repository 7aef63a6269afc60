//! The values of a template's parameters: the caller's, or else the defaults.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::TemplateError;
use super::scalar::text_of;

/// Gives every declared parameter its value and refuses what `CloudFormation` refuses.
pub(super) fn values(
    declared: &Map<String, Value>,
    overrides: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    if let Some(name) = overrides.keys().find(|name| !declared.contains_key(*name)) {
        return Err(refuse(name, "the template does not declare it"));
    }
    let mut values = BTreeMap::new();
    for (name, declaration) in declared {
        let text = match (overrides.get(name), declaration.get("Default")) {
            (Some(text), _) => text.clone(),
            (None, Some(default)) => {
                text_of(default).ok_or_else(|| refuse(name, "expected text or a number as its default"))?
            }
            (None, None) => return Err(refuse(name, "expected a value, as it has no default")),
        };
        if let Some(Value::Array(allowed)) = declaration.get("AllowedValues")
            && !allowed.iter().any(|value| text_of(value).as_ref() == Some(&text))
        {
            return Err(refuse(name, format!("`{text}` is not among its allowed values")));
        }
        let value = match declaration.get("Type").and_then(Value::as_str) {
            Some("String" | "Number") => Value::from(text),
            Some("CommaDelimitedList" | "List<Number>") => {
                Value::Array(text.split(',').map(|part| Value::from(part.trim())).collect())
            }
            other => {
                let found = other.unwrap_or("none");
                return Err(refuse(name, format!("expected a type of text or numbers, found `{found}`")));
            }
        };
        values.insert(name.clone(), value);
    }
    Ok(values)
}

fn refuse(name: &str, reason: impl Into<String>) -> TemplateError {
    TemplateError::Parameter { name: name.to_owned(), reason: reason.into() }
}
