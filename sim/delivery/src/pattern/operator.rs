//! One entry of a field's list of alternatives: a literal, or an operator such as `prefix` or `numeric`.

use std::net::Ipv6Addr;

use serde_json::{Map, Value};

use super::ignore_case::IgnoreCase;
use super::number::{self, NumericRange};
use super::wildcard::Wildcard;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operator {
    Literal(Value),
    /// A literal that is an IPv6 address: event-ruler compares these as addresses, however they are written.
    Address(Ipv6Addr),
    Text(TextTest),
    AnythingBut(Vec<Operator>),
    /// `exists`: true asks for a value, false for its absence.
    Exists(bool),
    Numeric(NumericRange),
}

/// A test that only text can pass.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TextTest {
    Prefix(String),
    PrefixIgnoreCase(IgnoreCase),
    Suffix(String),
    SuffixIgnoreCase(IgnoreCase),
    EqualsIgnoreCase(IgnoreCase),
    Wildcard(Wildcard),
}

impl Operator {
    /// The error is the reason for a [`super::PatternError`].
    pub(super) fn compile(value: &Value) -> Result<Self, String> {
        match value {
            Value::Array(_) => Err(format!("expected a value or an operator, found the list `{value}`")),
            Value::Object(object) => {
                let (name, argument) = only_entry(object)
                    .ok_or_else(|| format!("expected exactly one operator, found `{value}`"))?;
                match (name, argument) {
                    ("exists", Value::Bool(wanted)) => Ok(Self::Exists(*wanted)),
                    ("exists", other) => Err(format!("`exists` takes true or false, not `{other}`")),
                    ("numeric", argument) => NumericRange::compile(argument).map(Self::Numeric),
                    ("anything-but", argument) => compile_anything_but(argument).map(Self::AnythingBut),
                    (name, argument) => TextTest::compile(name, argument).map(Self::Text),
                }
            }
            literal => Ok(match literal.as_str().and_then(address) {
                Some(address) => Self::Address(address),
                None => Self::Literal(literal.clone()),
            }),
        }
    }

    /// Whether a value that is there, and is neither object nor list, passes.
    pub(super) fn accepts(&self, leaf: &Value) -> bool {
        match self {
            Self::Literal(Value::Number(literal)) => {
                leaf.as_number().is_some_and(|number| number::are_equal(literal, number))
            }
            Self::Literal(literal) => literal == leaf,
            Self::Address(literal) => leaf.as_str().and_then(address) == Some(*literal),
            Self::Text(test) => leaf.as_str().is_some_and(|text| test.passes(text)),
            Self::AnythingBut(refused) => !refused.iter().any(|operator| operator.accepts(leaf)),
            Self::Exists(wanted) => *wanted,
            Self::Numeric(range) => range.contains(leaf),
        }
    }
}

impl TextTest {
    fn compile(name: &str, argument: &Value) -> Result<Self, String> {
        let ignore_case = || match argument.as_object().and_then(only_entry) {
            Some(("equals-ignore-case", Value::String(text))) => Ok(IgnoreCase::new(text)),
            _ => Err(format!("`{name}` takes text or an `equals-ignore-case`, not `{argument}`")),
        };
        match (name, argument) {
            ("prefix", Value::Object(_)) => Ok(Self::PrefixIgnoreCase(ignore_case()?)),
            ("suffix", Value::Object(_)) => Ok(Self::SuffixIgnoreCase(ignore_case()?)),
            _ => Self::compile_plain(name, argument),
        }
    }

    /// Compiles what `anything-but` takes as well: tests without another operator in them.
    fn compile_plain(name: &str, argument: &Value) -> Result<Self, String> {
        if !["prefix", "suffix", "equals-ignore-case", "wildcard"].contains(&name) {
            return Err(format!("the operator `{name}` is not supported here"));
        }
        let text =
            argument.as_str().ok_or_else(|| format!("the operator `{name}` takes text, not `{argument}`"))?;
        match name {
            "prefix" => Ok(Self::Prefix(text.to_owned())),
            "suffix" => Ok(Self::Suffix(text.to_owned())),
            "equals-ignore-case" => Ok(Self::EqualsIgnoreCase(IgnoreCase::new(text))),
            _ => Wildcard::compile(text).map(Self::Wildcard),
        }
    }

    fn passes(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::PrefixIgnoreCase(prefix) => prefix.is_prefix_of(text),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::SuffixIgnoreCase(suffix) => suffix.is_suffix_of(text),
            Self::EqualsIgnoreCase(other) => other.equals(text),
            Self::Wildcard(wildcard) => wildcard.matches(text),
        }
    }
}

/// What an `anything-but` refuses: texts, or numbers, or the tests of one operator.
fn compile_anything_but(argument: &Value) -> Result<Vec<Operator>, String> {
    let (name, values) = match argument {
        Value::Object(object) => {
            let (name, values) = only_entry(object)
                .ok_or_else(|| format!("`anything-but` takes exactly one operator, not `{argument}`"))?;
            (Some(name), values)
        }
        values => (None, values),
    };
    let values = values.as_array().map_or_else(|| std::slice::from_ref(values), Vec::as_slice);
    if values.is_empty() {
        return Err("`anything-but` takes at least one value, not an empty list".to_owned());
    }
    let Some(name) = name else {
        let all_text = values.iter().all(Value::is_string);
        let all_numbers = values.iter().all(|value| value.as_number().and_then(number::comparable).is_some());
        if !all_text && !all_numbers {
            return Err(format!("`anything-but` takes only texts or only numbers, not `{argument}`"));
        }
        return Ok(values.iter().cloned().map(Operator::Literal).collect());
    };
    if matches!(name, "prefix" | "suffix") && values.iter().any(|value| value == "") {
        return Err(format!("`anything-but` refuses every text with an empty `{name}`"));
    }
    values.iter().map(|value| TextTest::compile_plain(name, value).map(Operator::Text)).collect()
}

/// An IPv6 address in colons and hexadecimal digits alone. IPv4 addresses have one way to be written.
fn address(text: &str) -> Option<Ipv6Addr> {
    if text.contains('.') { None } else { text.parse().ok() }
}

/// The entry of an object that has exactly one.
fn only_entry(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = object.iter();
    match (entries.next(), entries.next()) {
        (Some((name, value)), None) => Some((name, value)),
        _ => None,
    }
}
