//! The table: ledgers, the claims of the reactors, and what enforcement remembers.

mod claims;
mod enforcement;
mod item;
mod ledgers;

pub use claims::{Claim, Claims};
pub use enforcement::{Enforcement, NotesError, Stored};
pub use item::{LedgerError, StoredLedger};
pub use ledgers::{Change, Ledgers};
