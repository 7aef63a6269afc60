//! From the JSON of a pattern to lists of fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::PatternError;
use super::operator::Operator;

/// The longest pattern that EventBridge takes, in characters of its JSON.
const LONGEST_PATTERN: usize = 2_048;

/// The most ways through the `$or`s of one pattern that EventBridge takes.
const MOST_ALTERNATIVES: usize = 1_000;

/// Field names that event-ruler refuses inside `$or`, some of them for operators still to come.
/// Source: `Constants.java` in <https://github.com/aws/event-ruler>.
const RESERVED_INSIDE_OR: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// A field of the pattern, and the alternatives for its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    /// The names that lead to the field, joined by dots as event-ruler joins them: it takes a dot within
    /// a name for a step.
    pub(super) path: String,
    operators: Vec<Operator>,
}

impl Field {
    pub(super) fn accepts(&self, leaf: &Value) -> bool {
        self.operators.iter().any(|operator| operator.accepts(leaf))
    }

    pub(super) fn accepts_absence(&self) -> bool {
        self.operators.contains(&Operator::Exists(false))
    }
}

type Fields = BTreeMap<String, Vec<Operator>>;

/// The fields of every way through the `$or`s, sorted by path.
pub(super) fn alternatives(pattern: &Value) -> Result<Vec<Vec<Field>>, PatternError> {
    let object = pattern
        .as_object()
        .ok_or_else(|| PatternError::new("$", format!("expected an object, found `{pattern}`")))?;
    let length = pattern.to_string().chars().count();
    if length > LONGEST_PATTERN {
        let reason = format!("expected at most {LONGEST_PATTERN} characters, found {length}");
        return Err(PatternError::new("$", reason));
    }
    let alternatives = add_object(vec![Fields::new()], object, None, false)?;
    let to_list = |fields: Fields| {
        fields.into_iter().map(|(path, operators)| Field { path, operators }).collect::<Vec<_>>()
    };
    Ok(alternatives.into_iter().map(to_list).collect())
}

/// Adds the fields of an object to each of the alternatives.
fn add_object(
    mut alternatives: Vec<Fields>,
    object: &Map<String, Value>,
    parent: Option<&str>,
    inside_or: bool,
) -> Result<Vec<Fields>, PatternError> {
    if object.is_empty() {
        return Err(PatternError::new(parent.unwrap_or("$"), "expected at least one field"));
    }
    for (name, value) in object {
        let path = parent.map_or_else(|| name.clone(), |parent| format!("{parent}.{name}"));
        if inside_or && RESERVED_INSIDE_OR.contains(&name.as_str()) {
            return Err(PatternError::new(&path, format!("`{name}` is reserved inside `$or`")));
        }
        alternatives = match value {
            _ if name == "$or" => add_choices(&alternatives, value, parent, &path)?,
            Value::Object(nested) => add_object(alternatives, nested, Some(&path), inside_or)?,
            Value::Array(list) => add_field(alternatives, &path, list)?,
            other => {
                let reason = format!("expected a list of alternatives or an object, found `{other}`");
                return Err(PatternError::new(&path, reason));
            }
        };
    }
    Ok(alternatives)
}

fn add_choices(
    alternatives: &[Fields],
    choices: &Value,
    parent: Option<&str>,
    path: &str,
) -> Result<Vec<Fields>, PatternError> {
    let choices = choices
        .as_array()
        .filter(|choices| choices.len() >= 2)
        .ok_or_else(|| PatternError::new(path, "expected a list of at least two objects"))?;
    let mut multiplied = Vec::new();
    for choice in choices {
        let object = choice
            .as_object()
            .ok_or_else(|| PatternError::new(path, format!("expected an object, found `{choice}`")))?;
        multiplied.extend(add_object(alternatives.to_vec(), object, parent, true)?);
        if multiplied.len() > MOST_ALTERNATIVES {
            let reason = format!("expected at most {MOST_ALTERNATIVES} combinations of choices");
            return Err(PatternError::new(path, reason));
        }
    }
    Ok(multiplied)
}

fn add_field(mut alternatives: Vec<Fields>, path: &str, list: &[Value]) -> Result<Vec<Fields>, PatternError> {
    if list.is_empty() {
        return Err(PatternError::new(path, "expected at least one alternative, found an empty list"));
    }
    let operators = list
        .iter()
        .map(Operator::compile)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|reason| PatternError::new(path, reason))?;
    for fields in &mut alternatives {
        // EventBridge keeps the list that comes last in the text of the pattern; that order is not known
        // here, and nobody means it.
        if fields.insert(path.to_owned(), operators.clone()).is_some() {
            return Err(PatternError::new(path, "the pattern names this field twice"));
        }
    }
    Ok(alternatives)
}
