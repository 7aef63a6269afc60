//! What one value of an event is compared with: a literal or an operator such as `prefix` or `numeric`.

use serde_json::Value;

use crate::wildcard::Wildcard;

/// One entry of a pattern's list of alternatives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operator {
    Literal(Value),
    Text(TextTest),
    AnythingBut(Vec<Operator>),
    /// `exists`: true asks for a value, false for its absence.
    Exists(bool),
    Numeric(Vec<(Comparison, f64)>),
}

/// Tests that only text can pass.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TextTest {
    Prefix(String),
    PrefixIgnoreCase(String),
    Suffix(String),
    SuffixIgnoreCase(String),
    EqualsIgnoreCase(String),
    Wildcard(Wildcard),
}

/// The comparisons of the operator `numeric`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// Compiles one alternative. The error says what is not understood.
    pub(crate) fn compile(value: &Value) -> Result<Self, String> {
        match value {
            Value::Array(_) => Err("a list inside a list of alternatives".to_owned()),
            Value::Object(object) => {
                let mut entries = object.iter();
                match (entries.next(), entries.next()) {
                    (Some((name, argument)), None) => Self::compile_named(name, argument),
                    _ => Err(format!("{value} must have exactly one operator")),
                }
            }
            literal => Ok(Self::Literal(literal.clone())),
        }
    }

    fn compile_named(name: &str, argument: &Value) -> Result<Self, String> {
        match name {
            "exists" => match argument {
                Value::Bool(wanted) => Ok(Self::Exists(*wanted)),
                other => Err(format!("exists takes true or false, not {other}")),
            },
            "numeric" => compile_numeric(argument),
            "anything-but" => compile_anything_but(argument),
            _ => TextTest::compile(name, argument).map(Self::Text),
        }
    }

    /// Whether a value that is there (neither list nor object) passes.
    pub(crate) fn matches(&self, value: &Value) -> bool {
        match self {
            Self::Literal(literal) => same_literal(literal, value),
            Self::Text(test) => value.as_str().is_some_and(|text| test.matches(text)),
            Self::AnythingBut(refused) => !refused.iter().any(|operator| operator.matches(value)),
            Self::Exists(wanted) => *wanted,
            Self::Numeric(bounds) => value.as_f64().is_some_and(|number| {
                bounds.iter().all(|(comparison, bound)| comparison.holds(number, *bound))
            }),
        }
    }
}

/// EventBridge compares the written form of numbers: 300 and 300.0 differ.
fn same_literal(literal: &Value, value: &Value) -> bool {
    match (literal, value) {
        (Value::Number(left), Value::Number(right)) => left == right || left.to_string() == right.to_string(),
        (left, right) => left == right,
    }
}

impl TextTest {
    fn compile(name: &str, argument: &Value) -> Result<Self, String> {
        match (name, argument) {
            ("prefix", Value::String(text)) => Ok(Self::Prefix(text.clone())),
            ("suffix", Value::String(text)) => Ok(Self::Suffix(text.clone())),
            ("equals-ignore-case", Value::String(text)) => Ok(Self::EqualsIgnoreCase(text.to_lowercase())),
            ("wildcard", Value::String(text)) => Wildcard::compile(text).map(Self::Wildcard),
            ("prefix" | "suffix", Value::Object(object)) => {
                let mut entries = object.iter();
                match (entries.next(), entries.next()) {
                    (Some((inner, Value::String(text))), None) if inner == "equals-ignore-case" => {
                        let text = text.to_lowercase();
                        Ok(if name == "prefix" {
                            Self::PrefixIgnoreCase(text)
                        } else {
                            Self::SuffixIgnoreCase(text)
                        })
                    }
                    _ => Err(format!("{name} takes text or {{equals-ignore-case: text}}, not {argument}")),
                }
            }
            ("prefix" | "suffix" | "equals-ignore-case" | "wildcard", other) => {
                Err(format!("{name} takes text, not {other}"))
            }
            _ => Err(format!("the operator {name} is not supported")),
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::PrefixIgnoreCase(prefix) => text.to_lowercase().starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::SuffixIgnoreCase(suffix) => text.to_lowercase().ends_with(suffix.as_str()),
            Self::EqualsIgnoreCase(other) => text.to_lowercase() == *other,
            Self::Wildcard(wildcard) => wildcard.matches(text),
        }
    }
}

impl Comparison {
    fn compile(sign: &Value) -> Result<Self, String> {
        match sign.as_str() {
            Some("=") => Ok(Self::Equal),
            Some("<") => Ok(Self::Less),
            Some("<=") => Ok(Self::LessOrEqual),
            Some(">") => Ok(Self::Greater),
            Some(">=") => Ok(Self::GreaterOrEqual),
            _ => Err(format!("numeric has no comparison {sign}")),
        }
    }

    #[expect(
        clippy::float_cmp,
        reason = "the operator `=` asks for exactly the number that the pattern names"
    )]
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => number == bound,
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

fn compile_numeric(argument: &Value) -> Result<Operator, String> {
    let refused = || format!("numeric takes one or two pairs of comparison and number, not {argument}");
    let parts = argument.as_array().ok_or_else(refused)?;
    if !matches!(parts.len(), 2 | 4) {
        return Err(refused());
    }
    let bounds = parts.chunks_exact(2).map(|pair| {
        let comparison = Comparison::compile(&pair[0])?;
        let bound = pair[1].as_f64().ok_or_else(refused)?;
        Ok((comparison, bound))
    });
    Ok(Operator::Numeric(bounds.collect::<Result<_, String>>()?))
}

fn compile_anything_but(argument: &Value) -> Result<Operator, String> {
    let alternatives = |value: &Value| match value {
        Value::Array(list) => list.clone(),
        single => vec![single.clone()],
    };
    let refused = match argument {
        Value::Object(object) => {
            let mut entries = object.iter();
            let (Some((name, argument)), None) = (entries.next(), entries.next()) else {
                return Err(format!("anything-but takes exactly one operator, not {argument}"));
            };
            let tests = alternatives(argument);
            tests
                .iter()
                .map(|test| TextTest::compile(name, test).map(Operator::Text))
                .collect::<Result<Vec<_>, _>>()?
        }
        values => alternatives(values)
            .into_iter()
            .map(|value| match value {
                Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {
                    Ok(Operator::Literal(value))
                }
                other => Err(format!("anything-but takes plain values or one operator, not {other}")),
            })
            .collect::<Result<Vec<_>, _>>()?,
    };
    if refused.is_empty() {
        return Err("anything-but of an empty list".to_owned());
    }
    Ok(Operator::AnythingBut(refused))
}
