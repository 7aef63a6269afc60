//! Who made a call, and from where: `userIdentity` and what stands beside it.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>

use serde::Deserialize;

use crate::provenance::{Origin, Pusher};
use crate::text::sanitize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserIdentity {
    arn: Option<String>,
    principal_id: Option<String>,
    user_name: Option<String>,
    invoked_by: Option<String>,
    /// Of a `SAMLUser` or a `WebIdentityUser`.
    identity_provider: Option<String>,
    session_context: Option<SessionContext>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext {
    web_id_federation_data: Option<Federation>,
}

/// `attributes` is an object or a text or absent: nothing here needs it, so nothing reads it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Federation {
    federated_provider: Option<String>,
}

pub(super) fn pusher(identity: Option<UserIdentity>) -> Pusher {
    let Some(identity) = identity else {
        return Pusher::unknown();
    };
    let provider = identity
        .session_context
        .and_then(|session| session.web_id_federation_data)
        .and_then(|federation| federation.federated_provider)
        .or(identity.identity_provider)
        .map(|provider| sanitize(bare(&provider)));
    let service = identity.invoked_by.filter(|service| !is_ecr_itself(service));
    let named = [identity.arn, identity.principal_id, identity.user_name].into_iter().flatten();
    let arn = named.map(|name| sanitize(&name)).find(|name| !name.is_empty());
    Pusher {
        arn: arn.unwrap_or_else(|| "unknown".to_owned()),
        provider: provider.filter(|provider| !provider.is_empty()),
        service: service.map(|service| sanitize(&service)),
    }
}

pub(super) fn origin(address: Option<String>, agent: Option<String>) -> Origin {
    let safe = |text: Option<String>| text.map(|text| sanitize(&text)).filter(|text| !text.is_empty());
    Origin { address: safe(address), agent: safe(agent) }
}

/// The provider is an ARN for OpenID Connect and SAML, and a bare name for the built-in ones.
fn bare(provider: &str) -> &str {
    let ends = ["oidc-provider/", "saml-provider/"];
    ends.iter().find_map(|end| Some(provider.split_once(end)?.1)).unwrap_or(provider)
}

/// Docker pushes through ECR, which then makes the calls; CloudTrail calls it by either name.
fn is_ecr_itself(service: &str) -> bool {
    ["ecr.amazonaws.com", "AWS Internal"].contains(&service)
}
