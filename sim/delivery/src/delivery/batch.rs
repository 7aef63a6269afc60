//! One invocation of a function, and how it ended.

use super::record::Record;

/// The most that one invocation carries, in bytes.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const LONGEST_INVOCATION: usize = 6 * 1024 * 1024;

/// The messages of one invocation. Give it back to [`crate::Stack::finish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The name of the function, such as `record-sale`.
    pub function: String,
    /// The logical id of the queue.
    pub queue: String,
    pub queue_arn: String,
    pub region: String,
    /// The messages, oldest first.
    pub records: Vec<Record>,
    pub(super) number: u64,
}

/// Which messages of a batch the function failed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// None: every message is done.
    None,
    /// Those with these message ids, the `batchItemFailures` of the function's answer.
    Items(Vec<String>),
    /// All: the function returned an error, timed out or died.
    All,
}

/// What became of the messages of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finished {
    /// Done and gone.
    pub deleted: Vec<Record>,
    /// Failed for the last time and moved to the dead-letter queue.
    pub dead: Vec<Record>,
    /// How many come again after the visibility timeout.
    pub retried: usize,
}
