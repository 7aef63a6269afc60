//! Inspector's validation errors.

use crate::wire::error::ApiError;

pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError { member: Some(("reason", "FIELD_VALIDATION_FAILED")), ..ApiError::validation(message) }
}
