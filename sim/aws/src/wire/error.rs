//! Errors as the services' API models name them.

use std::fmt::Display;

use ciborium::Value as Cbor;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use winterbaume_core::{MockResponse, xml_escape};

use super::protocol::{Protocol, cbor_response, json_response};

#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    /// The name of the error's shape, where the model gives it a code of its own (the `awsQueryError` trait).
    pub(crate) shape: &'static str,
    pub(crate) message: String,
    /// A further member that the error's shape requires.
    pub(crate) member: Option<(&'static str, &'static str)>,
    /// Seconds for a `Retry-After` header.
    pub(crate) retry_after: Option<u32>,
}

impl ApiError {
    /// An error of the client, HTTP 400.
    pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, shape: code, message: message.into(), member: None, retry_after: None }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::refused("ValidationException", message)
    }

    pub(crate) fn unreadable_body(error: &dyn Display) -> Self {
        Self::refused("SerializationException", error.to_string())
    }

    pub(crate) fn unknown_operation(name: &str) -> Self {
        Self::refused(
            "UnknownOperationException",
            format!("operation `{name}` is not implemented by the simulated AWS"),
        )
    }

    /// Writes the error so that the SDK's parser of this protocol finds its code.
    pub(crate) fn response(&self, protocol: Protocol) -> MockResponse {
        let mut response = match protocol {
            Protocol::Json10 | Protocol::Json11 | Protocol::QueryCompatibleJson | Protocol::RestJson => {
                self.json(protocol)
            }
            Protocol::Query => MockResponse::xml(self.status, self.xml()),
            Protocol::Cbor => self.cbor(),
        };
        add_header(&mut response.headers, "x-amzn-errortype", self.shape);
        if matches!(protocol, Protocol::Cbor | Protocol::QueryCompatibleJson) {
            // The awsQueryCompatible trait: clients take the error's code from this header.
            add_header(
                &mut response.headers,
                "x-amzn-query-error",
                &format!("{};{}", self.code, self.fault()),
            );
        }
        if let Some(seconds) = self.retry_after {
            add_header(&mut response.headers, "retry-after", &seconds.to_string());
        }
        response
    }

    fn fault(&self) -> &'static str {
        if self.status < 500 { "Sender" } else { "Receiver" }
    }

    fn json(&self, protocol: Protocol) -> MockResponse {
        let mut body = json!({"__type": self.shape, "message": self.message});
        if let Some((name, value)) = self.member {
            body[name] = json!(value);
        }
        json_response(protocol, self.status, &body)
    }

    fn cbor(&self) -> MockResponse {
        // In CloudWatch's model only the service's own fault spells its message with a capital letter.
        let message = if self.status < 500 { "message" } else { "Message" };
        let shape = format!("com.amazonaws.cloudwatch#{}", self.shape);
        let body = Cbor::Map(vec![
            (Cbor::from("__type"), Cbor::from(shape)),
            (Cbor::from(message), Cbor::from(self.message.as_str())),
        ]);
        cbor_response(self.status, &body)
    }

    fn xml(&self) -> String {
        format!(
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>{}</Type>\
             <Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>00000000-0000-4000-8000-000000000000</RequestId></ErrorResponse>",
            self.fault(),
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
