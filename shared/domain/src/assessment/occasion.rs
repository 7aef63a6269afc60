//! Why something was announced, where no event about the image is the reason.

use serde::{Deserialize, Serialize};

use crate::policy::Fingerprint;

/// Why something was announced of an image of which there was no news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Occasion {
    /// The image was in the registry before its repository was watched, and was judged for the first time.
    Adopted,
    /// Another policy judged it than before.
    PolicyChanged {
        policy: Fingerprint,
        /// Who deployed the policy, where the deployment says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deployed_by: Option<String>,
    },
}

impl Occasion {
    /// The same with who deployed the policy, if it is about one.
    #[must_use]
    pub fn by(self, deployed_by: Option<&str>) -> Self {
        match self {
            Self::PolicyChanged { policy, .. } => {
                Self::PolicyChanged { policy, deployed_by: deployed_by.map(str::to_owned) }
            }
            Self::Adopted => Self::Adopted,
        }
    }
}
