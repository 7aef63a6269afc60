//! What ecr-warden knows and decides, one module a word of the domain. All of it is pure: no SDK, no Lambda, no
//! clock; the time is an argument.
//!
//! Events are evidence ([`event`]). Evidence about the findings ([`finding`]) of an image ([`image`]) is merged
//! into its [`ledger`]. The [`policy`] says what matters, and an [`assessment`] is the [`verdict`] that follows, with
//! what changed. [`quarantine`] plans what the registry needs to agree with it. A [`row`] is an image in a list of all,
//! and an entry of the [`history`] is what happened to it. What looks after the clock and after what events lost is the
//! [`sweep`].

mod announcement;
pub mod assessment;
pub mod event;
pub mod finding;
pub mod history;
pub mod image;
pub mod ledger;
pub mod manifest;
pub mod notice;
pub mod policy;
pub mod provenance;
pub mod quarantine;
pub mod row;
#[cfg(any(test, feature = "samples"))]
pub mod samples;
pub mod sweep;
pub mod text;
pub mod time;
pub mod verdict;
