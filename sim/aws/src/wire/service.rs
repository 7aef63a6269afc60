//! The simulated services: their protocols, their IAM actions, and how each throttles and fails.

use super::error::ApiError;
use super::protocol::Protocol;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    CloudWatch,
    DynamoDb,
    Ecr,
    EventBridge,
    Inspector,
    Sns,
    Sqs,
    Tagging,
}

impl Service {
    /// The prefix of the service's IAM actions.
    pub(crate) fn action_prefix(self) -> &'static str {
        match self {
            Self::CloudWatch => "cloudwatch",
            Self::DynamoDb => "dynamodb",
            Self::Ecr => "ecr",
            Self::EventBridge => "events",
            Self::Inspector => "inspector2",
            Self::Sns => "sns",
            Self::Sqs => "sqs",
            Self::Tagging => "tag",
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::CloudWatch => Protocol::Cbor,
            Self::DynamoDb => Protocol::Json10,
            Self::Ecr | Self::EventBridge | Self::Tagging => Protocol::Json11,
            Self::Inspector => Protocol::RestJson,
            Self::Sns => Protocol::Query,
            Self::Sqs => Protocol::QueryCompatibleJson,
        }
    }

    /// The service's error for too many requests, which the SDK's retry classifier recognises.
    pub(crate) fn throttling(self) -> ApiError {
        let refused = |code| ApiError::refused(code, "Rate exceeded");
        match self {
            Self::Ecr | Self::EventBridge => refused("ThrottlingException"),
            Self::CloudWatch => ApiError { shape: "ThrottlingException", ..refused("Throttling") },
            Self::Sns => refused("Throttling"),
            Self::Sqs => refused("RequestThrottled"),
            Self::Tagging => refused("ThrottledException"),
            Self::DynamoDb => ApiError::refused(
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded.",
            ),
            Self::Inspector => {
                ApiError { status: 429, retry_after: Some(1), ..refused("ThrottlingException") }
            }
        }
    }

    /// The service's error for a caller without the permission.
    pub(crate) fn denial(self, action: &str) -> ApiError {
        let message = format!("User is not authorized to perform: {action}");
        let denied = ApiError::refused("AccessDeniedException", message);
        match self {
            Self::Inspector => ApiError { status: 403, ..denied },
            Self::Sns => {
                ApiError { status: 403, code: "AuthorizationError", shape: "AuthorizationError", ..denied }
            }
            _ => denied,
        }
    }

    /// The service's error for its own failure, HTTP 500.
    pub(crate) fn failure(self) -> ApiError {
        let (code, shape) = match self {
            Self::CloudWatch => ("InternalServiceError", "InternalServiceFault"),
            Self::DynamoDb => ("InternalServerError", "InternalServerError"),
            Self::Ecr => ("ServerException", "ServerException"),
            Self::EventBridge => ("InternalException", "InternalException"),
            Self::Inspector => ("InternalServerException", "InternalServerException"),
            Self::Sns | Self::Sqs => ("InternalError", "InternalError"),
            Self::Tagging => ("InternalServiceException", "InternalServiceException"),
        };
        ApiError { status: 500, shape, ..ApiError::refused(code, "injected server error") }
    }
}
