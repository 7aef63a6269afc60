//! The error of a call to AWS.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use thiserror::Error;

/// A call to AWS that failed, after the SDK's own retries.
#[derive(Debug, Error)]
#[error("{action} failed{}: {source}", code.as_ref().map(|code| format!(" with {code}")).unwrap_or_default())]
pub struct AwsError {
    /// The IAM action, such as `ecr:PutImage`.
    pub action: &'static str,
    /// The service's error code, if it sent one.
    pub code: Option<String>,
    /// Whether a retry may succeed.
    pub retryable: bool,
    pub source: Box<dyn Error + Send + Sync>,
}

impl AwsError {
    /// An SDK error, with what decides about a retry.
    pub(crate) fn of<E>(action: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let code = error.as_service_error().and_then(|error| error.code()).map(str::to_owned);
        let status = error.raw_response().map(|response| response.status().as_u16());
        // A request that was refused for its content or its caller will be refused again. Anything else, such as
        // a broken connection or a failure inside the service, may pass.
        let refused =
            status.is_some_and(|status| (400..500).contains(&status) && status != 429 && status != 408);
        let throttled = is_throttling(code.as_deref());
        let source = match error {
            SdkError::ServiceError(service) => service.into_err().into(),
            other => other.into(),
        };
        Self { action, code, retryable: throttled || !refused, source }
    }

    /// An answer that the service's documentation rules out.
    pub(crate) fn answer(action: &'static str, reason: impl Into<String>, retryable: bool) -> Self {
        Self { action, code: None, retryable, source: reason.into().into() }
    }

    /// Whether the service refused the call only because there were too many.
    pub fn is_throttled(&self) -> bool {
        is_throttling(self.code.as_deref())
    }

    /// Whether the service answered with this code, with or without the suffix `Exception`.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref().is_some_and(|actual| actual.strip_suffix("Exception").unwrap_or(actual) == code)
    }
}

fn is_throttling(code: Option<&str>) -> bool {
    code.is_some_and(|code| {
        ["Throttl", "TooManyRequests", "LimitExceeded", "ThroughputExceeded", "SlowDown"]
            .iter()
            .any(|word| code.contains(word))
    })
}
