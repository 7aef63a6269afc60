//! `UpdateImageStorageClass`.

use serde_json::{Value, json};

use crate::ecr::Ecr;
use crate::ecr::error::EcrError;
use crate::ecr::image::ImageName;
use crate::ecr::storage::ImageStatus;
use crate::wire::parameters::Parameters;

impl Ecr {
    pub(super) fn update_image_storage_class(
        &self,
        caller: &str,
        request: Parameters<'_>,
    ) -> Result<Value, EcrError> {
        let (registry, name) = self.target(request)?;
        let wanted = request
            .member("imageId")
            .map(ImageName::read)
            .ok_or_else(|| EcrError::invalid("imageId", "Member must not be null"))?;
        let archive = match request.text("targetStorageClass") {
            Some("ARCHIVE") => true,
            Some("STANDARD") => false,
            _ => return Err(EcrError::invalid("targetStorageClass", "STANDARD or ARCHIVE")),
        };
        let now = self.account.now();
        let (digest, changed, image) = self.registries.with(|registries| {
            let repository = registries.repository(registry, name)?;
            let missing = || EcrError::image_not_found(registry, name, &wanted);
            let digest = repository.find(&wanted).map_err(|_| missing())?.0.to_owned();
            let changed = repository.store(&digest, archive, now).map_err(|reason| {
                EcrError::StorageClassUpdateNotSupported { digest: digest.clone(), reason }
            })?;
            let image = repository.images.get(&digest).cloned().ok_or_else(missing)?;
            Ok::<_, EcrError>((digest, changed, image))
        })?;
        let id = ImageName { digest: Some(digest.clone()), tag: wanted.tag };
        let status = image.storage.status();
        let response = json!({
            "registryId": registry,
            "repositoryName": name,
            "imageId": id.write(),
            "imageStatus": status.name(),
        });
        // The end of a restore is announced when it has come.
        if changed && status != ImageStatus::Activating {
            self.emit_storage_class(registry, name, &digest, &image);
        }
        let recorded = json!({"image": response});
        self.emit_call(caller, "UpdateImageStorageClass", registry, name, request.0, &recorded);
        Ok(response)
    }
}
