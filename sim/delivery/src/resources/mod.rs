//! The resources of a template as plain data, read with the refusals that AWS would answer.
//!
//! What is not supported is refused by name: it would be missing from the simulation without a word.

mod event_bus;
mod event_rule;
mod event_source_mapping;
mod function;
mod queue;
mod queue_policy;
mod role;
mod schedule;
mod table;
mod topic;

pub use event_rule::Rule;
pub use event_source_mapping::Mapping;
pub use function::Function;
pub(crate) use queue::{Queue, Redrive};
pub use role::Grant;
pub use schedule::Schedule;
pub use table::Table;

use crate::template::{Template, TemplateError};

/// All that a template declares, each list ordered by logical id.
#[derive(Debug, Clone)]
pub(crate) struct Resources {
    pub(crate) functions: Vec<Function>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) tables: Vec<Table>,
    /// ARNs.
    pub(crate) topics: Vec<String>,
    /// Names.
    pub(crate) buses: Vec<String>,
}

impl Resources {
    pub(crate) fn read(template: &Template) -> Result<Self, TemplateError> {
        let functions = function::read(template)?;
        let queues = queue::read(template)?;
        let mappings = event_source_mapping::read(template, &functions, &queues)?;
        let topics = topic::arns(template)?;
        let rules = event_rule::read(template, &queues, &topics)?;
        queue_policy::check(template, &rules)?;
        let tables = table::read(template)?;
        let buses = event_bus::names(template)?;
        Ok(Self { functions, queues, mappings, rules, tables, topics, buses })
    }
}
