//! Layers and configs, as a pre-signed URL of Amazon S3 gives them to whoever has it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html>

use bytes::Bytes;
use http::{HeaderMap, Uri};
use sha2::{Digest as _, Sha256};
use winterbaume_core::{MockRequest, MockResponse};

use super::Ecr;
use crate::faults::Fault;

/// What the path of such a URL begins with. No API of the simulated services has it.
const PATH: &str = "/starport-layer-bucket/";

impl Ecr {
    pub(super) fn download_url(origin: &str, registry: &str, repository: &str, digest: &str) -> String {
        let path = format!("{PATH}{registry}/{repository}/{digest}");
        format!("{origin}{path}?X-Amz-Expires=3600&X-Amz-Signature={}", signature(&path))
    }

    /// The URL that a request asks for, if it is such a one.
    pub(crate) fn downloaded(request: &MockRequest) -> Option<Uri> {
        let uri: Uri = request.uri.parse().ok()?;
        (request.method == "GET" && uri.path().starts_with(PATH)).then_some(uri)
    }

    /// What S3 answers: the bytes, or an error in XML.
    pub(crate) fn download(&self, uri: &Uri, fault: Option<Fault>) -> MockResponse {
        let path = uri.path();
        match fault {
            Some(Fault::Throttle) => return refused(503, "SlowDown"),
            Some(Fault::Denied) => return refused(403, "AccessDenied"),
            Some(Fault::ServerError) => return refused(500, "InternalError"),
            Some(Fault::Slow(_) | Fault::ResponseLost | Fault::Crash) | None => {}
        }
        let signed = format!("X-Amz-Signature={}", signature(path));
        if !uri.query().unwrap_or_default().split('&').any(|part| part == signed) {
            return refused(403, "SignatureDoesNotMatch");
        }
        match self.layer(path) {
            Some(body) => MockResponse { status: 200, headers: HeaderMap::new(), body },
            None => refused(404, "NoSuchKey"),
        }
    }

    fn layer(&self, path: &str) -> Option<Bytes> {
        let (registry, place) = path.strip_prefix(PATH)?.split_once('/')?;
        let (repository, digest) = place.rsplit_once('/')?;
        self.registries
            .with(|registries| registries.repository(registry, repository).ok()?.layers.get(digest).cloned())
    }
}

/// Only this account can make it, as far as the simulation needs that.
fn signature(path: &str) -> String {
    hex(&Sha256::digest(path))
}

fn refused(status: u16, code: &str) -> MockResponse {
    MockResponse::xml(status, format!("<Error><Code>{code}</Code></Error>"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
