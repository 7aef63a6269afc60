//! Reads `template.yaml` and delivers events on one machine the way AWS would: rules match, queues hold,
//! mappings batch, failures come again, and what fails too often ends in a dead-letter queue.
//!
//! It knows no function and runs none. The caller takes a [`Batch`] from [`Stack::next_batch`], has the
//! function handle [`Stack::lambda_event`], and says with [`Stack::finish`] how it ended. Time is what
//! the caller says it is, and the same calls always give the same answers.

mod batch;
mod condition;
mod error;
mod grant;
mod load;
mod load_mapping;
mod mapping;
mod name;
mod operator;
mod parameter;
mod pattern;
mod permission;
mod queue;
mod record;
mod resolve;
mod stack;
mod template;
mod wildcard;
mod yaml;

pub use batch::{Batch, Failed, Finished, LONGEST_INVOCATION};
pub use error::TemplateError;
pub use mapping::Mapping;
pub use pattern::{Pattern, PatternError};
pub use queue::{LONGEST_MESSAGE, Redrive};
pub use record::Record;
pub use stack::{Function, Grant, Routed, Rule, Stack, Table};
pub use template::Pseudo;
