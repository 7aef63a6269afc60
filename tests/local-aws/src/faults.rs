//! What goes wrong, and when.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::Notify;

use crate::answer::ApiError;
use crate::call::Service;
use crate::guarded::Guarded;

/// A thing that goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The service refuses because of too many requests. Nothing happens.
    Throttle,
    /// The service fails with HTTP 500. Nothing happens.
    ServerError,
    /// What was asked for happens; then the connection breaks before the answer arrives.
    AnswerLost,
    /// What was asked for happens after this time.
    Slow(Duration),
    /// What was asked for happens; then the caller's process dies: the answer never comes and the
    /// call stays pending for ever. [`Faults::crashed`] tells when, so that the caller can be dropped.
    Crash,
}

/// Which of the matching calls, counted from the injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nth {
    /// This one only; the first is 1.
    Call(u64),
    /// Every call whose number is a multiple of this. Zero is never.
    Every(u64),
    /// All of them.
    Always,
    /// So many from now on.
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

/// The faults that wait to happen.
#[derive(Debug, Default)]
pub struct Faults {
    injections: Guarded<Vec<Injection>>,
    crashed: Notify,
}

impl Faults {
    /// Arranges a fault for an IAM action such as `ecr:PutImage`, or for `*`, which is any call at all:
    /// `inject("*", Fault::Crash, Nth::Call(k))` is a crash after call k of a run.
    ///
    /// If several faults fall on one call, the one injected first happens; the others count the call all the same.
    pub fn inject(&self, action: &str, fault: Fault, nth: Nth) {
        self.injections
            .with(|injections| injections.push(Injection { action: action.to_owned(), fault, nth, seen: 0 }));
    }

    /// Waits until a [`Fault::Crash`] has happened. Answers at once if one has happened since the last wait.
    pub async fn crashed(&self) {
        self.crashed.notified().await;
    }

    /// Forgets all faults, and a crash that nobody has waited for.
    pub fn clear(&self) {
        self.injections.with(Vec::clear);
        // Enabling a waiter takes the permit that an unawaited crash has left.
        let mut waiter = pin!(self.crashed.notified());
        waiter.as_mut().enable();
    }

    /// Counts a call, and tells what goes wrong with it.
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

    pub(crate) fn announce_crash(&self) {
        self.crashed.notify_one();
    }
}

/// The service's own way to refuse because of too many requests, as the SDK's retry classifier knows it.
pub(crate) fn throttled(service: Service) -> ApiError {
    let refused = |code, message: &str| ApiError::refused(code, message);
    match service {
        Service::Ecr | Service::EventBridge => refused("ThrottlingException", "Rate exceeded"),
        Service::CloudWatch | Service::Sns => refused("Throttling", "Rate exceeded"),
        Service::DynamoDb => refused(
            "ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for the table was exceeded.",
        ),
        Service::Inspector => {
            ApiError { status: 429, retry_after: Some(1), ..refused("ThrottlingException", "Rate exceeded") }
        }
    }
}

/// The service's own way to fail.
pub(crate) fn failed(service: Service) -> ApiError {
    let code = match service {
        Service::CloudWatch => "InternalServiceError",
        Service::DynamoDb => "InternalServerError",
        Service::Ecr => "ServerException",
        Service::EventBridge => "InternalException",
        Service::Inspector => "InternalServerException",
        Service::Sns => "InternalError",
    };
    ApiError { status: 500, ..ApiError::refused(code, "An injected server error") }
}
