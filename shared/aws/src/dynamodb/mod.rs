//! The table: ledgers, and the claims of the reactors.

mod claims;
mod item;
mod ledgers;
mod platforms;

pub use claims::{Claim, Claims};
pub use item::{LedgerError, StoredLedger};
pub use ledgers::{Change, Ledgers};
pub use platforms::Platforms;
