//! What a request asks for: which service, which operation, which bytes.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Uri};
use winterbaume_core::MockRequest;
use winterbaume_core::auth::extract_service_from_headers;

use crate::answer::{ApiError, Protocol};
use crate::inspector;

/// A service that lives in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    CloudWatch,
    DynamoDb,
    Ecr,
    EventBridge,
    Inspector,
    Sns,
}

impl Service {
    /// The prefix of the service's IAM actions.
    pub(crate) fn action_prefix(self) -> &'static str {
        match self {
            Self::CloudWatch => "cloudwatch",
            Self::DynamoDb => "dynamodb",
            Self::Ecr => "ecr",
            Self::EventBridge => "events",
            Self::Inspector => "inspector2",
            Self::Sns => "sns",
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::CloudWatch => Protocol::Cbor,
            Self::DynamoDb => Protocol::Json10,
            Self::Ecr | Self::EventBridge => Protocol::Json11,
            Self::Inspector => Protocol::RestJson,
            Self::Sns => Protocol::Query,
        }
    }
}

/// A request that has found its service.
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) operation: String,
    /// The request, its body inflated if it came compressed.
    pub(crate) request: MockRequest,
    /// The size of the body as it was sent, compressed or not.
    pub(crate) sent_bytes: usize,
}

impl Call {
    /// The IAM action that a policy would have to allow, such as `ecr:PutImage`.
    pub(crate) fn action(&self) -> String {
        format!("{}:{}", self.service.action_prefix(), self.operation)
    }

    /// The name that the caller gave to itself with the SDK's `app_name`; empty where it gave none.
    pub(crate) fn caller(&self) -> String {
        let agent = text(&self.request.headers, "x-amz-user-agent").unwrap_or_default();
        agent.split(' ').find_map(|part| part.strip_prefix("app/")).unwrap_or_default().to_owned()
    }

    /// Reads the request's headers and path.
    ///
    /// # Errors
    /// `UnknownOperationException` if no service in here is meant; `SerializationException` if the body
    /// says that it is compressed and is not.
    pub(crate) fn identify(mut request: MockRequest) -> Result<Self, ApiError> {
        let sent_bytes = request.body.len();
        inflate(&mut request)?;
        let (service, operation) =
            service_and_operation(&request).ok_or_else(|| ApiError::unknown_operation(&name(&request)))?;
        Ok(Self { service, operation, request, sent_bytes })
    }
}

fn service_and_operation(request: &MockRequest) -> Option<(Service, String)> {
    if let Some(target) = text(&request.headers, "x-amz-target") {
        let (prefix, operation) = target.split_once('.')?;
        let service = match prefix {
            "AmazonEC2ContainerRegistry_V20150921" => Service::Ecr,
            "DynamoDB_20120810" => Service::DynamoDb,
            "AWSEvents" => Service::EventBridge,
            _ => return None,
        };
        return Some((service, operation.to_owned()));
    }
    let path = path(&request.uri);
    if text(&request.headers, "smithy-protocol") == Some("rpc-v2-cbor") {
        let operation = path.split_once("/service/GraniteServiceVersion20100801/operation/")?.1;
        return Some((Service::CloudWatch, operation.to_owned()));
    }
    let scope = extract_service_from_headers(&request.headers);
    let form = text(&request.headers, CONTENT_TYPE.as_str())
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    if form && scope.as_deref().is_none_or(|scope| scope == "sns") {
        let action = form_urlencoded::parse(&request.body).find(|(name, _)| name == "Action")?.1;
        return Some((Service::Sns, action.into_owned()));
    }
    if let Some(operation) = inspector::operation_at(&request.method, &path) {
        return Some((Service::Inspector, operation.to_owned()));
    }
    (scope.as_deref() == Some("inspector2"))
        .then(|| (Service::Inspector, format!("{} {path}", request.method)))
}

/// What to call a request that nobody understands.
fn name(request: &MockRequest) -> String {
    text(&request.headers, "x-amz-target")
        .map_or_else(|| format!("{} {}", request.method, path(&request.uri)), str::to_owned)
}

fn path(uri: &str) -> String {
    uri.parse::<Uri>().map_or_else(|_| uri.to_owned(), |uri| uri.path().to_owned())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The SDK compresses a large `PutMetricData` body (Smithy's `requestCompression` trait).
fn inflate(request: &mut MockRequest) -> Result<(), ApiError> {
    if text(&request.headers, CONTENT_ENCODING.as_str()) != Some("gzip") {
        return Ok(());
    }
    let mut body = Vec::new();
    GzDecoder::new(request.body.as_ref()).read_to_end(&mut body).map_err(|error| {
        ApiError::refused("SerializationException", format!("The body is not gzip: {error}"))
    })?;
    request.body = Bytes::from(body);
    request.headers.remove(CONTENT_ENCODING);
    Ok(())
}
