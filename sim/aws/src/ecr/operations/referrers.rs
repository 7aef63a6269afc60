//! `ListImageReferrers`: what refers to an image by its digest, such as a signature. ECR API reference.

use serde_json::{Value, json};

use super::request::page_of_referrers;
use crate::ecr::Ecr;
use crate::ecr::error::EcrError;
use crate::ecr::image::Image;
use crate::ecr::manifest::{artifact_media_type, subject};
use crate::wire::pagination::write_page;
use crate::wire::parameters::Parameters;

const TYPES_PER_FILTER: usize = 5;

impl Ecr {
    /// Lists referrers by digest. Of a subject that is not there, the referrers are listed all the same.
    pub(super) fn list_image_referrers(&self, request: Parameters<'_>) -> Result<Value, EcrError> {
        let (registry, name) = self.target(request)?;
        let wanted = request
            .member("subjectId")
            .and_then(|subject| subject.text("imageDigest"))
            .ok_or_else(|| EcrError::invalid("subjectId", "Member must not be null"))?;
        let filter = request.member("filter");
        let types = filter.map(|filter| filter.texts("artifactTypes")).unwrap_or_default();
        if types.len() > TYPES_PER_FILTER {
            let constraint = format!("Member must have length at most {TYPES_PER_FILTER}");
            return Err(EcrError::invalid("filter.artifactTypes", constraint));
        }
        let status = filter.and_then(|filter| filter.text("artifactStatus")).unwrap_or("ACTIVE");
        self.registries.with(|registries| {
            let repository = registries.repository(registry, name)?;
            let referrers = repository.images.iter().filter_map(|(digest, image)| {
                let manifest = serde_json::from_str(&image.manifest).unwrap_or_default();
                let refers = subject(&manifest) == Some(wanted)
                    && (status == "ANY" || status == image.storage.status().name());
                let artifact = artifact_media_type(&image.media_type, &manifest);
                let fits = types.is_empty() || artifact.as_deref().is_some_and(|kind| types.contains(&kind));
                (refers && fits).then(|| (digest.clone(), view(digest, image, &manifest, artifact)))
            });
            let page = page_of_referrers(request, referrers)?;
            Ok(write_page("referrers", page.items, page.next_token))
        })
    }
}

fn view(digest: &str, image: &Image, manifest: &Value, artifact: Option<String>) -> Value {
    let mut view = json!({
        "digest": digest,
        "mediaType": image.media_type,
        "size": image.manifest.len(),
        "artifactStatus": image.storage.status().name(),
    });
    if let Some(artifact) = artifact {
        view["artifactType"] = json!(artifact);
    }
    if let Some(annotations) = manifest.get("annotations") {
        view["annotations"] = annotations.clone();
    }
    view
}
