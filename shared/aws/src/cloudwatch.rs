//! Custom metrics in CloudWatch.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use jiff::Timestamp;

use crate::AwsError;

/// CloudWatch's limits: metrics per call, and distinct values per metric.
const METRICS_PER_CALL: usize = 1000;
const VALUES_PER_METRIC: usize = 150;

/// One metric with one set of dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub name: &'static str,
    pub unit: StandardUnit,
    /// Name and value.
    pub dimensions: BTreeMap<String, String>,
    /// Each value and how many times it occurred.
    pub values: Vec<(f64, f64)>,
}

/// A namespace in CloudWatch.
#[derive(Debug, Clone)]
pub struct Metrics {
    client: Client,
    namespace: String,
}

impl Metrics {
    pub fn new(client: Client, namespace: String) -> Self {
        Self { client, namespace }
    }

    /// Publishes metrics under one timestamp, in as few calls as CloudWatch's limits allow.
    pub async fn publish(&self, metrics: &[Metric], at: Timestamp) -> Result<(), AwsError> {
        let data: Vec<MetricDatum> = metrics
            .iter()
            .flat_map(|metric| {
                metric.values.chunks(VALUES_PER_METRIC).map(|values| datum(metric, values, at))
            })
            .collect();
        for data in data.chunks(METRICS_PER_CALL) {
            self.client
                .put_metric_data()
                .namespace(&self.namespace)
                .set_metric_data(Some(data.to_vec()))
                .send()
                .await
                .map_err(|error| AwsError::of("cloudwatch:PutMetricData", error))?;
        }
        Ok(())
    }
}

fn datum(metric: &Metric, values: &[(f64, f64)], at: Timestamp) -> MetricDatum {
    let dimensions = metric
        .dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(name).value(value).build())
        .collect();
    MetricDatum::builder()
        .metric_name(metric.name)
        .unit(metric.unit.clone())
        .set_dimensions(Some(dimensions))
        .timestamp(DateTime::from_millis(at.as_millisecond()))
        .set_values(Some(values.iter().map(|(value, _)| *value).collect()))
        .set_counts(Some(values.iter().map(|(_, count)| *count).collect()))
        .build()
}
