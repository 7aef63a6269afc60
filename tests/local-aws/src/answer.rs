//! Answers and errors in the wire forms of AWS's protocols.

use ciborium::Value as Cbor;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Value, json};
use winterbaume_core::{MockResponse, xml_escape};

/// The protocol that a service's API model declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// awsJson1.0: `DynamoDB`.
    Json10,
    /// awsJson1.1: ECR, `EventBridge`.
    Json11,
    /// restJson1: Inspector.
    RestJson,
    /// awsQuery: SNS.
    Query,
    /// rpcv2Cbor: `CloudWatch`.
    Cbor,
}

/// A refusal, named as the API model names it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// Seconds for a `Retry-After` header.
    pub(crate) retry_after: Option<u32>,
}

impl ApiError {
    /// An error of the client's making, HTTP 400.
    pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), retry_after: None }
    }

    pub(crate) fn unknown_operation(name: &str) -> Self {
        Self::refused(
            "UnknownOperationException",
            format!("{name} is not an operation that this local AWS knows"),
        )
    }

    /// Writes the error so that the SDK's parser of this protocol finds its code.
    pub(crate) fn on_the_wire(&self, protocol: Protocol) -> MockResponse {
        let mut response = match protocol {
            Protocol::Json10 | Protocol::Json11 | Protocol::RestJson => {
                json_answer(protocol, self.status, &json!({"__type": self.code, "message": self.message}))
            }
            Protocol::Query => MockResponse::xml(self.status, self.xml()),
            Protocol::Cbor => cbor_answer(
                self.status,
                &Cbor::Map(vec![
                    (Cbor::from("__type"), Cbor::from(self.code)),
                    (Cbor::from("message"), Cbor::from(self.message.as_str())),
                ]),
            ),
        };
        add_header(&mut response.headers, "x-amzn-errortype", self.code);
        if protocol == Protocol::Cbor {
            // The awsQueryCompatible trait: the model's errors are recognised by this header's code.
            let fault = if self.status < 500 { "Sender" } else { "Receiver" };
            add_header(&mut response.headers, "x-amzn-query-error", &format!("{};{fault}", self.code));
        }
        if let Some(seconds) = self.retry_after {
            add_header(&mut response.headers, "retry-after", &seconds.to_string());
        }
        response
    }

    fn xml(&self) -> String {
        let fault = if self.status < 500 { "Sender" } else { "Receiver" };
        format!(
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>{fault}</Type>\
             <Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>00000000-0000-4000-8000-000000000000</RequestId></ErrorResponse>",
            self.code,
            xml_escape(&self.message)
        )
    }
}

fn add_header(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// A JSON answer with the content type of the protocol.
pub(crate) fn json_answer(protocol: Protocol, status: u16, body: &Value) -> MockResponse {
    let content_type = match protocol {
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::RestJson | Protocol::Query | Protocol::Cbor => "application/json",
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    MockResponse { status, headers, body: body.to_string().into() }
}

/// A CBOR answer as Smithy's RPC v2 protocol wants it.
pub(crate) fn cbor_answer(status: u16, body: &Cbor) -> MockResponse {
    let mut bytes = Vec::new();
    // Writing into memory cannot fail; an empty body would be read as an empty answer.
    let _written = ciborium::into_writer(body, &mut bytes);
    MockResponse::cbor(status, bytes)
}
