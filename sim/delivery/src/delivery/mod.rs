//! The stack at work: events routed into queues, batches taken out of them, and what becomes of their
//! messages.

mod batch;
mod invocations;
mod queue;
mod record;
mod schedule;
mod stack;

pub use batch::{Batch, Failed, Finished, LONGEST_INVOCATION};
pub use queue::{LONGEST_MESSAGE, QueueDepth};
pub use record::{Attribute, Record};
pub use stack::{Routed, Stack};
