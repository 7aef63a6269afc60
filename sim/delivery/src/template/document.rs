//! The sections of a template, with its parameters filled in and its conditions decided.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::TemplateError;
use super::{condition, parameter, yaml};

/// What `CloudFormation` knows of the place that a stack is deployed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pseudo {
    /// The account's twelve digits.
    pub account: String,
    /// The region, such as `eu-central-1`.
    pub region: String,
    pub stack_name: String,
}

#[derive(Debug)]
pub(crate) struct Template {
    pseudo: Pseudo,
    parameters: BTreeMap<String, Value>,
    conditions: BTreeMap<String, bool>,
    resources: BTreeMap<String, Resource>,
    /// The section `Globals.Function` of SAM, empty if there is none.
    function_defaults: Map<String, Value>,
    /// How many names are being made from one another right now.
    pub(super) naming_depth: Cell<usize>,
}

/// A resource whose condition, if any, holds.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) kind: String,
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
            let kind = body.get("Type").and_then(Value::as_str).ok_or_else(|| refuse("expected a `Type`"))?;
            let properties = match body.get("Properties") {
                None => Map::new(),
                Some(Value::Object(properties)) => properties.clone(),
                Some(_) => return Err(refuse("Properties: expected a mapping")),
            };
            let wanted = match body.get("Condition") {
                None => true,
                Some(name) => *name
                    .as_str()
                    .and_then(|name| conditions.get(name))
                    .ok_or_else(|| refuse("Condition: there is no such condition"))?,
            };
            if wanted {
                resources.insert(logical_id, Resource { kind: kind.to_owned(), properties });
            }
        }
        if resources.is_empty() {
            return Err(TemplateError::Text("expected at least one resource under `Resources`".to_owned()));
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

    /// The logical ids of the resources of one type, in their order.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.resources
            .iter()
            .filter(move |(_, resource)| resource.kind == kind)
            .map(|(logical_id, _)| logical_id.as_str())
    }

    pub(super) fn pseudo(&self) -> &Pseudo {
        &self.pseudo
    }

    pub(super) fn resource(&self, logical_id: &str) -> Option<&Resource> {
        self.resources.get(logical_id)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&Value> {
        self.parameters.get(name)
    }

    pub(super) fn condition(&self, name: &str) -> Option<bool> {
        self.conditions.get(name).copied()
    }

    pub(super) fn pseudo_parameter(&self, name: &str) -> Option<&str> {
        match name {
            "AWS::AccountId" => Some(&self.pseudo.account),
            "AWS::Region" => Some(&self.pseudo.region),
            "AWS::StackName" => Some(&self.pseudo.stack_name),
            "AWS::Partition" => Some("aws"),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            _ => None,
        }
    }

    /// A property as the template has it, with what `Globals` adds to it.
    pub(super) fn declared_property(&self, resource: &Resource, name: &str) -> Option<Value> {
        let own = resource.properties.get(name);
        if resource.kind == "AWS::Serverless::Function" {
            with_defaults(own, self.function_defaults.get(name))
        } else {
            own.cloned()
        }
    }
}

fn section(document: &Value, name: &str) -> Result<Map<String, Value>, TemplateError> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(section)) => Ok(section.clone()),
        Some(_) => Err(TemplateError::Text(format!("{name}: expected a mapping"))),
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
