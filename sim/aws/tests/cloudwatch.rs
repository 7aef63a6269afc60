//! Metric data through the real `CloudWatch` client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use account::{NOW, account};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};

fn datum(name: &str) -> MetricDatum {
    MetricDatum::builder().metric_name(name).value(1.0).build()
}

#[tokio::test]
async fn metric_data_are_kept_as_they_were_put() {
    let aws = account();
    let client = aws_sdk_cloudwatch::Client::new(&aws.sdk_config().await);
    let datum = MetricDatum::builder()
        .metric_name("Findings")
        .unit(StandardUnit::Count)
        .dimensions(Dimension::builder().name("Severity").value("HIGH").build())
        .values(3.0)
        .values(4.5)
        .counts(1.0)
        .counts(2.0)
        .timestamp(DateTime::from_millis(NOW - 1500))
        .build();
    let request = client.put_metric_data().namespace("EcrWarden").metric_data(datum);
    request.metric_data(self::datum("Images")).send().await.unwrap();
    let published = aws.cloudwatch().metric_data();
    let first = &published[0];
    assert_eq!((first.namespace.as_str(), first.name.as_str()), ("EcrWarden", "Findings"));
    assert_eq!((first.unit.as_deref(), first.timestamp_ms), (Some("Count"), Some(NOW - 1500)));
    assert_eq!(first.values, [(3.0, 1.0), (4.5, 2.0)]);
    assert_eq!(first.dimensions["Severity"], "HIGH");
    assert_eq!((published[1].values.as_slice(), published[1].timestamp_ms), (&[(1.0, 1.0)][..], None));
}

#[tokio::test]
async fn large_metric_request_is_accepted_only_compressed() {
    let aws = account();
    let config = aws.sdk_config().await;
    let dimension = Dimension::builder().name("Image").value("x".repeat(1024)).build();
    let datum = MetricDatum::builder().metric_name("Findings").value(1.0).dimensions(dimension).build();
    let plain = config.to_builder().disable_request_compression(true).build();
    for (config, taken) in [(plain, 0), (config, 1000)] {
        let request = aws_sdk_cloudwatch::Client::new(&config).put_metric_data().namespace("EcrWarden");
        let response = request.set_metric_data(Some(vec![datum.clone(); 1000])).send().await;
        assert_eq!(response.is_ok(), taken > 0);
        assert_eq!(aws.cloudwatch().metric_data().len(), taken);
    }
}

#[tokio::test]
async fn metric_data_that_cloudwatch_refuses_are_refused() {
    let aws = account();
    let client = aws_sdk_cloudwatch::Client::new(&aws.sdk_config().await);
    let builder = || MetricDatum::builder().metric_name("Findings");
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let dimensions = (0..31).map(|number| dimension(&format!("d{number}"), "x")).collect();
    let at = |offset: i64| builder().value(1.0).timestamp(DateTime::from_millis(NOW + offset)).build();
    let hour = 60 * 60 * 1000;
    for (code, data) in [
        ("InvalidParameterValue", vec![datum("x"); 1001]),
        ("InvalidParameterValue", vec![datum("fine"), builder().value(f64::NAN).build()]),
        ("InvalidParameterValue", vec![builder().value(f64::INFINITY).build()]),
        ("InvalidParameterValue", vec![builder().set_values(Some(vec![1.0; 151])).build()]),
        ("InvalidParameterValue", vec![builder().values(1.0).values(2.0).counts(1.0).build()]),
        ("InvalidParameterCombination", vec![builder().value(1.0).values(2.0).build()]),
        ("MissingParameter", vec![builder().build()]),
        ("InvalidParameterValue", vec![builder().value(1.0).set_dimensions(Some(dimensions)).build()]),
        ("InvalidParameterValue", vec![builder().value(1.0).dimensions(dimension("d", "")).build()]),
        ("InvalidParameterValue", vec![builder().value(1.0).dimensions(dimension("d", "größer")).build()]),
        (
            "InvalidParameterValue",
            vec![builder().value(1.0).dimensions(dimension("d", &"x".repeat(1025))).build()],
        ),
        ("InvalidParameterValue", vec![at(-14 * 24 * hour - 1000)]),
        ("InvalidParameterValue", vec![at(2 * hour + 1000)]),
    ] {
        let request = client.put_metric_data().namespace("EcrWarden").set_metric_data(Some(data));
        let error = request.send().await.unwrap_err().into_service_error();
        assert_eq!(error.meta().code(), Some(code), "{error:?}");
    }
    let request = client.put_metric_data().namespace("AWS/ECR").metric_data(datum("x"));
    let error = request.send().await.unwrap_err().into_service_error();
    assert!(error.is_invalid_parameter_value_exception(), "{error:?}");
    assert!(aws.cloudwatch().metric_data().is_empty());
    for offset in [-14 * 24 * hour, 2 * hour] {
        client.put_metric_data().namespace("EcrWarden").metric_data(at(offset)).send().await.unwrap();
    }
}
