//! What the properties of resources resolve to: `Ref`, `Fn::GetAtt`, `Fn::Sub`, `Fn::Join`, `Fn::Split` and
//! `Fn::If`, and the names of resources, which may be made with them.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::document::{Resource, Template};
use super::error::TemplateError;
use super::return_value::{self, ReturnValue};
use super::scalar::{text_of, whole_number};
use super::substitution::substitute;

/// The longest chain of names that are made from one another; a longer one is a circle.
const DEEPEST: usize = 16;

impl Template {
    /// One property, resolved; `None` if the resource does not have it.
    pub(crate) fn property(&self, logical_id: &str, name: &str) -> Result<Option<Value>, TemplateError> {
        let Some(resource) = self.resource(logical_id) else {
            return Err(TemplateError::resource(logical_id, "there is no such resource"));
        };
        match self.declared_property(resource, name) {
            None => Ok(None),
            Some(value) => self
                .resolve(&value)
                .map_err(|reason| TemplateError::resource(logical_id, format!("{name}: {reason}"))),
        }
    }

    pub(crate) fn text(&self, logical_id: &str, name: &str) -> Result<Option<String>, TemplateError> {
        match self.property(logical_id, name)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => {
                let reason = format!("{name}: expected text, found `{other}`");
                Err(TemplateError::resource(logical_id, reason))
            }
        }
    }

    pub(crate) fn number(&self, logical_id: &str, name: &str) -> Result<Option<u32>, TemplateError> {
        match self.property(logical_id, name)? {
            None => Ok(None),
            Some(value) => whole_number(&value).map(Some).ok_or_else(|| {
                let reason = format!("{name}: expected a whole number, found `{value}`");
                TemplateError::resource(logical_id, reason)
            }),
        }
    }

    pub(crate) fn physical_name(&self, logical_id: &str) -> Result<String, TemplateError> {
        let name = self.existing(logical_id).and_then(|resource| self.name_of(logical_id, resource));
        name.map_err(|reason| TemplateError::resource(logical_id, reason))
    }

    pub(crate) fn arn(&self, logical_id: &str) -> Result<String, TemplateError> {
        let arn = self.existing(logical_id).and_then(|resource| self.arn_of(logical_id, resource));
        arn.map_err(|reason| TemplateError::resource(logical_id, reason))
    }

    /// The URL of a queue, as `Ref` returns it.
    pub(crate) fn queue_url(&self, logical_id: &str) -> Result<String, TemplateError> {
        Ok(return_value::queue_url(&self.physical_name(logical_id)?, self.pseudo()))
    }

    /// Resolves everything in a value. `None` is `AWS::NoValue`: the property is as if it were not there.
    fn resolve(&self, value: &Value) -> Result<Option<Value>, String> {
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

    fn resolve_text(&self, value: &Value) -> Result<String, String> {
        let resolved = self.resolve(value)?.unwrap_or(Value::Null);
        text_of(&resolved).ok_or_else(|| format!("expected text, found `{resolved}`"))
    }

    fn call(&self, name: &str, argument: &Value) -> Result<Option<Value>, String> {
        match (name, argument) {
            ("Ref", Value::String(target)) if target == "AWS::NoValue" => Ok(None),
            ("Ref", Value::String(target)) => self.reference(target).map(Some),
            ("Fn::GetAtt", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(target), Value::String(attribute)] => {
                    self.attribute(target, attribute).map(|text| Some(Value::from(text)))
                }
                _ => Err(format!("`Fn::GetAtt` takes a resource and an attribute, not `{argument}`")),
            },
            ("Fn::Sub", Value::String(text)) => {
                substitute(text, |name| self.referenced_text(name)).map(|text| Some(Value::from(text)))
            }
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), Value::Object(variables)] => {
                    let mut values = BTreeMap::new();
                    for (name, value) in variables {
                        values.insert(name.as_str(), self.resolve_text(value)?);
                    }
                    let value_of = |name: &str| match values.get(name) {
                        Some(value) => Ok(value.clone()),
                        None => self.referenced_text(name),
                    };
                    substitute(text, value_of).map(|text| Some(Value::from(text)))
                }
                _ => Err(format!("`Fn::Sub` takes text and variables, not `{argument}`")),
            },
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(delimiter), list] => {
                    let list = self.resolve(list)?.unwrap_or(Value::Null);
                    let parts =
                        list.as_array().ok_or_else(|| format!("`Fn::Join` takes a list, not `{list}`"))?;
                    let texts = parts.iter().map(|part| self.resolve_text(part));
                    Ok(Some(Value::from(texts.collect::<Result<Vec<_>, _>>()?.join(delimiter))))
                }
                _ => Err(format!("`Fn::Join` takes a delimiter and a list, not `{argument}`")),
            },
            ("Fn::Split", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(delimiter), text] if !delimiter.is_empty() => {
                    let text = self.resolve_text(text)?;
                    Ok(Some(text.split(delimiter).map(Value::from).collect()))
                }
                _ => Err(format!("`Fn::Split` takes a delimiter and text, not `{argument}`")),
            },
            ("Fn::If", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(name), then, otherwise] => {
                    let holds =
                        self.condition(name).ok_or_else(|| format!("there is no condition `{name}`"))?;
                    self.resolve(if holds { then } else { otherwise })
                }
                _ => Err(format!("`Fn::If` takes a condition and two values, not `{argument}`")),
            },
            _ => Err(format!("`{name}` of `{argument}` is not supported")),
        }
    }

    fn reference(&self, target: &str) -> Result<Value, String> {
        if let Some(pseudo) = self.pseudo_parameter(target) {
            return Ok(Value::from(pseudo));
        }
        if let Some(value) = self.parameter(target) {
            return Ok(value.clone());
        }
        let resource = self.existing(target)?;
        self.returned(target, resource, return_value::of_ref(&resource.kind)).map(Value::from)
    }

    fn attribute(&self, target: &str, attribute: &str) -> Result<String, String> {
        let resource = self.existing(target)?;
        let kind = &resource.kind;
        let value = return_value::of_attribute(kind, attribute)
            .ok_or_else(|| format!("the attribute `{attribute}` of `{target}`, a {kind}, is not known"))?;
        self.returned(target, resource, value)
    }

    /// What `${name}` stands for in `Fn::Sub`: a reference, or an attribute after a dot.
    fn referenced_text(&self, name: &str) -> Result<String, String> {
        if let Some((target, attribute)) = name.split_once('.') {
            return self.attribute(target, attribute);
        }
        let value = self.reference(name)?;
        text_of(&value).ok_or_else(|| format!("`${{{name}}}`: expected text, found `{value}`"))
    }

    fn returned(&self, logical_id: &str, resource: &Resource, value: ReturnValue) -> Result<String, String> {
        match value {
            ReturnValue::Name => self.name_of(logical_id, resource),
            ReturnValue::Arn => self.arn_of(logical_id, resource),
            ReturnValue::QueueUrl => {
                self.name_of(logical_id, resource).map(|name| return_value::queue_url(&name, self.pseudo()))
            }
        }
    }

    fn existing(&self, logical_id: &str) -> Result<&Resource, String> {
        self.resource(logical_id).ok_or_else(|| format!("there is no resource or parameter `{logical_id}`"))
    }

    /// Where `CloudFormation` appends random characters to a name that it makes, this appends none, so
    /// that one template always gives the same names.
    fn name_of(&self, logical_id: &str, resource: &Resource) -> Result<String, String> {
        let property = return_value::name_property(&resource.kind)
            .ok_or_else(|| format!("the name of `{logical_id}`, a {}, is not known", resource.kind))?;
        let Some(name) = self.declared_property(resource, property) else {
            return Ok(format!("{}-{logical_id}", self.pseudo().stack_name));
        };
        // A name may be made from the names of other resources, and those from it again.
        let depth = self.naming_depth.get();
        if depth > DEEPEST {
            return Err(format!("the name of `{logical_id}` is made from itself"));
        }
        self.naming_depth.set(depth + 1);
        let resolved = self.resolve(&name);
        self.naming_depth.set(depth);
        match resolved? {
            None => Ok(format!("{}-{logical_id}", self.pseudo().stack_name)),
            Some(name) => text_of(&name)
                .ok_or_else(|| format!("{property} of `{logical_id}`: expected text, found `{name}`")),
        }
    }

    fn arn_of(&self, logical_id: &str, resource: &Resource) -> Result<String, String> {
        let kind = resource.kind.as_str();
        let name = self.name_of(logical_id, resource)?;
        let bus = match self.declared_property(resource, "EventBusName") {
            Some(bus) if kind == "AWS::Events::Rule" => self.resolve(&bus)?,
            _ => None,
        };
        return_value::arn(kind, &name, bus.as_ref().and_then(Value::as_str), self.pseudo())
            .ok_or_else(|| format!("the ARN of `{logical_id}`, a {kind}, is not known"))
    }
}
