//! Thin adapters, one for each service that a function calls. They make no decisions: they translate to and from the
//! SDK's types, read every page, and turn the SDK's errors into [`AwsError`]. The SDK retries.

pub mod cloudwatch;
pub mod dynamodb;
pub mod ecr;
mod error;
pub mod eventbridge;
pub mod inspector;
mod page;
pub mod sns;
pub mod sqs;
pub mod tagging;
mod time;

pub use error::AwsError;
pub use page::Page;
