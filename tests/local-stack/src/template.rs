//! `template.yaml` as `CloudFormation` sees it: parameters with values, conditions decided, and the
//! resources that remain, whose properties resolve to plain JSON.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::TemplateError;
use crate::{condition, parameter, yaml};

/// What `CloudFormation` knows of the place that a stack is deployed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pseudo {
    /// The account's twelve digits.
    pub account: String,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The name of the stack.
    pub stack_name: String,
}

/// A template with its parameters filled in.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) pseudo: Pseudo,
    parameters: BTreeMap<String, Value>,
    conditions: BTreeMap<String, bool>,
    resources: BTreeMap<String, Resource>,
    /// The section `Globals.Function` of SAM, empty if there is none.
    function_defaults: Map<String, Value>,
    /// How many names are being made from one another right now.
    pub(crate) naming_depth: Cell<usize>,
}

/// A resource whose condition, if any, holds.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) kind: String,
    properties: Map<String, Value>,
}

impl Template {
    pub(crate) fn read(
        text: &str,
        overrides: &BTreeMap<String, String>,
        pseudo: &Pseudo,
    ) -> Result<Self, TemplateError> {
        let document = yaml::read(text).map_err(TemplateError::Text)?;
        let parameters = parameter::values(&section(&document, "Parameters")?, overrides)?;
        let conditions = condition::decide(&section(&document, "Conditions")?, &parameters)?;
        let function_defaults = section(&Value::Object(section(&document, "Globals")?), "Function")?;
        let mut resources = BTreeMap::new();
        for (logical_id, body) in section(&document, "Resources")? {
            let refuse = |reason: &str| TemplateError::resource(&logical_id, reason);
            let kind = body.get("Type").and_then(Value::as_str).ok_or_else(|| refuse("it has no Type"))?;
            let properties = match body.get("Properties") {
                None => Map::new(),
                Some(Value::Object(properties)) => properties.clone(),
                Some(_) => return Err(refuse("Properties is not a mapping")),
            };
            let wanted = match body.get("Condition") {
                None => true,
                Some(name) => *name
                    .as_str()
                    .and_then(|name| conditions.get(name))
                    .ok_or_else(|| refuse("its Condition does not exist"))?,
            };
            if wanted {
                resources.insert(logical_id, Resource { kind: kind.to_owned(), properties });
            }
        }
        if resources.is_empty() {
            return Err(TemplateError::Text("it has no Resources".to_owned()));
        }
        Ok(Self {
            pseudo: pseudo.clone(),
            parameters,
            conditions,
            resources,
            function_defaults,
            naming_depth: Cell::new(0),
        })
    }

    /// The resources of one type, ordered by logical id.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Resource)> {
        self.resources
            .iter()
            .filter(move |(_, resource)| resource.kind == kind)
            .map(|(logical_id, resource)| (logical_id.as_str(), resource))
    }

    pub(crate) fn resource(&self, logical_id: &str) -> Option<&Resource> {
        self.resources.get(logical_id)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&Value> {
        self.parameters.get(name)
    }

    pub(crate) fn condition(&self, name: &str) -> Option<bool> {
        self.conditions.get(name).copied()
    }

    /// One property, resolved; `None` if the resource does not have it.
    pub(crate) fn property(&self, logical_id: &str, name: &str) -> Result<Option<Value>, TemplateError> {
        let Some(resource) = self.resources.get(logical_id) else {
            return Err(TemplateError::resource(logical_id, "there is no such resource"));
        };
        let own = resource.properties.get(name);
        let value = if resource.kind == "AWS::Serverless::Function" {
            with_defaults(own, self.function_defaults.get(name))
        } else {
            own.cloned()
        };
        match value {
            None => Ok(None),
            Some(value) => self
                .resolve(&value)
                .map_err(|reason| TemplateError::resource(logical_id, format!("{name}: {reason}"))),
        }
    }

    /// One property that must be text.
    pub(crate) fn text(&self, logical_id: &str, name: &str) -> Result<Option<String>, TemplateError> {
        match self.property(logical_id, name)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(TemplateError::resource(logical_id, format!("{name}: {other} is not text"))),
        }
    }

    /// One property that must be a whole number; `CloudFormation` also takes it as text.
    pub(crate) fn number(&self, logical_id: &str, name: &str) -> Result<Option<u32>, TemplateError> {
        match self.property(logical_id, name)? {
            None => Ok(None),
            Some(value) => whole_number(&value).map(Some).ok_or_else(|| {
                TemplateError::resource(logical_id, format!("{name}: {value} is not a whole number"))
            }),
        }
    }
}

pub(crate) fn whole_number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn section(document: &Value, name: &str) -> Result<Map<String, Value>, TemplateError> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(section)) => Ok(section.clone()),
        Some(_) => Err(TemplateError::Text(format!("{name} is not a mapping"))),
    }
}

/// SAM merges mappings of `Globals` with those of the function, and the function's own value wins.
/// Source: <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html>
fn with_defaults(own: Option<&Value>, default: Option<&Value>) -> Option<Value> {
    match (own, default) {
        (Some(Value::Object(own)), Some(Value::Object(default))) => {
            let mut merged = default.clone();
            for (name, value) in own {
                let value = with_defaults(Some(value), default.get(name)).unwrap_or(Value::Null);
                merged.insert(name.clone(), value);
            }
            Some(Value::Object(merged))
        }
        (Some(Value::Array(own)), Some(Value::Array(default))) => {
            Some(Value::Array(default.iter().chain(own).cloned().collect()))
        }
        (own, default) => own.or(default).cloned(),
    }
}
