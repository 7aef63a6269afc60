//! Since when repositories are watched. An image that was pushed before that is adopted: what it had then is no reason to
//! quarantine it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::Patterns;

/// How many changes of the parameters are remembered.
const MOST: usize = 20;

/// Which repositories a deployment watched from a moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    pub since: Timestamp,
    /// The parameters, as they were given: globs separated by commas. Empty includes all, and excludes none.
    pub included: String,
    pub excluded: String,
}

/// Which repositories it watched, the newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watches(Vec<Watched>);

impl Watched {
    fn covers(&self, repository: &str) -> bool {
        let globs = |text: &str| {
            let globs: Vec<String> = text.split(',').map(|glob| glob.trim().to_owned()).collect();
            Patterns::try_from(globs).ok()
        };
        let matches = |text: &str| globs(text).is_some_and(|globs| globs.matches(repository));
        (self.included.is_empty() || matches(&self.included)) && !matches(&self.excluded)
    }
}

impl Watches {
    /// Notes what is watched now. Returns whether that is other than before.
    pub fn note(&mut self, included: &str, excluded: &str, now: Timestamp) -> bool {
        let newest = self.0.last();
        if newest.is_some_and(|newest| newest.included == included && newest.excluded == excluded) {
            return false;
        }
        self.0.push(Watched { since: now, included: included.to_owned(), excluded: excluded.to_owned() });
        if self.0.len() > MOST {
            // The oldest is what repositories are watched since that always were.
            self.0.remove(1);
        }
        true
    }

    /// Since when a repository is watched without a break; `None` if it is not.
    pub fn since(&self, repository: &str) -> Option<Timestamp> {
        let watched = self.0.iter().rev().take_while(|watched| watched.covers(repository));
        watched.last().map(|watched| watched.since)
    }

    /// Since when a repository is watched, for an image that was pushed before that.
    pub fn adopts(&self, repository: &str, pushed_at: Timestamp) -> Option<Timestamp> {
        self.since(repository).filter(|since| pushed_at < *since)
    }
}
