//! The tables: ledgers with the index of all images, the claims of the reactors, what is known of vulnerabilities and what
//! enforcement remembers in one, the history in another.

mod batch;
mod claims;
mod enforcement;
mod error;
mod history;
mod index;
mod item;
mod key;
mod ledgers;
mod memo;
mod platforms;
mod rows;
mod sweep;
mod vulnerabilities;

pub use claims::{Claim, Claims};
pub use enforcement::Enforcement;
pub use error::LedgerError;
pub use history::{History, HistoryError};
pub use item::StoredLedger;
pub use ledgers::{Change, Ledgers};
pub use memo::{NotesError, Stored};
pub use platforms::Platforms;
pub use rows::{DuePage, Entries, Listed, UnreadableEntry};
pub use sweep::SweepMemory;
pub use vulnerabilities::{KnownAnswers, Vulnerabilities};
