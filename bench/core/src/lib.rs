//! What a finding costs in processor time, from the message to the stored ledger, stage by stage, beside the least that
//! reading the same bytes can cost. `make bench` measures it, and `make guard` counts its instructions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)] // For developers.

pub mod batch;
pub mod floor;
pub mod policy;
pub mod stage;
