//! The same services over HTTP, for processes that only know an endpoint URL.

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

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("an injected fault lost the answer")]
    AnswerLost,
    #[error("the request could not be read")]
    Unreadable(#[source] hyper::Error),
    #[error("the answer could not be written")]
    Unwritable(#[source] http::Error),
}

/// Listens on a loopback address until the task is aborted; aborting it closes its connections.
///
/// # Errors
/// `InvalidInput` for an address that other machines could reach: nothing in here checks a signature.
pub(crate) async fn listen(
    dispatcher: Arc<Dispatcher>,
    address: SocketAddr,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    if !address.ip().is_loopback() {
        let message = format!("{address} is not a loopback address, and the local AWS believes everybody");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    // A client that gave up before it was accepted is no reason to stop.
                    if let Ok((stream, _)) = accepted {
                        connections.spawn(converse(Arc::clone(&dispatcher), stream));
                    }
                }
                Some(_finished) = connections.join_next() => {}
            }
        }
    });
    Ok((bound, task))
}

async fn converse(dispatcher: Arc<Dispatcher>, stream: TcpStream) -> Result<(), Infallible> {
    let service = service_fn(move |request| respond(Arc::clone(&dispatcher), request));
    // A connection that breaks is the client's to notice, and often what a fault is meant to do.
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
        Outcome::ConnectionLost => Err(Broken::AnswerLost),
        Outcome::Answer(answer) => {
            let mut response = http::Response::builder()
                .status(answer.status)
                .body(Full::new(answer.body))
                .map_err(Broken::Unwritable)?;
            *response.headers_mut() = answer.headers;
            Ok(response)
        }
    }
}
