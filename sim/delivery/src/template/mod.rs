//! `template.yaml` as `CloudFormation` sees it: parameters with values, conditions decided, and the
//! resources that remain, whose properties resolve to plain JSON.

mod condition;
mod document;
mod error;
mod parameter;
mod resolve;
mod return_value;
mod scalar;
mod substitution;
mod yaml;

pub use document::Pseudo;
pub(crate) use document::Template;
pub use error::TemplateError;
pub(crate) use return_value::bus_name;
pub(crate) use scalar::{text_of, whole_number};
