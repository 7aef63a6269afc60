//! Downloading layers through the real ECR client, and from the URL that it is given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use std::net::SocketAddr;

use account::{ACCOUNT, NOW, account, digest_of, manifest};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::ProvideErrorMetadata as _;
use sim_aws::{Fault, Nth, SeedImage, SimulatedAws};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The digest of the config of an image in `app`, which this puts there.
fn seed(aws: &SimulatedAws) -> String {
    let manifest = manifest("the config");
    aws.ecr().seed_image(SeedImage {
        registry: ACCOUNT.to_owned(),
        repository: "app".to_owned(),
        digest: digest_of(&manifest),
        manifest: Some(manifest),
        pushed_at: NOW,
        ..SeedImage::default()
    });
    let config = digest_of("the config");
    aws.ecr().seed_layer(ACCOUNT, "app", &config, "the config");
    config
}

async fn url(client: &Client, layer: &str) -> Result<String, String> {
    let answer = client.get_download_url_for_layer().repository_name("app").layer_digest(layer).send().await;
    match answer {
        Ok(answer) => {
            assert_eq!(answer.layer_digest(), Some(layer));
            Ok(answer.download_url.unwrap())
        }
        Err(error) => Err(error.into_service_error().code().unwrap().to_owned()),
    }
}

/// The response to a GET by plain HTTP.
async fn get(address: SocketAddr, url: &str) -> String {
    let path = url.strip_prefix(&format!("http://{address}")).expect("the URL leads elsewhere");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn layer_of_an_image_is_downloaded_from_the_url_that_is_given() {
    let aws = account();
    let config = seed(&aws);
    let (address, task) = aws.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let endpoint = aws.sdk_config().await.to_builder().endpoint_url(format!("http://{address}")).build();
    let inside = Client::new(&aws.sdk_config().await);
    assert!(url(&inside, &config).await.unwrap().starts_with("https://api.ecr.eu-central-1.amazonaws.com/"));
    // The client in the process tells the account where it believes that to be.
    let given = url(&Client::new(&endpoint), &config).await.unwrap();
    let got = get(address, &given).await;
    assert!(got.starts_with("HTTP/1.1 200 ") && got.ends_with("\r\n\r\nthe config"), "{got}");
    let (unsigned, _) = given.split_once('?').unwrap();
    assert!(get(address, unsigned).await.starts_with("HTTP/1.1 403 "));
    let (other, _) = given.split_once("X-Amz-Signature=").unwrap();
    assert!(get(address, &format!("{other}X-Amz-Signature=0")).await.starts_with("HTTP/1.1 403 "));
    for (fault, status) in [(Fault::Throttle, "503"), (Fault::Denied, "403"), (Fault::ServerError, "500")] {
        aws.faults().inject("s3:GetObject", fault, Nth::Times(1));
        assert!(get(address, &given).await.starts_with(&format!("HTTP/1.1 {status} ")), "{fault:?}");
    }
    assert_eq!(aws.calls()["s3:GetObject"], 6);
    task.abort();
}

#[tokio::test]
async fn layer_that_is_not_there_or_in_no_image_has_no_url() {
    let aws = account();
    let config = seed(&aws);
    let client = Client::new(&aws.sdk_config().await);
    assert!(url(&client, &config).await.is_ok());
    let absent = url(&client, &digest_of("layer")).await;
    assert_eq!(absent.unwrap_err(), "LayersNotFoundException");
    let orphan = digest_of("orphan");
    aws.ecr().seed_layer(ACCOUNT, "app", &orphan, "orphan");
    assert_eq!(url(&client, &orphan).await.unwrap_err(), "LayerInaccessibleException");
    assert_eq!(url(&client, "config").await.unwrap_err(), "InvalidParameterException");
    let elsewhere = client.get_download_url_for_layer().repository_name("other").layer_digest(&config).send();
    let error = elsewhere.await.unwrap_err().into_service_error();
    assert!(error.is_repository_not_found_exception(), "{error:?}");
}
