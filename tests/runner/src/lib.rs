//! Plays the whole pipeline on one machine: the real handlers, routed by template.yaml, against the AWS inside
//! the process.

mod delivery;
mod endpoint;
mod exploited;
mod function;
mod implied;
mod input;
mod outcome;
mod pipeline;
mod reader;
mod report;
mod scan_result;
mod story;

pub use delivery::{Delivery, Unreadable};
pub use endpoint::{Endpoint, News};
pub use exploited::know_exploited;
pub use input::{InputError, read_file, read_text};
pub use outcome::{AlertSent, Events, ImageOutcome, MetricSum, Outcome, ReasonGiven};
pub use pipeline::{Pipeline, PipelineError, Setting};
pub use reader::Reader;
pub use report::{print, print_alert, print_sums};
pub use story::{StoryError, tell};
