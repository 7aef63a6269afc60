//! What the sweep remembers between its runs: one item.

use aws_sdk_dynamodb::Client;
use domain::sweep::State;

use super::memo::{Memos, NotesError, Stored};

const STATE: &str = "sweep#state";

#[derive(Debug, Clone)]
pub struct SweepMemory(Memos);

impl SweepMemory {
    pub fn new(client: Client, table: String) -> Self {
        Self(Memos::new(client, table))
    }

    pub async fn load(&self) -> Result<Stored<State>, NotesError> {
        self.0.load(STATE).await
    }

    /// Stores the next version; a conflict, if another run has stored one.
    pub async fn store(&self, state: &mut Stored<State>) -> Result<(), NotesError> {
        let put = self.0.put(STATE, state, None)?;
        self.0.store(STATE, put).await?;
        state.version += 1;
        Ok(())
    }
}
