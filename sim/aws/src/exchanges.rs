//! Requests and their responses, recorded so that they can be checked against AWS's API models.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use winterbaume_core::MockResponse;

use crate::shared::Shared;
use crate::wire::call::Call;

/// One call and the response that the service gave to it, even if a fault lost the response on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// The prefix of the service's IAM actions, such as `inspector2`.
    pub service: &'static str,
    pub operation: String,
    /// `json-1.0`, `json-1.1`, `rest-json`, `query` or `smithy-rpc-v2-cbor`.
    pub protocol: &'static str,
    pub request: RecordedRequest,
    pub response: RecordedResponse,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedRequest {
    pub method: String,
    /// The path and query, after the host if the client sent one.
    pub uri: String,
    pub headers: BTreeMap<String, String>,
    /// Base64, after decompression.
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedResponse {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    /// Base64.
    pub body: String,
}

/// Records nothing until it is started: a long run would keep every body in memory.
#[derive(Default)]
pub(crate) struct Recorder(Shared<Option<Vec<Exchange>>>);

impl Recorder {
    pub(crate) fn start(&self) {
        self.0.with(|recorded| {
            recorded.get_or_insert_default();
        });
    }

    pub(crate) fn take(&self) -> Vec<Exchange> {
        self.0.with(|recorded| recorded.as_mut().map(std::mem::take).unwrap_or_default())
    }

    pub(crate) fn record(&self, call: &Call, response: &MockResponse) {
        self.0.with(|recorded| {
            if let Some(recorded) = recorded {
                recorded.push(Exchange::of(call, response));
            }
        });
    }
}

impl Exchange {
    fn of(call: &Call, response: &MockResponse) -> Self {
        Self {
            service: call.service.action_prefix(),
            operation: call.operation.clone(),
            protocol: call.service.protocol().name(),
            request: RecordedRequest {
                method: call.request.method.clone(),
                uri: call.request.uri.clone(),
                headers: text(&call.request.headers),
                body: STANDARD.encode(&call.request.body),
            },
            response: RecordedResponse {
                status: response.status,
                headers: text(&response.headers),
                body: STANDARD.encode(&response.body),
            },
        }
    }
}

fn text(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}
