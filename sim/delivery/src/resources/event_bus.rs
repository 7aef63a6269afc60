use crate::template::{Template, TemplateError};

/// The names of the buses beside the account's default bus.
pub(super) fn names(template: &Template) -> Result<Vec<String>, TemplateError> {
    template.of_kind("AWS::Events::EventBus").map(|logical_id| template.physical_name(logical_id)).collect()
}
