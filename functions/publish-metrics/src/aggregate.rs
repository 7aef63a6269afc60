//! From assessments to metrics. Pure.

use std::collections::BTreeMap;
use std::str::FromStr;

use aws::cloudwatch::Metric;
use aws_sdk_cloudwatch::types::StandardUnit;
use domain::assessment::{AssessedImage, Assessment};
use domain::finding::Severity;

/// By what metrics are told apart. Every distinct set of values is a metric of its own, and each of them costs
/// money by the month: 1,000 repositories × 6 severities are 6,000 metrics, about 1,800 USD a month. The
/// digest is no dimension, ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DimensionName {
    /// The finding's severity; metrics about images have none.
    Severity,
    /// The environment of the repository, by the policy; `none` where it names none.
    Environment,
    Repository,
}

impl FromStr for DimensionName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "severity" => Ok(Self::Severity),
            "environment" => Ok(Self::Environment),
            "repository" => Ok(Self::Repository),
            other => Err(format!(
                "unknown dimension `{other}`: expected `severity`, `environment` or `repository`"
            )),
        }
    }
}

type Key = (&'static str, BTreeMap<String, String>);

/// Values in integers, so that equal ones meet: milliseconds, minutes or a count.
#[derive(Default)]
struct Sums(BTreeMap<Key, (Unit, BTreeMap<i64, u64>)>);

/// What the integers of a metric stand for.
#[derive(Clone, Copy, Default)]
enum Unit {
    #[default]
    Count,
    /// Minutes, published as seconds.
    Minutes,
    Milliseconds,
}

/// Aggregates assessments: each metric with its distinct values and how often each was seen.
pub fn aggregate(assessments: &[&Assessment], dimensions: &[DimensionName]) -> Vec<Metric> {
    let mut sums = Sums::default();
    for assessment in assessments {
        let image = |name| (name, image_dimensions(&assessment.image, dimensions));
        let finding = |name, severity| (name, finding_dimensions(&assessment.image, severity, dimensions));
        let changes = &assessment.changes;
        for (severity, count) in &changes.opened {
            sums.count(finding("FindingsOpened", severity), *count);
        }
        for (severity, count) in &changes.waived {
            sums.count(finding("FindingsWaived", severity), *count);
        }
        for (severity, minutes) in &changes.closed {
            sums.count(finding("FindingsClosed", severity), minutes.values().sum());
            for (minutes, count) in minutes {
                sums.add(finding("TimeToRemediate", severity), Unit::Minutes, *minutes, *count);
            }
        }
        // Gone from the image's account; its index has opened them again in its own.
        for (severity, count) in &changes.withdrawn {
            sums.count(finding("FindingsClosed", severity), *count);
        }
        if let Some(latency) = assessment.scan.as_ref().and_then(|scan| scan.latency_ms) {
            // A scan cannot end before the push; where the clocks of two services say so, it took no time.
            sums.add(image("ScanLatency"), Unit::Milliseconds, latency.max(0), 1);
        }
        sums.count(image("ImagesAssessed"), 1);
        if assessment.is_quarantined() {
            sums.count(image("ImagesQuarantined"), 1);
        }
        if assessment.ends_quarantine() {
            sums.count(image("ImagesReleased"), 1);
        }
    }
    sums.into_metrics()
}

impl Sums {
    fn add(&mut self, key: Key, unit: Unit, value: i64, count: u64) {
        let (known, values) = self.0.entry(key).or_default();
        *known = unit;
        *values.entry(value).or_default() += count;
    }

    /// Counts add up to one value: their sum is what matters, and one value is one value to pay for.
    fn count(&mut self, key: Key, count: u64) {
        let (_, values) = self.0.entry(key).or_default();
        let sum = values.pop_first().map_or(0, |(sum, _)| sum);
        values.insert(sum.saturating_add_unsigned(count), 1);
    }

    fn into_metrics(self) -> Vec<Metric> {
        self.0
            .into_iter()
            .map(|((name, dimensions), (unit, values))| Metric {
                name,
                unit: match unit {
                    Unit::Count => StandardUnit::Count,
                    Unit::Minutes => StandardUnit::Seconds,
                    Unit::Milliseconds => StandardUnit::Milliseconds,
                },
                dimensions,
                values: values
                    .into_iter()
                    .map(|(value, count)| (unit.published(value), float(count)))
                    .collect(),
            })
            .collect()
    }
}

impl Unit {
    // CloudWatch takes doubles; these are exact up to 2^53.
    #[allow(clippy::cast_precision_loss)]
    fn published(self, value: i64) -> f64 {
        match self {
            Self::Count | Self::Milliseconds => value as f64,
            Self::Minutes => value.saturating_mul(60) as f64,
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn float(count: u64) -> f64 {
    count as f64
}

fn image_dimensions(image: &AssessedImage, names: &[DimensionName]) -> BTreeMap<String, String> {
    names
        .iter()
        .filter_map(|name| match name {
            DimensionName::Severity => None,
            DimensionName::Environment => {
                Some(("Environment".to_owned(), ascii(image.environment.as_deref().unwrap_or("none"))))
            }
            DimensionName::Repository => Some(("Repository".to_owned(), ascii(&image.id.repository))),
        })
        .collect()
}

fn finding_dimensions(
    image: &AssessedImage,
    severity: &Severity,
    names: &[DimensionName],
) -> BTreeMap<String, String> {
    let mut dimensions = image_dimensions(image, names);
    if names.contains(&DimensionName::Severity) {
        dimensions.insert("Severity".to_owned(), ascii(severity.as_str()));
    }
    dimensions
}

/// CloudWatch takes printable ASCII, and not an empty text.
fn ascii(text: &str) -> String {
    let text: String =
        text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(1024).collect();
    if text.trim().is_empty() { "none".to_owned() } else { text }
}

#[cfg(test)]
mod tests;
