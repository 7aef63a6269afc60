//! What the role of a function allows and denies: the statements of its own policies and of managed policies
//! that name it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::template::{Template, TemplateError};

/// A statement that allows something, or denies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// IAM actions, such as `ecr:PutImage`.
    pub actions: BTreeSet<String>,
    /// ARNs, or `*`.
    pub resources: BTreeSet<String>,
    /// Whether it holds only under a condition.
    pub conditional: bool,
}

/// What a role says, by the effect of the statement.
#[derive(Debug, Default)]
pub(super) struct Statements {
    pub(super) allowed: Vec<Grant>,
    pub(super) denied: Vec<Grant>,
}

/// The statements about a function; none where the template leaves the role to SAM.
pub(super) fn statements(template: &Template, function: &str) -> Result<Statements, TemplateError> {
    let mut found = Statements::default();
    let Some(arn) = template.text(function, "Role")? else { return Ok(found) };
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
    let policies = template.property(role, "Policies")?;
    for policy in policies.as_ref().and_then(Value::as_array).into_iter().flatten() {
        found.read(role, policy.get("PolicyDocument"))?;
    }
    let name = template.physical_name(role)?;
    for policy in template.of_kind("AWS::IAM::ManagedPolicy") {
        let roles = template.property(policy, "Roles")?;
        if texts(roles.as_ref()).contains(&name) {
            found.read(policy, template.property(policy, "PolicyDocument")?.as_ref())?;
        }
    }
    Ok(found)
}

impl Statements {
    fn read(&mut self, logical_id: &str, document: Option<&Value>) -> Result<(), TemplateError> {
        let refuse = |reason: &str| TemplateError::resource(logical_id, format!("PolicyDocument: {reason}"));
        let statements = document
            .and_then(|document| document.get("Statement"))
            .and_then(Value::as_array)
            .ok_or_else(|| refuse("expected a list of statements"))?;
        for statement in statements {
            let grant = Grant {
                actions: texts(statement.get("Action")),
                resources: texts(statement.get("Resource")),
                conditional: statement.get("Condition").is_some(),
            };
            match statement.get("Effect").and_then(Value::as_str) {
                Some("Allow") => self.allowed.push(grant),
                Some("Deny") => self.denied.push(grant),
                _ => return Err(refuse("expected the `Effect` Allow or Deny")),
            }
        }
        Ok(())
    }
}

/// A text or a list of texts.
fn texts(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        Some(Value::String(one)) => BTreeSet::from([one.clone()]),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    }
}
