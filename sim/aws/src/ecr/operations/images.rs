//! `PutImage`, `BatchGetImage` and `BatchDeleteImage`.

use serde_json::{Value, json};

use super::request::image_names;
use crate::ecr::Ecr;
use crate::ecr::error::{EcrError, ImageFailure};
use crate::ecr::image::ImageName;
use crate::ecr::manifest::artifact_media_type;
use crate::ecr::repository::Push;
use crate::wire::parameters::Parameters;

impl Ecr {
    pub(super) fn put_image(&self, caller: &str, request: Parameters<'_>) -> Result<Value, EcrError> {
        let (registry, repository) = self.target(request)?;
        let manifest = request
            .text("imageManifest")
            .ok_or_else(|| EcrError::invalid("imageManifest", "Member must not be null"))?;
        let tag = request.text("imageTag");
        let push = Push {
            manifest,
            media_type: request.text("imageManifestMediaType"),
            tag,
            digest: request.text("imageDigest"),
            stands_for: None,
        };
        let now = self.account.now();
        let (digest, media_type) =
            self.registries.with(|registries| registries.put(registry, repository, push, now))?;
        let name = ImageName { digest: Some(digest.clone()), tag: tag.map(str::to_owned) };
        let response = json!({"image": image_view(registry, repository, &name, manifest, &media_type)});
        let parsed = serde_json::from_str(manifest).unwrap_or_default();
        let artifact = artifact_media_type(&media_type, &parsed);
        self.show_to_inspector(registry, repository, &digest, &media_type);
        self.emit_push(registry, repository, &digest, &media_type, artifact.as_deref(), tag);
        self.emit_call(caller, "PutImage", registry, repository, request.0, &response);
        Ok(response)
    }

    pub(super) fn batch_get_image(&self, request: Parameters<'_>) -> Result<Value, EcrError> {
        let (registry, name) = self.target(request)?;
        let wanted = image_names(request)?;
        let accepted = request.texts("acceptedMediaTypes");
        self.registries.with(|registries| {
            let repository = registries.repository(registry, name)?;
            let mut images = Vec::new();
            let mut failures = Vec::new();
            for wanted in wanted {
                match repository.pull(&wanted, &accepted) {
                    Ok((digest, image)) => {
                        let found = ImageName { digest: Some(digest.to_owned()), tag: wanted.tag };
                        images.push(image_view(registry, name, &found, &image.manifest, &image.media_type));
                    }
                    Err(failure) => failures.push(failure_view(&wanted, failure)),
                }
            }
            Ok(json!({"images": images, "failures": failures}))
        })
    }

    pub(super) fn batch_delete_image(
        &self,
        caller: &str,
        request: Parameters<'_>,
    ) -> Result<Value, EcrError> {
        let (registry, name) = self.target(request)?;
        let wanted = image_names(request)?;
        let mut deleted = Vec::new();
        let mut failures = Vec::new();
        self.registries.with(|registries| {
            let repository = registries.repository(registry, name)?;
            for wanted in wanted {
                match repository.delete(&wanted) {
                    Ok(removed) => deleted.push(removed),
                    Err(failure) => failures.push(failure_view(&wanted, failure)),
                }
            }
            Ok(())
        })?;
        let mut identifiers = Vec::new();
        for removed in &deleted {
            self.emit_deletion(registry, name, removed);
            for tag in &removed.tags {
                let identifier = ImageName { digest: Some(removed.digest.clone()), tag: tag.clone() };
                identifiers.push(identifier.write());
            }
        }
        let response = json!({"imageIds": identifiers, "failures": failures});
        self.emit_call(caller, "BatchDeleteImage", registry, name, request.0, &response);
        Ok(response)
    }
}

fn image_view(registry: &str, repository: &str, name: &ImageName, manifest: &str, media_type: &str) -> Value {
    json!({
        "registryId": registry,
        "repositoryName": repository,
        "imageId": name.write(),
        "imageManifest": manifest,
        "imageManifestMediaType": media_type,
    })
}

fn failure_view(name: &ImageName, failure: ImageFailure) -> Value {
    json!({"imageId": name.write(), "failureCode": failure.code(), "failureReason": failure.to_string()})
}
