//! The section `Conditions`, decided.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::TemplateError;
use super::scalar::text_of;

/// The longest chain of conditions that name one another; a longer one is a circle.
const DEEPEST: usize = 16;

pub(super) fn decide(
    declared: &Map<String, Value>,
    parameters: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, bool>, TemplateError> {
    let conditions = Conditions { declared, parameters };
    declared
        .iter()
        .map(|(name, condition)| match conditions.holds(condition, 0) {
            Ok(holds) => Ok((name.clone(), holds)),
            Err(reason) => Err(TemplateError::Condition { name: name.clone(), reason }),
        })
        .collect()
}

struct Conditions<'a> {
    declared: &'a Map<String, Value>,
    parameters: &'a BTreeMap<String, Value>,
}

impl Conditions<'_> {
    fn holds(&self, condition: &Value, depth: usize) -> Result<bool, String> {
        if depth > DEEPEST {
            return Err("the conditions name one another in a circle".to_owned());
        }
        let unknown = || format!("`{condition}` is not supported");
        let mut entries = condition.as_object().ok_or_else(unknown)?.iter();
        let (Some((function, argument)), None) = (entries.next(), entries.next()) else {
            return Err(unknown());
        };
        match (function.as_str(), argument) {
            ("Fn::Equals", Value::Array(sides)) if sides.len() == 2 => {
                Ok(self.operand(&sides[0])? == self.operand(&sides[1])?)
            }
            ("Fn::Not", Value::Array(inner)) if inner.len() == 1 => Ok(!self.holds(&inner[0], depth + 1)?),
            ("Fn::And" | "Fn::Or", Value::Array(inner)) => {
                let decided =
                    inner.iter().map(|one| self.holds(one, depth + 1)).collect::<Result<Vec<_>, _>>()?;
                Ok(if function == "Fn::And" { !decided.contains(&false) } else { decided.contains(&true) })
            }
            ("Condition", Value::String(name)) => {
                let named =
                    self.declared.get(name).ok_or_else(|| format!("there is no condition `{name}`"))?;
                self.holds(named, depth + 1)
            }
            _ => Err(unknown()),
        }
    }

    fn operand(&self, operand: &Value) -> Result<String, String> {
        let reference = operand.as_object().and_then(|object| object.get("Ref")).and_then(Value::as_str);
        let value = match reference {
            Some(name) => {
                self.parameters.get(name).ok_or_else(|| format!("there is no parameter `{name}`"))?
            }
            None => operand,
        };
        text_of(value).ok_or_else(|| format!("expected text or a parameter, found `{operand}`"))
    }
}
