//! Where an image comes from.

use serde::{Deserialize, Serialize};

/// Who pushed an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pusher {
    /// The principal's ARN; an assumed role's ends with the session's name.
    pub arn: String,
    /// The OIDC provider that vouched for the principal, such as `token.actions.githubusercontent.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

impl Pusher {
    /// The part of the ARN that a person knows: `ci-push/GitHubActions`, `user/Mary_Major`.
    pub fn name(&self) -> &str {
        let resource = self.arn.rsplit(':').next().unwrap_or(&self.arn);
        resource.strip_prefix("assumed-role/").unwrap_or(resource)
    }
}
