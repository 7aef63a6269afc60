//! HTTP/1.1 on a loopback address, for processes that are configured with an endpoint URL.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use winterbaume_core::MockRequest;

use crate::dispatch::{Dispatcher, Outcome};

/// Why a connection ends without a response.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("an injected fault lost the response")]
    ResponseLost,
    #[error("the request could not be read")]
    Unreadable(#[source] hyper::Error),
    #[error("the response could not be written")]
    Unwritable(#[source] http::Error),
}

/// Listens on a loopback address until the task is aborted; aborting it closes its connections.
///
/// # Errors
/// `InvalidInput` for an address that other machines could reach, because no signature is checked.
pub(crate) async fn listen(
    dispatcher: Arc<Dispatcher>,
    address: SocketAddr,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    if !address.ip().is_loopback() {
        let message = format!(
            "cannot serve the simulated AWS on `{address}`: expected a loopback address, \
             because signatures are not checked"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    // A client may give up before it is accepted.
                    if let Ok((stream, _)) = accepted {
                        connections.spawn(serve_connection(Arc::clone(&dispatcher), stream));
                    }
                }
                Some(_finished) = connections.join_next() => {}
            }
        }
    });
    Ok((bound, task))
}

async fn serve_connection(dispatcher: Arc<Dispatcher>, stream: TcpStream) -> Result<(), Infallible> {
    let service = service_fn(move |request| respond(Arc::clone(&dispatcher), request));
    // The client notices a broken connection, and a fault may have broken it on purpose.
    let _ended =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    Ok(())
}

async fn respond(
    dispatcher: Arc<Dispatcher>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(Broken::Unreadable)?.to_bytes();
    let request = MockRequest {
        method: head.method.to_string(),
        uri: head.uri.to_string(),
        headers: head.headers,
        body,
    };
    match dispatcher.handle(request).await {
        Outcome::ConnectionLost => Err(Broken::ResponseLost),
        Outcome::Response(response) => {
            let mut written = http::Response::builder()
                .status(response.status)
                .body(Full::new(response.body))
                .map_err(Broken::Unwritable)?;
            *written.headers_mut() = response.headers;
            Ok(written)
        }
    }
}
