//! EventBridge event patterns.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>.
//! Whatever a pattern says that is not understood here is an error when it is compiled: a filter that
//! is skipped would let events through that AWS drops, or the other way round.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::operator::Operator;

/// The longest pattern that EventBridge takes, in characters of its JSON.
const LONGEST_PATTERN: usize = 2_048;

/// Why a pattern was refused, and where in the pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("event pattern at {path}: {reason}")]
pub struct PatternError {
    /// The fields that lead there, joined by dots; `$` is the whole pattern.
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

/// A compiled event pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    fields: Fields,
}

/// The fields of one object in the pattern; all of them must match.
#[derive(Debug, Clone, PartialEq)]
struct Fields {
    named: Vec<(String, Field)>,
    /// Each `$or`: at least one of its objects must match.
    choices: Vec<Vec<Fields>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Field {
    /// A list of alternatives for a value.
    Leaf(Vec<Operator>),
    /// An object whose fields lead further down.
    Nested(Fields),
}

impl Pattern {
    /// Compiles the JSON of a pattern.
    pub fn compile(pattern: &Value) -> Result<Self, PatternError> {
        let object = pattern.as_object().ok_or_else(|| error("$", "a pattern is an object"))?;
        let length = pattern.to_string().chars().count();
        if length > LONGEST_PATTERN {
            return Err(error("$", format!("{length} characters are more than {LONGEST_PATTERN}")));
        }
        Ok(Self { fields: Fields::compile(object, "$")? })
    }

    /// Whether the event matches.
    pub fn matches(&self, event: &Value) -> bool {
        self.fields.match_object(Some(event))
    }
}

fn error(path: &str, reason: impl Into<String>) -> PatternError {
    PatternError { path: path.to_owned(), reason: reason.into() }
}

impl Fields {
    fn compile(object: &Map<String, Value>, path: &str) -> Result<Self, PatternError> {
        if object.is_empty() {
            return Err(error(path, "an object without fields"));
        }
        let mut fields = Self { named: Vec::new(), choices: Vec::new() };
        for (name, value) in object {
            let path = if path == "$" { name.clone() } else { format!("{path}.{name}") };
            if name == "$or" {
                fields.choices.push(compile_choices(value, &path)?);
                continue;
            }
            let field = match value {
                Value::Object(nested) => Field::Nested(Self::compile(nested, &path)?),
                Value::Array(alternatives) if alternatives.is_empty() => {
                    return Err(error(&path, "an empty list matches nothing"));
                }
                Value::Array(alternatives) => {
                    let operators = alternatives.iter().map(Operator::compile);
                    Field::Leaf(operators.collect::<Result<_, _>>().map_err(|reason| error(&path, reason))?)
                }
                other => return Err(error(&path, format!("{other} must be in a list"))),
            };
            fields.named.push((name.clone(), field));
        }
        // The envelope (source, detail-type) tells most events apart; look at it before descending.
        fields.named.sort_by_key(|(_, field)| matches!(field, Field::Nested(_)));
        Ok(fields)
    }

    /// Matches the object at a place of the event; `None` is a place that the event does not have.
    fn match_object(&self, place: Option<&Value>) -> bool {
        match place {
            // All fields must match within one and the same element.
            Some(Value::Array(elements)) if !elements.is_empty() => {
                elements.iter().any(|element| self.match_object(Some(element)))
            }
            other => {
                let object = other.and_then(Value::as_object);
                self.named
                    .iter()
                    .all(|(name, field)| field.matches(object.and_then(|object| object.get(name))))
                    && self
                        .choices
                        .iter()
                        .all(|choice| choice.iter().any(|alternative| alternative.match_object(other)))
            }
        }
    }
}

fn compile_choices(value: &Value, path: &str) -> Result<Vec<Fields>, PatternError> {
    match value.as_array() {
        Some(list) if list.len() >= 2 => list
            .iter()
            .map(|choice| match choice.as_object() {
                Some(object) => Fields::compile(object, path),
                None => Err(error(path, format!("{choice} is not an object"))),
            })
            .collect(),
        _ => Err(error(path, "$or takes a list of at least two objects")),
    }
}

impl Field {
    fn matches(&self, place: Option<&Value>) -> bool {
        match self {
            Self::Nested(fields) => fields.match_object(place),
            Self::Leaf(operators) => operators.iter().any(|operator| match operator {
                Operator::Exists(false) => !place.is_some_and(has_leaf),
                operator => place.is_some_and(|value| any_leaf(value, operator)),
            }),
        }
    }
}

/// Whether a plain value stands there. An object is no leaf, and an empty list holds none, so `exists`
/// says false of both, as EventBridge does.
fn has_leaf(value: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(has_leaf),
        Value::Object(_) => false,
        _ => true,
    }
}

/// A list in the event matches when any of its elements does.
fn any_leaf(value: &Value, operator: &Operator) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(|element| any_leaf(element, operator)),
        Value::Object(_) => false,
        leaf => operator.matches(leaf),
    }
}
