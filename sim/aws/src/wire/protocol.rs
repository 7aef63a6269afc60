//! The protocols that AWS's API models declare, and what a response looks like in each.

use ciborium::Value as Cbor;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;
use winterbaume_core::MockResponse;

/// Named as in the `protocol` of a botocore model, with the JSON version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json10,
    Json11,
    /// JSON 1.0 of a service that had the query protocol: errors also carry the codes that they had in that.
    QueryCompatibleJson,
    RestJson,
    Query,
    Cbor,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json10 | Self::QueryCompatibleJson => "json-1.0",
            Self::Json11 => "json-1.1",
            Self::RestJson => "rest-json",
            Self::Query => "query",
            Self::Cbor => "smithy-rpc-v2-cbor",
        }
    }
}

pub(crate) fn json_response(protocol: Protocol, status: u16, body: &Value) -> MockResponse {
    let content_type = match protocol {
        Protocol::Json10 | Protocol::QueryCompatibleJson => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::RestJson | Protocol::Query | Protocol::Cbor => "application/json",
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    MockResponse { status, headers, body: body.to_string().into() }
}

pub(crate) fn cbor_response(status: u16, body: &Cbor) -> MockResponse {
    let mut bytes = Vec::new();
    // Writing into memory cannot fail.
    let _written = ciborium::into_writer(body, &mut bytes);
    MockResponse::cbor(status, bytes)
}
