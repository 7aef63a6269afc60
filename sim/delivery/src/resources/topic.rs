use crate::template::{Template, TemplateError};

pub(super) fn arns(template: &Template) -> Result<Vec<String>, TemplateError> {
    template.of_kind("AWS::SNS::Topic").map(|logical_id| template.arn(logical_id)).collect()
}
