//! The domain of ecr-warden: one module a word.
//!
//! Events are evidence ([`event`]), evidence about findings ([`finding`]) of an image ([`image`]) is merged
//! into its [`ledger`], the [`policy`] says what matters, the [`judgement`] is the [`verdict`] and the
//! [`assessment`] that announces what changed; [`scope`] says which images are ours. All of that is pure.
//! [`aws`] holds thin adapters, one per service, and [`queue`] is the frame in which every function handles
//! a batch.

pub mod assessment;
pub mod aws;
pub mod clock;
pub mod deadline;
pub mod environment;
pub mod event;
pub mod finding;
pub mod image;
pub mod judgement;
pub mod ledger;
pub mod policy;
pub mod queue;
#[cfg(test)]
mod samples;
pub mod scope;
pub mod time;
pub mod verdict;
