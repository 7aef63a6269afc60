//! Thin adapters, one per service that a function calls. They carry no decision: they speak the wire form,
//! follow the pages to the end, and turn the SDK's errors into [`AwsError`]. Retries are the SDK's own.

mod announcements;
mod error;
mod inspector;
mod ledgers;
mod metrics;
mod once;
mod registry;
mod topic;

pub use announcements::Announcements;
pub use error::AwsError;
pub use inspector::{FindingsError, Inspector};
pub use ledgers::{LedgerError, Ledgers, Stored};
pub use metrics::{Metric, Metrics};
pub use once::{Claim, Claimed, Once};
pub use registry::{BasicScan, ImageDescription, Manifest, PutTag, Registry};
pub use topic::{Attribute, Notification, Topic};
