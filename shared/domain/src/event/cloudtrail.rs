//! CloudTrail's record of an ECR call, as EventBridge delivers it.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/logging-using-cloudtrail.html>

use jiff::Timestamp;
use serde::Deserialize;

use super::{Envelope, Event, EventError, PutImage, foreign, tag};
use crate::image::ImageId;
use crate::provenance::Pusher;
use crate::text::sanitize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiCall {
    aws_region: Option<String>,
    recipient_account_id: Option<String>,
    #[serde(default, deserialize_with = "crate::time::optional")]
    event_time: Option<Timestamp>,
    user_identity: Option<UserIdentity>,
    request_parameters: Option<RequestParameters>,
    response_elements: Option<ResponseElements>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentity {
    arn: Option<String>,
    principal_id: Option<String>,
    invoked_by: Option<String>,
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestParameters {
    image_manifest_media_type: Option<String>,
    image_manifest: Option<String>,
}

#[derive(Deserialize)]
struct ResponseElements {
    image: Option<PutResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutResult {
    registry_id: Option<String>,
    repository_name: String,
    image_id: PutImageId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutImageId {
    image_digest: String,
    image_tag: Option<String>,
}

/// The name of the call, which is all that is read of another call's record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallName {
    event_name: Option<String>,
    error_code: Option<String>,
}

pub(super) fn api_call(envelope: &Envelope) -> Result<Event, EventError> {
    let CallName { event_name, error_code } = envelope.detail()?;
    if event_name.as_deref() != Some("PutImage") {
        return Ok(foreign("an API call other than PutImage"));
    }
    if error_code.is_some() {
        return Ok(foreign("a PutImage that was refused"));
    }
    let call: ApiCall = envelope.detail()?;
    let put = call
        .response_elements
        .and_then(|response| response.image)
        .ok_or_else(|| envelope.wrong("detail.responseElements.image", "missing"))?;
    let missing = |field: &str| envelope.wrong(field, "missing");
    let image = ImageId {
        account: put
            .registry_id
            .or(call.recipient_account_id)
            .or_else(|| envelope.account.clone())
            .ok_or_else(|| missing("account"))?,
        region: call.aws_region.or_else(|| envelope.region.clone()).ok_or_else(|| missing("region"))?,
        repository: put.repository_name,
        digest: envelope
            .digest(&put.image_id.image_digest, "detail.responseElements.image.imageId.imageDigest")?,
    };
    Ok(Event::PutImage(PutImage {
        image,
        tag: tag(put.image_id.image_tag),
        media_type: call.request_parameters.and_then(media_type).map(|media_type| sanitize(&media_type)),
        pusher: pusher(call.user_identity),
        at: call.event_time.map_or_else(|| envelope.time(), Ok)?,
    }))
}

fn media_type(request: RequestParameters) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Manifest {
        media_type: Option<String>,
    }
    request.image_manifest_media_type.or_else(|| {
        // Old clients state the media type in the manifest alone. One that cannot be read says nothing.
        serde_json::from_str::<Manifest>(request.image_manifest.as_deref()?).ok()?.media_type
    })
}

fn pusher(identity: Option<UserIdentity>) -> Pusher {
    let Some(identity) = identity else {
        return Pusher { arn: "unknown".to_owned(), provider: None };
    };
    let provider = identity
        .session_context
        .and_then(|session| session.web_id_federation_data)
        .and_then(|federation| federation.federated_provider)
        // The provider is an ARN for OpenID Connect, and a bare name for the built-in ones.
        .map(|provider| {
            sanitize(provider.split_once("oidc-provider/").map_or(provider.as_str(), |(_, host)| host))
        });
    let arn = identity.arn.or(identity.principal_id).or(identity.invoked_by);
    Pusher { arn: sanitize(&arn.unwrap_or_else(|| "unknown".to_owned())), provider }
}
