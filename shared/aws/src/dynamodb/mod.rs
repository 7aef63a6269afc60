//! The tables: ledgers with the index of all images, the claims of the reactors and what is known of vulnerabilities in
//! one, the history in another.

mod batch;
mod claims;
mod history;
mod item;
mod ledgers;
mod platforms;
mod rows;
mod vulnerabilities;

pub use claims::{Claim, Claims};
pub use history::{History, HistoryError};
pub use item::{LedgerError, StoredLedger};
pub use ledgers::{Change, Ledgers};
pub use platforms::Platforms;
pub use rows::Listed;
pub use vulnerabilities::{KnownAnswers, Vulnerabilities};
