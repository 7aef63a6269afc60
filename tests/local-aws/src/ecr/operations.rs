//! The operations that change the registry, and `BatchGetImage`.

use serde_json::{Value, json};

use super::Ecr;
use super::image::ImageName;
use super::mutability::Mutability;
use super::refusal::{Failure, Refusal};
use super::repository::{Push, Repository};
use crate::clock::epoch_seconds;
use crate::parameters::Parameters;

const IMAGES_PER_BATCH: usize = 100;

impl Ecr {
    pub(crate) fn create(&self, request: Parameters<'_>) -> Result<Value, Refusal> {
        let (registry, name) = self.target(request)?;
        let mutability = Mutability::read(request)?;
        let created_at = self.home.now();
        self.registries.with(|registries| {
            let key = (registry.to_owned(), name.to_owned());
            if registries.repositories.contains_key(&key) {
                let (registry, repository) = key;
                return Err(Refusal::RepositoryAlreadyExists { registry, repository });
            }
            let repository = Repository::new(name, mutability, created_at);
            let answer = json!({"repository": self.repository_view(registry, &repository)});
            registries.repositories.insert(key, repository);
            Ok(answer)
        })
    }

    pub(crate) fn put_mutability(&self, request: Parameters<'_>) -> Result<Value, Refusal> {
        let (registry, name) = self.target(request)?;
        let mutability = Mutability::read(request)?;
        self.registries.with(|registries| {
            let repository = registries.repository(registry, name)?;
            let mut answer = json!({"registryId": registry, "repositoryName": name});
            mutability.write(&mut answer);
            repository.mutability = mutability;
            Ok(answer)
        })
    }

    pub(crate) fn repository_view(&self, registry: &str, repository: &Repository) -> Value {
        let name = &repository.name;
        let region = &self.home.region;
        let mut view = json!({
            "registryId": registry,
            "repositoryName": name,
            "repositoryArn": format!("arn:aws:ecr:{region}:{registry}:repository/{name}"),
            "repositoryUri": format!("{registry}.dkr.ecr.{region}.amazonaws.com/{name}"),
            "createdAt": epoch_seconds(repository.created_at),
        });
        repository.mutability.write(&mut view);
        view
    }

    pub(crate) fn put_image(&self, request: Parameters<'_>) -> Result<Value, Refusal> {
        let (registry, repository) = self.target(request)?;
        let manifest = request
            .text("imageManifest")
            .ok_or_else(|| Refusal::invalid("imageManifest", "Member must not be null"))?;
        let tag = request.text("imageTag");
        let push = Push {
            manifest,
            media_type: request.text("imageManifestMediaType"),
            tag,
            digest: request.text("imageDigest"),
            stands_for: None,
        };
        let now = self.home.now();
        let (digest, media_type) =
            self.registries.with(|registries| registries.put(registry, repository, push, now))?;
        let name = ImageName { digest: Some(digest.clone()), tag: tag.map(str::to_owned) };
        let answer = json!({"image": image_view(registry, repository, &name, manifest, &media_type)});
        self.announce_push(registry, repository, &digest, &media_type, tag);
        self.announce_call(registry, repository, request.0, &answer);
        Ok(answer)
    }

    pub(crate) fn batch_get_image(&self, request: Parameters<'_>) -> Result<Value, Refusal> {
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

    pub(crate) fn batch_delete_image(&self, request: Parameters<'_>) -> Result<Value, Refusal> {
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
            self.announce_deletion(registry, name, removed);
            for tag in &removed.tags {
                let identifier = ImageName { digest: Some(removed.digest.clone()), tag: tag.clone() };
                identifiers.push(identifier.write());
            }
        }
        Ok(json!({"imageIds": identifiers, "failures": failures}))
    }
}

/// The `imageIds` of a batch request.
pub(crate) fn image_names(request: Parameters<'_>) -> Result<Vec<ImageName>, Refusal> {
    let identifiers = request.list("imageIds");
    if identifiers.is_empty() || identifiers.len() > IMAGES_PER_BATCH {
        let constraint = format!("Member must have length between 1 and {IMAGES_PER_BATCH}");
        return Err(Refusal::invalid("imageIds", constraint));
    }
    Ok(identifiers.iter().map(|identifier| ImageName::read(Parameters(identifier))).collect())
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

fn failure_view(name: &ImageName, failure: Failure) -> Value {
    json!({"imageId": name.write(), "failureCode": failure.code(), "failureReason": failure.to_string()})
}
