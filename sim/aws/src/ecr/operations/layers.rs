//! `GetDownloadUrlForLayer`.

use serde_json::{Value, json};

use crate::ecr::Ecr;
use crate::ecr::error::EcrError;
use crate::wire::parameters::Parameters;

impl Ecr {
    /// A layer that is there, but in no image, is not accessible.
    pub(super) fn get_download_url_for_layer(
        &self,
        origin: &str,
        request: Parameters<'_>,
    ) -> Result<Value, EcrError> {
        let (registry, name) = self.target(request)?;
        let digest = request
            .text("layerDigest")
            .filter(|digest| digest.strip_prefix("sha256:").is_some_and(|hex| !hex.is_empty()))
            .ok_or_else(|| EcrError::invalid("layerDigest", "must be a digest"))?;
        self.registries.with(|registries| {
            let repository = registries.repository(registry, name)?;
            let named = || (digest.to_owned(), name.to_owned());
            if !repository.layers.contains_key(digest) {
                let (digest, repository) = named();
                return Err(EcrError::LayersNotFound { digest, repository });
            }
            if !repository.images.values().any(|image| image.manifest.contains(digest)) {
                let (digest, repository) = named();
                return Err(EcrError::LayerInaccessible { digest, repository });
            }
            let url = Self::download_url(origin, registry, name, digest);
            Ok(json!({"downloadUrl": url, "layerDigest": digest}))
        })
    }
}
