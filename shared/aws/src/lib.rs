//! Thin adapters, one for each service that a function calls. They decide nothing: they speak the wire form, follow
//! the pages to the end, and turn the SDK's errors into [`AwsError`]. Retries are the SDK's own.

pub mod cloudwatch;
pub mod dynamodb;
pub mod ecr;
mod error;
pub mod eventbridge;
pub mod inspector;
pub mod sns;

pub use error::AwsError;
