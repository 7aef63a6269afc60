//! YAML with the short tags of `CloudFormation`, read into the long form that JSON templates have.
//!
//! `!Ref Name` becomes `{"Ref": "Name"}` and `!GetAtt Queue.Arn` becomes
//! `{"Fn::GetAtt": ["Queue", "Arn"]}`, so that everything after this file knows one spelling.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Tagged;

/// Reads a YAML document. The error is the reader's own text, which names line and column.
pub(super) fn read(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str::<Node>(text).map(|node| node.0).map_err(|error| error.to_string())
}

/// A YAML node whose tag has become part of its value.
struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Plain(value), tag) = Tagged::<Plain>::deserialize(deserializer)?;
        Ok(Self(match tag.as_deref().and_then(|tag| tag.strip_prefix('!')) {
            // Only local tags are those of `CloudFormation`; the core tags of YAML do not start with `!`.
            Some(name) if !name.is_empty() => long_form(name, value),
            _ => value,
        }))
    }
}

fn long_form(name: &str, argument: Value) -> Value {
    let (name, argument) = match (name, argument) {
        ("Ref" | "Condition", argument) => (name.to_owned(), argument),
        ("GetAtt", Value::String(text)) => {
            let parts = match text.split_once('.') {
                Some((resource, attribute)) => vec![Value::from(resource), Value::from(attribute)],
                None => vec![Value::from(text)],
            };
            ("Fn::GetAtt".to_owned(), Value::Array(parts))
        }
        (name, argument) => (format!("Fn::{name}"), argument),
    };
    Value::Object(Map::from_iter([(name, argument)]))
}

/// The value under the tag.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(Node(element)) = access.next_element()? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Node(value))) = access.next_entry::<String, Node>()? {
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;

    #[test]
    fn short_tags_become_the_long_form() {
        let text = "a: !Ref Table\nb: !GetAtt Queue.Arn\nc: !GetAtt [Queue, Arn]\nd: [!Sub 'x-${Y}', 5, '5', true]\n\
                    e: !If [Wanted, !Ref One, !Ref AWS::NoValue]\nf: 2010-09-09\n";
        let expected = json!({
            "a": {"Ref": "Table"},
            "b": {"Fn::GetAtt": ["Queue", "Arn"]},
            "c": {"Fn::GetAtt": ["Queue", "Arn"]},
            "d": [{"Fn::Sub": "x-${Y}"}, 5, "5", true],
            "e": {"Fn::If": ["Wanted", {"Ref": "One"}, {"Ref": "AWS::NoValue"}]},
            "f": "2010-09-09",
        });
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn an_error_names_its_line() {
        assert!(read("a: 1\na: 2\n").unwrap_err().contains("line 2"));
        assert!(read("a: [1,\n").unwrap_err().contains("line"));
    }
}
