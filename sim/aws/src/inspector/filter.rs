//! Filter criteria of findings and covered resources. Inspector2 API reference, `FilterCriteria` and
//! `CoverageFilterCriteria`.

use serde_json::Value;

use super::coverage::IMAGE;
use super::error::invalid;
use crate::wire::error::ApiError;

const CONDITIONS: std::ops::RangeInclusive<usize> = 1..=10;

/// The type of the compared values, and their path.
#[derive(Debug, Clone, Copy)]
enum Subject {
    Text(&'static str),
    /// Seconds since 1970, `startInclusive` to `endInclusive`.
    Moment(&'static str),
    /// `lowerInclusive` to `upperInclusive`.
    Number(&'static str),
}

fn of_finding(criterion: &str) -> Option<Subject> {
    Some(match criterion {
        "findingArn" => Subject::Text("findingArn"),
        "awsAccountId" => Subject::Text("awsAccountId"),
        "findingType" => Subject::Text("type"),
        "severity" => Subject::Text("severity"),
        "findingStatus" => Subject::Text("status"),
        "title" => Subject::Text("title"),
        "fixAvailable" => Subject::Text("fixAvailable"),
        "exploitAvailable" => Subject::Text("exploitAvailable"),
        "resourceType" => Subject::Text("resources.type"),
        "resourceId" => Subject::Text("resources.id"),
        "ecrImageHash" => Subject::Text(IMAGE_HASH),
        "ecrImageRepositoryName" => Subject::Text("resources.details.awsEcrContainerImage.repositoryName"),
        "ecrImageRegistry" => Subject::Text("resources.details.awsEcrContainerImage.registry"),
        "ecrImageTags" => Subject::Text("resources.details.awsEcrContainerImage.imageTags"),
        "ecrImageArchitecture" => Subject::Text("resources.details.awsEcrContainerImage.architecture"),
        "vulnerabilityId" => Subject::Text("packageVulnerabilityDetails.vulnerabilityId"),
        "vulnerabilitySource" => Subject::Text("packageVulnerabilityDetails.source"),
        "vendorSeverity" => Subject::Text("packageVulnerabilityDetails.vendorSeverity"),
        "updatedAt" => Subject::Moment(UPDATED_AT),
        "firstObservedAt" => Subject::Moment("firstObservedAt"),
        "lastObservedAt" => Subject::Moment("lastObservedAt"),
        "ecrImagePushedAt" => Subject::Moment("resources.details.awsEcrContainerImage.pushedAt"),
        "ecrImageLastInUseAt" => Subject::Moment("resources.details.awsEcrContainerImage.lastInUseAt"),
        "ecrImageInUseCount" => Subject::Number("resources.details.awsEcrContainerImage.inUseCount"),
        "epssScore" => Subject::Number("epss.score"),
        "inspectorScore" => Subject::Number("inspectorScore"),
        _ => return None,
    })
}

fn of_resource(criterion: &str) -> Option<Subject> {
    Some(match criterion {
        "accountId" => Subject::Text("accountId"),
        "resourceId" => Subject::Text(RESOURCE_ID),
        "resourceType" => Subject::Text("resourceType"),
        "scanType" => Subject::Text("scanType"),
        "scanStatusCode" => Subject::Text("scanStatus.statusCode"),
        "scanStatusReason" => Subject::Text("scanStatus.reason"),
        "ecrRepositoryName" => Subject::Text("resourceMetadata.ecrRepository.name"),
        _ => return None,
    })
}

const UPDATED_AT: &str = "updatedAt";
const RESOURCE_ID: &str = "resourceId";
const IMAGE_HASH: &str = "resources.details.awsEcrContainerImage.imageHash";

/// The ARNs of the images that a finding is about.
pub(super) fn image_arns(finding: &Value) -> impl Iterator<Item = &str> {
    let resources = finding.get("resources").and_then(Value::as_array).into_iter().flatten();
    let images = resources.filter(|resource| resource.get("type").and_then(Value::as_str) == Some(IMAGE));
    images.filter_map(|resource| resource.get("id").and_then(Value::as_str))
}

/// When a finding was updated last, in milliseconds since 1970.
pub(super) fn updated_at(finding: &Value) -> Option<i64> {
    finding.get(UPDATED_AT).and_then(Value::as_f64).map(milliseconds)
}

/// Saturates where a bound is open.
#[allow(clippy::cast_possible_truncation)]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1_000.0).round() as i64
}

/// The digests of the images that a finding is about.
pub(crate) fn image_digests(finding: &Value) -> Vec<&str> {
    values(finding, IMAGE_HASH).into_iter().filter_map(Value::as_str).collect()
}

#[derive(Debug)]
enum Condition {
    Equals(String),
    Prefix(String),
    NotEquals(String),
    Between(f64, f64),
}

/// All criteria must hold. Of the conditions of one criterion, any one must hold, but every `NOT_EQUALS`,
/// because one of two would always hold.
#[derive(Debug, Default)]
pub(crate) struct Filter(Vec<(Subject, Vec<Condition>)>);

impl Filter {
    /// Reads the `filterCriteria` of `ListFindings`.
    ///
    /// # Errors
    /// `ValidationException` for a criterion that is not implemented: ignoring it would list too much.
    pub(crate) fn of_findings(criteria: Option<&Value>) -> Result<Self, ApiError> {
        Self::read(criteria, of_finding, &["EQUALS", "PREFIX", "NOT_EQUALS"])
    }

    /// Reads the `filterCriteria` of `ListCoverage`, which has no `PREFIX`.
    pub(crate) fn of_resources(criteria: Option<&Value>) -> Result<Self, ApiError> {
        Self::read(criteria, of_resource, &["EQUALS", "NOT_EQUALS"])
    }

    fn read(
        criteria: Option<&Value>,
        subject: fn(&str) -> Option<Subject>,
        comparisons: &[&str],
    ) -> Result<Self, ApiError> {
        let mut filter = Self::default();
        for (name, conditions) in criteria.and_then(Value::as_object).into_iter().flatten() {
            let subject = subject(name).ok_or_else(|| {
                invalid(format!("filterCriteria.{name} is not implemented by the simulated AWS"))
            })?;
            let conditions = conditions.as_array().map_or(&[][..], Vec::as_slice);
            if !CONDITIONS.contains(&conditions.len()) {
                return Err(invalid(format!("filterCriteria.{name} must have 1 to 10 members")));
            }
            let conditions = conditions
                .iter()
                .map(|condition| read_condition(subject, condition, comparisons))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| invalid(format!("filterCriteria.{name} has a malformed condition")))?;
            filter.0.push((subject, conditions));
        }
        Ok(filter)
    }

    pub(crate) fn admits(&self, value: &Value) -> bool {
        self.0.iter().all(|(subject, conditions)| {
            let (Subject::Text(path) | Subject::Moment(path) | Subject::Number(path)) = *subject;
            let values = values(value, path);
            let (exclusions, alternatives): (Vec<_>, Vec<_>) =
                conditions.iter().partition(|condition| matches!(condition, Condition::NotEquals(_)));
            let holds = |condition: &&Condition| condition.holds(&values);
            exclusions.iter().all(holds) && (alternatives.is_empty() || alternatives.iter().any(holds))
        })
    }

    /// The image digests of which one must fit, where the filter asks for whole digests and for nothing else about
    /// them.
    pub(crate) fn only_digests(&self) -> Option<Vec<&str>> {
        self.only(IMAGE_HASH)
    }

    /// The same for the ids of covered resources.
    pub(super) fn only_resources(&self) -> Option<Vec<&str>> {
        self.only(RESOURCE_ID)
    }

    fn only(&self, path: &str) -> Option<Vec<&str>> {
        let is_it = |subject: &Subject| matches!(subject, Subject::Text(text) if *text == path);
        let (_, conditions) = self.0.iter().find(|(subject, _)| is_it(subject))?;
        conditions
            .iter()
            .map(|condition| match condition {
                Condition::Equals(digest) => Some(digest.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The first and the last moment at which a finding may have been updated, in milliseconds since 1970, where the
    /// filter asks for that.
    pub(super) fn updated_between(&self) -> Option<(i64, i64)> {
        let (_, conditions) =
            self.0.iter().find(|(subject, _)| matches!(subject, Subject::Moment(UPDATED_AT)))?;
        let bounds = conditions.iter().filter_map(|condition| match condition {
            Condition::Between(from, until) => Some((milliseconds(*from), milliseconds(*until))),
            _ => None,
        });
        bounds
            .reduce(|(from, until), (other_from, other_until)| (from.min(other_from), until.max(other_until)))
    }

    /// The image digests that the filter names.
    pub(crate) fn wanted_digests(&self) -> Vec<&str> {
        let by_hash = self.0.iter().filter(|(subject, _)| matches!(subject, Subject::Text(IMAGE_HASH)));
        by_hash
            .flat_map(|(_, conditions)| conditions)
            .filter_map(|condition| match condition {
                Condition::Equals(digest) => Some(digest.as_str()),
                _ => None,
            })
            .collect()
    }
}

impl Condition {
    fn holds(&self, values: &[&Value]) -> bool {
        let any = |test: &dyn Fn(&str) -> bool| values.iter().filter_map(|value| value.as_str()).any(test);
        match self {
            Self::Equals(wanted) => any(&|value| value == wanted),
            Self::Prefix(wanted) => any(&|value| value.starts_with(wanted.as_str())),
            Self::NotEquals(unwanted) => !any(&|value| value == unwanted),
            Self::Between(lowest, highest) => values
                .iter()
                .filter_map(|value| value.as_f64())
                .any(|value| (*lowest..=*highest).contains(&value)),
        }
    }
}

fn read_condition(subject: Subject, condition: &Value, comparisons: &[&str]) -> Option<Condition> {
    let bound = |name: &str, open: f64| condition.get(name).map_or(Some(open), Value::as_f64);
    match subject {
        Subject::Text(_) => {
            let value = condition.get("value")?.as_str()?.to_owned();
            let comparison = condition.get("comparison")?.as_str()?;
            match comparison {
                _ if !comparisons.contains(&comparison) => None,
                "EQUALS" => Some(Condition::Equals(value)),
                "PREFIX" => Some(Condition::Prefix(value)),
                "NOT_EQUALS" => Some(Condition::NotEquals(value)),
                _ => None,
            }
        }
        Subject::Moment(_) => Some(Condition::Between(
            bound("startInclusive", f64::NEG_INFINITY)?,
            bound("endInclusive", f64::INFINITY)?,
        )),
        Subject::Number(_) => Some(Condition::Between(
            bound("lowerInclusive", f64::NEG_INFINITY)?,
            bound("upperInclusive", f64::INFINITY)?,
        )),
    }
}

/// All values at a path of member names; a list on the path stands for each of its items.
fn values<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    let spread = |value: &'a Value| match value {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    };
    path.split('.').fold(vec![value], |reached, name| {
        reached.into_iter().filter_map(|value| value.get(name)).flat_map(spread).collect()
    })
}
