//! Plays the whole pipeline on one machine: the real functions, routed by template.yaml, on the simulated AWS.

mod deployment;
mod endpoint;
mod error;
mod function;
mod implied;
mod input;
mod known_exploited;
mod outcome;
mod pipeline;
pub mod story;

pub use deployment::{Deployment, Setting};
pub use endpoint::{Endpoint, News};
pub use error::PipelineError;
pub use input::{Delivery, InputError, Unreadable, beginning, read_file, read_text, receiver};
pub use known_exploited::know_exploited;
pub use outcome::{AlertSent, Events, ImageOutcome, MetricSum, Outcome, ReasonGiven};
pub use pipeline::Pipeline;
