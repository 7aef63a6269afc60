use std::collections::BTreeMap;

use serde_json::Value;

use super::role::{self, Grant};
use crate::template::{Template, TemplateError, text_of};

/// The timeout of a function that sets none, in seconds.
const DEFAULT_TIMEOUT: u32 = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub logical_id: String,
    /// The last segment of `CodeUri`, which names the package: `record-sale`.
    pub name: String,
    /// The environment variables that the template sets.
    pub environment: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout_seconds: u32,
    /// The name of its role, where the template has one.
    pub role: Option<String>,
    /// What the function's role allows.
    pub grants: Vec<Grant>,
    /// What the function's role denies, whatever it allows.
    pub denials: Vec<Grant>,
}

pub(super) fn read(template: &Template) -> Result<Vec<Function>, TemplateError> {
    let mut functions: Vec<Function> = Vec::new();
    for logical_id in template.of_kind("AWS::Serverless::Function") {
        let refuse = |reason: String| TemplateError::resource(logical_id, reason);
        // SAM makes mappings and rules of these.
        if template.property(logical_id, "Events")?.is_some() {
            let reason = "`Events` is not supported: declare an AWS::Lambda::EventSourceMapping";
            return Err(refuse(reason.to_owned()));
        }
        let code =
            template.text(logical_id, "CodeUri")?.ok_or_else(|| refuse("expected a `CodeUri`".to_owned()))?;
        let name = code.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(twin) = functions.iter().find(|function| function.name == name) {
            return Err(refuse(format!("CodeUri: `{name}` is the package of `{}` as well", twin.logical_id)));
        }
        let role::Statements { allowed, denied } = role::statements(template, logical_id)?;
        functions.push(Function {
            logical_id: logical_id.to_owned(),
            name,
            environment: environment(template, logical_id)?,
            role: template
                .text(logical_id, "Role")?
                .map(|arn| arn.rsplit('/').next().unwrap_or_default().to_owned()),
            timeout_seconds: template.number(logical_id, "Timeout")?.unwrap_or(DEFAULT_TIMEOUT),
            grants: allowed,
            denials: denied,
        });
    }
    Ok(functions)
}

fn environment(template: &Template, logical_id: &str) -> Result<BTreeMap<String, String>, TemplateError> {
    let block = template.property(logical_id, "Environment")?;
    let variables = block.as_ref().and_then(|block| block.get("Variables")).and_then(Value::as_object);
    let mut environment = BTreeMap::new();
    for (name, value) in variables.into_iter().flatten() {
        let text = text_of(value).ok_or_else(|| {
            let reason = format!("Environment: expected text for `{name}`, found `{value}`");
            TemplateError::resource(logical_id, reason)
        })?;
        environment.insert(name.clone(), text);
    }
    Ok(environment)
}
