//! What the role of a function allows: the statements of its own policies and of managed policies that
//! name it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::template::{Template, TemplateError};

/// A statement that allows something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// IAM actions, such as `ecr:PutImage`.
    pub actions: BTreeSet<String>,
    /// ARNs, or `*`.
    pub resources: BTreeSet<String>,
    /// Whether it holds only under a condition.
    pub conditional: bool,
}

/// The grants of a function; none where the template leaves the role to SAM.
pub(super) fn grants(template: &Template, function: &str) -> Result<Vec<Grant>, TemplateError> {
    let Some(arn) = template.text(function, "Role")? else { return Ok(Vec::new()) };
    let role = template
        .of_kind("AWS::IAM::Role")
        .find(|logical_id| template.arn(logical_id).as_ref() == Ok(&arn))
        .ok_or_else(|| {
            TemplateError::resource(
                function,
                format!("Role: expected a role of this template, found `{arn}`"),
            )
        })?;
    if template.property(role, "ManagedPolicyArns")?.is_some() {
        let reason = "ManagedPolicyArns: what these policies allow is not in the template";
        return Err(TemplateError::resource(role, reason));
    }
    let mut grants = Vec::new();
    let policies = template.property(role, "Policies")?;
    for policy in policies.as_ref().and_then(Value::as_array).into_iter().flatten() {
        grants.extend(allowed(role, policy.get("PolicyDocument"))?);
    }
    let name = template.physical_name(role)?;
    for policy in template.of_kind("AWS::IAM::ManagedPolicy") {
        let roles = template.property(policy, "Roles")?;
        if texts(roles.as_ref()).contains(&name) {
            grants.extend(allowed(policy, template.property(policy, "PolicyDocument")?.as_ref())?);
        }
    }
    Ok(grants)
}

fn allowed(logical_id: &str, document: Option<&Value>) -> Result<Vec<Grant>, TemplateError> {
    let statements =
        document.and_then(|document| document.get("Statement")).and_then(Value::as_array).ok_or_else(
            || TemplateError::resource(logical_id, "PolicyDocument: expected a list of statements"),
        )?;
    let allow = |statement: &&Value| statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    let grant = |statement: &Value| Grant {
        actions: texts(statement.get("Action")),
        resources: texts(statement.get("Resource")),
        conditional: statement.get("Condition").is_some(),
    };
    Ok(statements.iter().filter(allow).map(grant).collect())
}

/// A text or a list of texts.
fn texts(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        Some(Value::String(one)) => BTreeSet::from([one.clone()]),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    }
}
