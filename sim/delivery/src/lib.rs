//! Reads `template.yaml` and delivers events on one machine the way AWS would: rules match, queues hold,
//! mappings batch, failures come again, and what fails too often ends in a dead-letter queue.
//!
//! It knows no function and runs none. The caller takes a [`Batch`] from [`Stack::next_batch`], has the
//! function handle [`Stack::lambda_event`], and says with [`Stack::finish`] how it ended. Time is what
//! the caller says it is, and the same calls always give the same answers.
//!
//! Four modules, each knowing only those before it: `pattern`, `template`, `resources`, `delivery`.

mod delivery;
mod pattern;
mod resources;
mod template;

pub use delivery::{
    Attribute, Batch, Failed, Finished, LONGEST_INVOCATION, LONGEST_MESSAGE, QueueDepth, Record, Routed,
    Stack,
};
pub use pattern::{Pattern, PatternError};
pub use resources::{Function, Grant, Mapping, Rule, Schedule, Table};
pub use template::{Pseudo, TemplateError};
