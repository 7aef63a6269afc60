//! What the role of a function allows: the statements of its own policies and of managed policies that name it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::TemplateError;
use crate::stack::Grant;
use crate::template::Template;

/// The statements that allow something to a function; none where the template leaves the role to SAM.
pub(crate) fn of_function(template: &Template, function: &str) -> Result<Vec<Grant>, TemplateError> {
    let Some(arn) = template.text(function, "Role")? else { return Ok(Vec::new()) };
    let role = template
        .of_kind("AWS::IAM::Role")
        .map(|(logical_id, _)| logical_id)
        .find(|logical_id| template.arn(logical_id).as_ref() == Ok(&arn))
        .ok_or_else(|| {
            TemplateError::resource(function, format!("Role: {arn:?} is no role of this template"))
        })?;
    if template.property(role, "ManagedPolicyArns")?.is_some() {
        return Err(TemplateError::resource(
            role,
            "ManagedPolicyArns: what they allow is not in the template",
        ));
    }
    let mut grants = Vec::new();
    let policies = template.property(role, "Policies")?;
    for policy in policies.as_ref().and_then(Value::as_array).into_iter().flatten() {
        grants.extend(allowed(role, policy.get("PolicyDocument"))?);
    }
    for (policy, _) in template.of_kind("AWS::IAM::ManagedPolicy") {
        let roles = template.property(policy, "Roles")?.unwrap_or_default();
        let name = template.physical_name(role).map_err(|reason| TemplateError::resource(role, reason))?;
        if texts(Some(&roles)).contains(&name) {
            grants.extend(allowed(policy, template.property(policy, "PolicyDocument")?.as_ref())?);
        }
    }
    Ok(grants)
}

fn allowed(logical_id: &str, document: Option<&Value>) -> Result<Vec<Grant>, TemplateError> {
    let statements = document
        .and_then(|document| document.get("Statement"))
        .and_then(Value::as_array)
        .ok_or_else(|| TemplateError::resource(logical_id, "a PolicyDocument has no list of statements"))?;
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
