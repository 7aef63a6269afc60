//! CloudTrail's record of an ECR call, as EventBridge delivers it.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/logging-using-cloudtrail.html>

mod identity;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Deletion, Envelope, Event, EventError, PutImage, Removal, StorageChange, StorageClass, foreign, tag,
};
use crate::image::{Digest, ImageId};
use crate::provenance::Actor;
use crate::text::sanitize;
use identity::UserIdentity;

/// A call, with what it asked for and what it returned.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiCall<Request, Response> {
    aws_region: Option<String>,
    recipient_account_id: Option<String>,
    #[serde(default, deserialize_with = "crate::time::optional")]
    event_time: Option<Timestamp>,
    user_identity: Option<UserIdentity>,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: Option<String>,
    user_agent: Option<String>,
    request_parameters: Option<Request>,
    response_elements: Option<Response>,
}

/// The name of the call, which is all that is read of another call's record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallName {
    event_name: Option<String>,
    error_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutRequest {
    image_manifest_media_type: Option<String>,
    image_manifest: Option<String>,
}

#[derive(Deserialize)]
struct PutResponse {
    image: Option<StatedImage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatedImage {
    registry_id: Option<String>,
    repository_name: String,
    image_id: Identifier,
}

/// `ImageIdentifier` of the API: in a request one of the two can be missing, in a response the tag.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identifier {
    image_digest: Option<String>,
    image_tag: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteRequest {
    registry_id: Option<String>,
    repository_name: String,
    image_ids: Vec<Identifier>,
}

/// Without `failures`: what was not deleted is not in `imageIds`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteResponse {
    image_ids: Vec<Identifier>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StorageRequest {
    target_storage_class: String,
}

/// Amazon's example has the image in `image`; the API returns its members without it.
#[derive(Deserialize)]
#[serde(untagged)]
enum StorageResponse {
    Nested { image: StatedImage },
    Flat(StatedImage),
}

pub(super) fn api_call(envelope: &Envelope) -> Result<Event, EventError> {
    let CallName { event_name, error_code } = envelope.detail()?;
    let read = match event_name.as_deref() {
        Some("PutImage") => put_image,
        Some("BatchDeleteImage") => batch_delete_image,
        Some("UpdateImageStorageClass") => update_image_storage_class,
        _ => return Ok(foreign("an API call that changes no image")),
    };
    match error_code {
        Some(_) => Ok(foreign(format!("a {} that was refused", event_name.unwrap_or_default()))),
        None => read(envelope),
    }
}

impl<Request, Response> ApiCall<Request, Response> {
    fn actor(&mut self, envelope: &Envelope) -> Result<Actor, EventError> {
        Ok(Actor {
            who: identity::pusher(self.user_identity.take()),
            from: identity::origin(self.source_ip_address.take(), self.user_agent.take()),
            at: self.event_time.map_or_else(|| envelope.time(), Ok)?,
        })
    }

    /// `field` is the path of the digest.
    fn image(
        &self,
        envelope: &Envelope,
        registry: Option<&String>,
        repository: &str,
        digest: Option<&str>,
        field: &str,
    ) -> Result<ImageId, EventError> {
        let missing = |field: &str| envelope.wrong(field, "missing");
        let account = registry.or(self.recipient_account_id.as_ref()).or(envelope.account.as_ref());
        let region = self.aws_region.as_ref().or(envelope.region.as_ref());
        Ok(ImageId {
            account: account.ok_or_else(|| missing("account"))?.clone(),
            region: region.ok_or_else(|| missing("region"))?.clone(),
            repository: repository.to_owned(),
            digest: envelope.digest(digest.ok_or_else(|| missing(field))?, field)?,
        })
    }

    fn stated(&self, envelope: &Envelope, stated: &StatedImage) -> Result<ImageId, EventError> {
        let field = "detail.responseElements.image.imageId.imageDigest";
        let digest = stated.image_id.image_digest.as_deref();
        self.image(envelope, stated.registry_id.as_ref(), &stated.repository_name, digest, field)
    }
}

fn put_image(envelope: &Envelope) -> Result<Event, EventError> {
    let mut call: ApiCall<PutRequest, PutResponse> = envelope.detail()?;
    let put = call
        .response_elements
        .take()
        .and_then(|response| response.image)
        .ok_or_else(|| envelope.wrong("detail.responseElements.image", "missing"))?;
    let Actor { who: pusher, from, at } = call.actor(envelope)?;
    let media_type = call.request_parameters.take().and_then(media_type);
    Ok(Event::PutImage(PutImage {
        image: call.stated(envelope, &put)?,
        tag: tag(put.image_id.image_tag),
        media_type: media_type.map(|media_type| sanitize(&media_type)),
        pusher,
        from,
        at,
    }))
}

fn media_type(request: PutRequest) -> Option<String> {
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

/// The response says what was deleted, an entry for each tag. The request says whether a tag was named, or the image
/// with all of its tags.
fn batch_delete_image(envelope: &Envelope) -> Result<Event, EventError> {
    const DIGEST: &str = "detail.responseElements.imageIds.imageDigest";
    let mut call: ApiCall<DeleteRequest, DeleteResponse> = envelope.detail()?;
    let missing = |field: &str| envelope.wrong(field, "missing");
    let request = call.request_parameters.take().ok_or_else(|| missing("detail.requestParameters"))?;
    let response = call.response_elements.take().ok_or_else(|| missing("detail.responseElements"))?;
    let by_digest: BTreeSet<&str> = request
        .image_ids
        .iter()
        .filter(|named| named.image_tag.is_none())
        .filter_map(|named| named.image_digest.as_deref())
        .collect();
    let mut removals: BTreeMap<Digest, Removal> = BTreeMap::new();
    for removed in response.image_ids {
        let digest = removed.image_digest.as_deref();
        let registry = request.registry_id.as_ref();
        let image = call.image(envelope, registry, &request.repository_name, digest, DIGEST)?;
        let whole = by_digest.contains(image.digest.as_str());
        let removal = removals.entry(image.digest.clone()).or_insert_with(|| Removal {
            image,
            tags: BTreeSet::new(),
            whole,
        });
        removal.tags.extend(tag(removed.image_tag));
    }
    if removals.is_empty() {
        return Ok(foreign("a BatchDeleteImage that deleted nothing"));
    }
    let removals = removals.into_values().collect();
    Ok(Event::Deletion(Deletion { removals, actor: call.actor(envelope)? }))
}

fn update_image_storage_class(envelope: &Envelope) -> Result<Event, EventError> {
    let mut call: ApiCall<StorageRequest, StorageResponse> = envelope.detail()?;
    let missing = |field: &str| envelope.wrong(field, "missing");
    let request = call.request_parameters.take().ok_or_else(|| missing("detail.requestParameters"))?;
    let response = call.response_elements.take().ok_or_else(|| missing("detail.responseElements"))?;
    let (StorageResponse::Nested { image } | StorageResponse::Flat(image)) = response;
    let class = StorageClass::read(&request.target_storage_class)
        .map_err(|reason| envelope.wrong("detail.requestParameters.targetStorageClass", reason))?;
    let image = call.stated(envelope, &image)?;
    let actor = call.actor(envelope)?;
    let at = actor.at;
    Ok(Event::StorageChange(StorageChange { image, class, activated_at: None, actor: Some(actor), at }))
}
