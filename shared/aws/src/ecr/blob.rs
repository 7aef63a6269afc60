//! What an image consists of besides its manifest: ECR names a pre-signed URL of Amazon S3 for it.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html>

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::{BehaviorVersion, SharedHttpClient};
use aws_smithy_runtime::client::defaults::default_http_client_plugin_v2;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin as _;
use aws_smithy_runtime_api::client::ser_de::DeserializeResponse;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use domain::image::ImageId;
use domain::provenance::Blob;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::AwsError;

const ACTION: &str = "ecr:GetDownloadUrlForLayer";

/// The blobs of images.
#[derive(Debug, Clone)]
pub struct Blobs {
    ecr: Client,
    http: Option<SharedHttpClient>,
}

/// Why a URL did not give what it was named for. The URL itself, which whoever has it may use, is never said.
#[derive(Debug, Error)]
enum DownloadError {
    #[error("the URL of the blob cannot be read")]
    Url,
    #[error("the URL of the blob was answered with the status {0}")]
    Status(u16),
    #[error("the blob has more than the {0} bytes that its manifest states")]
    TooLong(u64),
    #[error("the bytes of the blob do not have its digest")]
    OtherBytes,
}

impl Blobs {
    /// Downloads with the HTTP client of the ECR client, or with one like those that the SDK makes where nobody sets one.
    pub fn new(ecr: Client) -> Self {
        let http = ecr.config().http_client().or_else(default_http_client);
        Self { ecr, http }
    }

    /// The bytes of a blob, all of them in memory; `None` where ECR does not have it for this image's repository.
    pub async fn get(&self, image: &ImageId, blob: &Blob) -> Result<Option<Vec<u8>>, AwsError> {
        let answer = self
            .ecr
            .get_download_url_for_layer()
            .registry_id(&image.account)
            .repository_name(&image.repository)
            .layer_digest(blob.digest.as_str())
            .send()
            .await
            .map_err(|error| AwsError::of(ACTION, error));
        let url = match answer {
            Ok(answer) => answer.download_url.unwrap_or_default(),
            Err(error) if error.is("LayersNotFound") || error.is("LayerInaccessible") => return Ok(None),
            Err(error) => return Err(error),
        };
        match self.download(&url, blob).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(source) => Err(AwsError { action: ACTION, code: None, retryable: true, source }),
        }
    }

    /// One attempt, in which no redirect is followed and no more is read than the manifest states.
    async fn download(&self, url: &str, blob: &Blob) -> Result<Vec<u8>, BoxError> {
        let mut body = ByteStream::new(self.request(url).await?);
        let mut bytes = Vec::new();
        while let Some(part) = body.next().await {
            bytes.extend_from_slice(&part?);
            if bytes.len() as u64 > blob.size {
                return Err(DownloadError::TooLong(blob.size).into());
            }
        }
        let digits = |byte: &u8| format!("{byte:02x}");
        let hex: String = Sha256::digest(&bytes).iter().map(digits).collect();
        if blob.digest.as_str().strip_prefix("sha256:") != Some(&hex) {
            return Err(DownloadError::OtherBytes.into());
        }
        Ok(bytes)
    }

    async fn request(&self, url: &str) -> Result<SdkBody, BoxError> {
        let host = url.find("://").map(|scheme| scheme + "://".len()).ok_or(DownloadError::Url)?;
        let path = url[host..].find('/').map(|path| host + path).ok_or(DownloadError::Url)?;
        let (endpoint, path) = url.split_at(path);
        let mut operation = Operation::builder()
            .service_name("s3")
            .operation_name("GetObject")
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .no_auth()
            .no_retry()
            // The caller limits how long it waits.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(http) = &self.http {
            operation = operation.http_client(http.clone());
        }
        let operation = operation
            .serializer(|path: String| {
                let mut request = HttpRequest::empty();
                request.set_uri(path)?;
                Ok(request)
            })
            .deserializer_impl::<SdkBody, DownloadError>(Body)
            .build();
        operation.invoke(path.to_owned()).await.map_err(|error| match error {
            SdkError::ServiceError(refused) => refused.into_err().into(),
            other => other.into(),
        })
    }
}

/// Takes the body of a response before any of it is read.
#[derive(Debug)]
struct Body;

impl DeserializeResponse for Body {
    fn deserialize_streaming_with_config(
        &self,
        response: &mut HttpResponse,
        _: &ConfigBag,
    ) -> Option<Result<context::Output, OrchestratorError<context::Error>>> {
        let status = response.status().as_u16();
        Some(match status {
            200 => Ok(context::Output::erase(response.take_body())),
            status => Err(OrchestratorError::operation(context::Error::erase(DownloadError::Status(status)))),
        })
    }

    fn deserialize_nonstreaming(
        &self,
        _: &HttpResponse,
    ) -> Result<context::Output, OrchestratorError<context::Error>> {
        Err(OrchestratorError::other("the body was taken"))
    }
}

fn default_http_client() -> Option<SharedHttpClient> {
    let plugin = default_http_client_plugin_v2(BehaviorVersion::latest())?;
    plugin.runtime_components(&RuntimeComponentsBuilder::new("blobs")).http_client()
}
