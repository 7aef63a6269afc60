//! Faults on demand: what goes wrong with which call, and what others do meanwhile.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::Notify;

use crate::shared::Shared;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The service reports too many requests. The call has no effect.
    Throttle,
    /// The caller lacks the permission. The call has no effect.
    Denied,
    /// The service fails with HTTP 500. The call has no effect.
    ServerError,
    /// The call takes effect, but the connection breaks before the response arrives.
    ResponseLost,
    /// The call takes effect after this time.
    Slow(Duration),
    /// The call takes effect, then the caller's process dies: the call stays pending forever.
    /// [`Faults::crashed`] returns when this has happened, so that the caller can be dropped.
    Crash,
}

/// Which of the matching calls a fault strikes, counted from the injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nth {
    /// Only this call; the first is 1.
    Call(u64),
    /// Every call whose number is a multiple of this. Zero means never.
    Every(u64),
    Always,
    /// The next so many calls.
    Times(u64),
}

impl Nth {
    fn hits(self, number: u64) -> bool {
        match self {
            Self::Call(wanted) => number == wanted,
            Self::Every(interval) => interval > 0 && number.is_multiple_of(interval),
            Self::Always => true,
            Self::Times(count) => number <= count,
        }
    }
}

#[derive(Debug)]
struct Injection {
    action: String,
    fault: Fault,
    nth: Nth,
    seen: u64,
}

/// What somebody else does just before a call takes effect.
struct Interference {
    action: String,
    /// How many of the calls are left until then, that one included.
    calls: u64,
    act: Box<dyn FnOnce() + Send>,
}

#[derive(Default)]
pub struct Faults {
    injections: Shared<Vec<Injection>>,
    interferences: Shared<Vec<Interference>>,
    crashed: Notify,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("injections", &self.injections).finish_non_exhaustive()
    }
}

impl Faults {
    /// Injects a fault into calls of an IAM action such as `ecr:PutImage`, or into all calls with `*`:
    /// `inject("*", Fault::Crash, Nth::Call(k))` crashes after call k of a run.
    ///
    /// If several faults match one call, the first one injected strikes; the others still count the call.
    pub fn inject(&self, action: &str, fault: Fault, nth: Nth) {
        self.injections
            .with(|injections| injections.push(Injection { action: action.to_owned(), fault, nth, seen: 0 }));
    }

    /// Lets somebody else act just before a call of an IAM action takes effect, once. The first call from now on is 1;
    /// a call that a fault keeps from having an effect counts too.
    pub fn before(&self, action: &str, call: u64, act: impl FnOnce() + Send + 'static) {
        let interference = Interference { action: action.to_owned(), calls: call, act: Box::new(act) };
        self.interferences.with(|interferences| interferences.push(interference));
    }

    /// Waits for a [`Fault::Crash`]. Returns at once if one has happened since the last wait.
    pub async fn crashed(&self) {
        self.crashed.notified().await;
    }

    /// Removes all faults and interferences, and forgets a crash that nobody has waited for.
    pub fn clear(&self) {
        self.injections.with(Vec::clear);
        self.interferences.with(Vec::clear);
        // Enabling a waiter consumes the permit that an unawaited crash has left.
        let mut waiter = pin!(self.crashed.notified());
        waiter.as_mut().enable();
    }

    /// Counts a call, and returns what goes wrong with it.
    pub(crate) fn strike(&self, action: &str) -> Option<Fault> {
        self.injections.with(|injections| {
            let mut struck = None;
            for injection in injections.iter_mut() {
                if injection.action != "*" && injection.action != action {
                    continue;
                }
                injection.seen += 1;
                if struck.is_none() && injection.nth.hits(injection.seen) {
                    struck = Some(injection.fault);
                }
            }
            struck
        })
    }

    /// Counts a call, and lets others act before it.
    pub(crate) fn interfere(&self, action: &str) {
        let due: Vec<Interference> = self.interferences.with(|interferences| {
            for interference in interferences.iter_mut().filter(|one| one.action == action) {
                interference.calls = interference.calls.saturating_sub(1);
            }
            interferences.extract_if(.., |one| one.action == action && one.calls == 0).collect()
        });
        for interference in due {
            (interference.act)();
        }
    }

    pub(crate) fn announce_crash(&self) {
        self.crashed.notify_one();
    }
}
