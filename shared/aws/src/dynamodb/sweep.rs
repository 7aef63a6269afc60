//! What the sweep remembers between its runs: one item; and where images stood on each day.

use aws_sdk_dynamodb::Client;
use domain::sweep::{Standing, State};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::memo::{Memos, NotesError, Stored};

const STATE: &str = "sweep#state";
/// What the keys of the days begin with.
const SNAPSHOT: &str = "sweep#standing#";
/// Thirteen months, in seconds.
const KEPT_SECONDS: i64 = 396 * 24 * 60 * 60;

#[derive(Debug, Clone)]
pub struct SweepMemory(Memos);

impl SweepMemory {
    pub fn new(client: Client, table: String) -> Self {
        Self(Memos::new(client, table))
    }

    pub async fn load(&self) -> Result<Stored<State>, NotesError> {
        self.0.load(STATE).await
    }

    /// Keeps where all images stand on a day, for thirteen months; of one day what was kept last.
    pub async fn keep(&self, now: Timestamp, standing: &Standing) -> Result<(), NotesError> {
        let id = format!("{SNAPSHOT}{}", now.to_zoned(TimeZone::UTC).date());
        let expires = now.as_second() + KEPT_SECONDS;
        let put = self.0.replace(&id, standing, expires)?;
        self.0.store(&id, put).await
    }

    /// Stores the next version; a conflict, if another run has stored one.
    pub async fn store(&self, state: &mut Stored<State>) -> Result<(), NotesError> {
        let put = self.0.put(STATE, state, None)?;
        self.0.store(STATE, put).await?;
        state.version += 1;
        Ok(())
    }
}
