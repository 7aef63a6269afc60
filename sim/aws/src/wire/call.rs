//! Which service and operation a request calls.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::{HeaderMap, Uri};
use winterbaume_core::MockRequest;
use winterbaume_core::auth::extract_service_from_headers;

use super::error::ApiError;
use super::service::Service;

pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) operation: String,
    /// Its body is decompressed already.
    pub(crate) request: MockRequest,
    /// The size of the body as it was sent, before decompression.
    pub(crate) sent_bytes: usize,
}

impl Call {
    /// The IAM action that a policy must allow, such as `ecr:PutImage`. Batches of SQS have none of their own, and
    /// neither has the listing of referrers; a transaction of DynamoDB has none besides those of its parts, of which the
    /// first is named here.
    pub(crate) fn action(&self) -> String {
        let operation = match (self.service, self.operation.as_str()) {
            (Service::Sqs, operation) => operation.strip_suffix("Batch").unwrap_or(operation),
            (Service::DynamoDb, "TransactWriteItems") => self.first_part(),
            (Service::Ecr, "ListImageReferrers") => "BatchGetImage",
            (_, operation) => operation,
        };
        format!("{}:{operation}", self.service.action_prefix())
    }

    fn first_part(&self) -> &'static str {
        let body: serde_json::Value = serde_json::from_slice(&self.request.body).unwrap_or_default();
        let has = |part: &str| body.pointer(&format!("/TransactItems/0/{part}")).is_some();
        if has("Put") {
            "PutItem"
        } else if has("Update") {
            "UpdateItem"
        } else if has("Delete") {
            "DeleteItem"
        } else {
            "ConditionCheckItem"
        }
    }

    /// The `app_name` of the caller's SDK configuration; empty if it has none.
    pub(crate) fn caller(&self) -> String {
        let agent = text(&self.request.headers, "x-amz-user-agent").unwrap_or_default();
        agent.split(' ').find_map(|part| part.strip_prefix("app/")).unwrap_or_default().to_owned()
    }

    /// Where the caller reaches this account: scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        let uri = self.request.uri.parse::<Uri>().unwrap_or_default();
        match (uri.scheme_str(), uri.authority()) {
            (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
            // Over HTTP only the path is sent besides.
            _ => format!("http://{}", text(&self.request.headers, HOST.as_str()).unwrap_or("127.0.0.1")),
        }
    }

    /// # Errors
    /// `UnknownOperationException` if the request is for no simulated service; `SerializationException` if its
    /// body is declared as gzip and is not.
    pub(crate) fn identify(mut request: MockRequest) -> Result<Self, ApiError> {
        let sent_bytes = request.body.len();
        decompress(&mut request)?;
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
            "AmazonSQS" => Service::Sqs,
            "ResourceGroupsTaggingAPI_20170126" => Service::Tagging,
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
    if let Some(operation) = inspector_operation(&request.method, &path) {
        return Some((Service::Inspector, operation.to_owned()));
    }
    (scope.as_deref() == Some("inspector2"))
        .then(|| (Service::Inspector, format!("{} {path}", request.method)))
}

/// Names a request whose operation is unknown.
fn name(request: &MockRequest) -> String {
    text(&request.headers, "x-amz-target")
        .map_or_else(|| format!("{} {}", request.method, path(&request.uri)), str::to_owned)
}

/// The operation at a path of the Inspector2 API model.
fn inspector_operation(method: &str, path: &str) -> Option<&'static str> {
    match (method, path) {
        ("POST", "/findings/list") => Some("ListFindings"),
        ("POST", "/findings/details/batch/get") => Some("BatchGetFindingDetails"),
        ("POST", "/cluster/get") => Some("GetClustersForImage"),
        ("POST", "/coverage/list") => Some("ListCoverage"),
        ("POST", "/coverage/statistics/list") => Some("ListCoverageStatistics"),
        _ => None,
    }
}

fn path(uri: &str) -> String {
    uri.parse::<Uri>().map_or_else(|_| uri.to_owned(), |uri| uri.path().to_owned())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The SDK compresses a large `PutMetricData` body (Smithy's `requestCompression` trait).
fn decompress(request: &mut MockRequest) -> Result<(), ApiError> {
    if text(&request.headers, CONTENT_ENCODING.as_str()) != Some("gzip") {
        return Ok(());
    }
    let mut body = Vec::new();
    GzDecoder::new(request.body.as_ref())
        .read_to_end(&mut body)
        .map_err(|error| ApiError::unreadable_body(&format!("the body is not gzip: {error}")))?;
    request.body = Bytes::from(body);
    request.headers.remove(CONTENT_ENCODING);
    Ok(())
}
