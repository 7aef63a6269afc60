//! An event source mapping: what Lambda takes from a queue, how much at once, and when.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html>.

use crate::batch::LONGEST_INVOCATION;
use crate::queue::Queue;

/// The most messages that one invocation takes.
pub(crate) const LARGEST_BATCH: u32 = 10_000;
/// The longest batching window, in seconds.
pub(crate) const LONGEST_WINDOW: u32 = 300;
/// The most messages that an invocation may take without waiting for a batching window.
pub(crate) const LARGEST_BATCH_WITHOUT_WINDOW: u32 = 10;

/// One mapping from a queue to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The logical id of the mapping.
    pub logical_id: String,
    /// The name of the function, such as `assess-image`.
    pub function: String,
    /// The logical id of the queue.
    pub queue: String,
    /// The most messages of one invocation.
    pub batch_size: u32,
    /// How long Lambda gathers messages before it invokes with fewer, in seconds.
    pub batching_window_seconds: u32,
    /// How many invocations run at once at most, if that is limited.
    pub maximum_concurrency: Option<u32>,
    /// Whether the function's answer names the messages that failed. If not, any answer is success.
    pub reports_failures: bool,
}

impl Mapping {
    /// What the envelope around all records takes from [`LONGEST_INVOCATION`], in bytes.
    const FRAME_BYTES: usize = 64;

    /// The bytes that the records of one invocation may fill.
    pub(crate) const PAYLOAD_BYTES: usize = LONGEST_INVOCATION - Self::FRAME_BYTES;

    /// When Lambda stops waiting for more messages; `None` if there are none.
    pub(crate) fn window_ends(&self, queue: &Queue) -> Option<i64> {
        queue.ready_since().map(|since| since + i64::from(self.batching_window_seconds) * 1_000)
    }

    /// Whether Lambda would invoke the function at this moment.
    pub(crate) fn is_due(&self, queue: &Queue, now: i64) -> bool {
        queue.ready_count() >= self.batch_size as usize
            || queue.ready_payload() >= Self::PAYLOAD_BYTES
            || self.window_ends(queue).is_some_and(|end| end <= now)
    }
}
