//! The table: ledgers, and the claims of the reactors.

mod claims;
mod item;
mod ledgers;

pub use claims::{Claim, Claims};
pub use item::{LedgerError, StoredLedger};
pub use ledgers::{Change, Ledgers};
