//! An HTTP client for the SDK whose requests are answered in this process. It opens no socket.

use std::fmt;
use std::io;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use winterbaume_core::{MockRequest, MockResponse};

use crate::dispatch::{Dispatcher, Outcome};

#[derive(Clone)]
pub(crate) struct InProcess(pub(crate) Arc<Dispatcher>);

impl fmt::Debug for InProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InProcess")
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let dispatcher = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let request = read(request).await?;
            match dispatcher.handle(request).await {
                Outcome::Response(response) => write(response),
                Outcome::ConnectionLost => Err(ConnectorError::io(
                    io::Error::new(io::ErrorKind::ConnectionReset, "an injected fault lost the response")
                        .into(),
                )),
            }
        })
    }
}

async fn read(request: HttpRequest) -> Result<MockRequest, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
    Ok(MockRequest {
        method: head.method.to_string(),
        uri: head.uri.to_string(),
        headers: head.headers,
        body,
    })
}

fn write(response: MockResponse) -> Result<HttpResponse, ConnectorError> {
    let mut written = http::Response::new(SdkBody::from(response.body));
    *written.status_mut() = http::StatusCode::from_u16(response.status)
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    *written.headers_mut() = response.headers;
    HttpResponse::try_from(written).map_err(|error| ConnectorError::other(error.into(), None))
}
