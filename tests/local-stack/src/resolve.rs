//! `Ref`, `Fn::GetAtt`, `Fn::Sub`, `Fn::Join` and `Fn::If`, resolved to what they stand for.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::parameter::text_of;
use crate::template::Template;

impl Template {
    /// Resolves everything in a value. `None` is `AWS::NoValue`: the property is as if it were not there.
    pub(crate) fn resolve(&self, value: &Value) -> Result<Option<Value>, String> {
        match value {
            Value::Object(object) => {
                let mut entries = object.iter();
                match (entries.next(), entries.next()) {
                    (Some((name, argument)), None) if name == "Ref" || name.starts_with("Fn::") => {
                        self.call(name, argument)
                    }
                    _ => self.resolve_fields(object).map(Some),
                }
            }
            Value::Array(elements) => {
                let mut resolved = Vec::with_capacity(elements.len());
                for element in elements {
                    resolved.extend(self.resolve(element)?);
                }
                Ok(Some(Value::Array(resolved)))
            }
            plain => Ok(Some(plain.clone())),
        }
    }

    fn resolve_fields(&self, object: &Map<String, Value>) -> Result<Value, String> {
        let mut resolved = Map::new();
        for (name, value) in object {
            if let Some(value) = self.resolve(value)? {
                resolved.insert(name.clone(), value);
            }
        }
        Ok(Value::Object(resolved))
    }

    fn call(&self, name: &str, argument: &Value) -> Result<Option<Value>, String> {
        match (name, argument) {
            ("Ref", Value::String(target)) if target == "AWS::NoValue" => Ok(None),
            ("Ref", Value::String(target)) => self.reference(target).map(Some),
            ("Fn::GetAtt", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(target), Value::String(attribute)] => {
                    self.attribute(target, attribute).map(|text| Some(Value::from(text)))
                }
                _ => Err(format!("Fn::GetAtt takes a resource and an attribute, not {argument}")),
            },
            ("Fn::Sub", Value::String(text)) => self.substitute(text, &BTreeMap::new()).map(Some),
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), Value::Object(variables)] => {
                    let mut values = BTreeMap::new();
                    for (name, value) in variables {
                        values.insert(name.as_str(), self.resolve_text(value)?);
                    }
                    self.substitute(text, &values).map(Some)
                }
                _ => Err(format!("Fn::Sub takes text and variables, not {argument}")),
            },
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(delimiter), list] => {
                    let list = self.resolve(list)?.unwrap_or(Value::Null);
                    let parts =
                        list.as_array().ok_or_else(|| format!("Fn::Join takes a list, not {list}"))?;
                    let texts = parts.iter().map(|part| self.resolve_text(part));
                    Ok(Some(Value::from(texts.collect::<Result<Vec<_>, _>>()?.join(delimiter))))
                }
                _ => Err(format!("Fn::Join takes a delimiter and a list, not {argument}")),
            },
            ("Fn::If", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(name), then, otherwise] => {
                    let holds =
                        self.condition(name).ok_or_else(|| format!("there is no condition {name}"))?;
                    self.resolve(if holds { then } else { otherwise })
                }
                _ => Err(format!("Fn::If takes a condition and two values, not {argument}")),
            },
            _ => Err(format!("{name} of {argument} is not supported")),
        }
    }

    fn reference(&self, target: &str) -> Result<Value, String> {
        if let Some(pseudo) = self.pseudo_parameter(target) {
            return Ok(Value::from(pseudo));
        }
        match self.parameter(target) {
            Some(value) => Ok(value.clone()),
            None => self.returned_by_ref(target).map(Value::from),
        }
    }

    fn pseudo_parameter(&self, name: &str) -> Option<&str> {
        match name {
            "AWS::AccountId" => Some(&self.pseudo.account),
            "AWS::Region" => Some(&self.pseudo.region),
            "AWS::StackName" => Some(&self.pseudo.stack_name),
            "AWS::Partition" => Some("aws"),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            _ => None,
        }
    }

    fn substitute(&self, text: &str, variables: &BTreeMap<&str, String>) -> Result<Value, String> {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            result.push_str(&rest[..start]);
            let end = rest[start..].find('}').ok_or_else(|| format!("{text:?} has an open ${{"))? + start;
            let name = &rest[start + 2..end];
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str("${");
                result.push_str(literal);
                result.push('}');
            } else if let Some(value) = variables.get(name) {
                result.push_str(value);
            } else {
                let value = match name.split_once('.') {
                    Some((target, attribute)) => Value::from(self.attribute(target, attribute)?),
                    None => self.reference(name)?,
                };
                result.push_str(&text_of(&value).ok_or_else(|| format!("${{{name}}} is not text"))?);
            }
            rest = &rest[end + 1..];
        }
        result.push_str(rest);
        Ok(Value::from(result))
    }

    fn resolve_text(&self, value: &Value) -> Result<String, String> {
        let resolved = self.resolve(value)?.unwrap_or(Value::Null);
        text_of(&resolved).ok_or_else(|| format!("{resolved} is not text"))
    }
}
