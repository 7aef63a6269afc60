//! Amazon Inspector's API.
//! <https://docs.aws.amazon.com/inspector/v2/APIReference/Welcome.html>

mod listing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_inspector2::Client;
use aws_sdk_inspector2::types::{
    ClusterDetails, ClusterForImageFilterCriteria, ClusterInformation, ClusterMetadata,
    CoverageFilterCriteria, CoverageStringComparison, CoverageStringFilter, CoveredResource, EpssDetails,
    ExploitAvailable, FilterCriteria, Finding as ApiFinding, FindingDetail, FindingDetailsErrorCode,
    FixAvailable, PackageVulnerabilityDetails, ResourceScanMetadata, StringComparison, StringFilter,
};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use futures::StreamExt;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::AwsError;
use crate::time::timestamp;
use domain::finding::{Finding, FindingError, InspectorFinding, InspectorPackage, KnownExploited};
use domain::image::ImageId;
use domain::ledger::{CoverageAnswer, Exploitation, Usage};
use domain::provenance::{Workload, Workloads};

/// Why findings could not be listed.
#[derive(Debug, Error)]
pub enum FindingsError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A finding that cannot be read. A retry cannot help.
    #[error(transparent)]
    Finding(#[from] FindingError),
}

impl FindingsError {
    /// Whether a retry may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Aws(error) if error.retryable)
    }
}

/// What Inspector knows about exploitation, as far as it could be had.
#[derive(Debug, Default)]
pub struct ExploitationAnswers {
    /// By vulnerability.
    pub known: BTreeMap<String, Exploitation>,
    /// The vulnerabilities among them of whose findings Inspector had no details. Another finding of the same
    /// vulnerability may have some.
    pub without_details: BTreeSet<String>,
    /// Why the rest could not be had.
    pub error: Option<AwsError>,
}

#[derive(Debug, Clone)]
pub struct Inspector {
    client: Client,
    partition: Option<String>,
    /// Lets so much be asked at once.
    conversations: Arc<Semaphore>,
}

/// The type of resources that are images of ECR.
const IMAGE_RESOURCE: &str = "AWS_ECR_CONTAINER_IMAGE";
/// The largest pages, or each call would return as few as Inspector likes.
const FINDINGS_PER_PAGE: i32 = 100;
const RESOURCES_PER_PAGE: i32 = 200;
const CLUSTERS_PER_PAGE: i32 = 100;
/// How many pages of clusters are read: ten workloads are named, and those left out counted.
const PAGES_OF_CLUSTERS: usize = 5;
/// How many ARNs one `BatchGetFindingDetails` takes.
const ARNS_PER_CALL: usize = 10;
/// How many of these calls run concurrently.
const CALLS_AT_ONCE: usize = 4;
/// Of how many images at most something is asked at once. Inspector lets few calls through a second, and does not publish
/// how many. Were more images asked about, each would take longer, and more lists would be half read when time is up.
const CONVERSATIONS: usize = 3;
/// How often a call is attempted, and how long it waits in between at most: with three at once and calls at random, one
/// that Inspector lets through a second is seldom missed, and an attempt seldom is the last one.
const ATTEMPTS: u32 = 20;
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A client with patience: of what is throttled it waits for its turn, and what one call had to wait is not held against the
/// next one, as the SDK does for services that have failed for long.
pub fn client(config: &SdkConfig) -> Client {
    let retries = config.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
    let wait = retries.max_backoff().min(LONGEST_WAIT);
    let partition = RetryPartition::custom("inspector").token_bucket(TokenBucket::unlimited()).build();
    let config = aws_sdk_inspector2::config::Builder::from(config)
        .retry_config(retries.with_max_attempts(ATTEMPTS).with_max_backoff(wait))
        .retry_partition(partition);
    Client::from_conf(config.build())
}

impl Inspector {
    /// `partition` is that of the account, such as `aws-cn`; without it, it follows from an image's region.
    pub fn new(client: Client, partition: Option<String>) -> Self {
        Self { client, partition, conversations: Arc::new(Semaphore::new(CONVERSATIONS)) }
    }

    /// Waits for its turn to ask, until what it returns is dropped.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed, which is all that can go wrong.
        self.conversations.acquire().await.ok()
    }

    /// All findings of an image, of every status, from all pages.
    pub async fn findings(&self, image: &ImageId) -> Result<Vec<Finding>, FindingsError> {
        const ACTION: &str = "inspector2:ListFindings";
        let _turn = self.turn().await;
        let criteria = FilterCriteria::builder()
            .ecr_image_hash(equals(image.digest.as_str())?)
            .ecr_image_repository_name(equals(&image.repository)?)
            .aws_account_id(equals(&image.account)?)
            .finding_status(equals("ACTIVE")?)
            .finding_status(equals("SUPPRESSED")?)
            .finding_status(equals("CLOSED")?)
            .build();
        let mut pages = self
            .client
            .list_findings()
            .filter_criteria(criteria)
            .into_paginator()
            .page_size(FINDINGS_PER_PAGE)
            .send();
        let mut findings = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of(ACTION, error))?;
            for finding in page.findings() {
                findings.push(read(finding)?);
            }
        }
        Ok(findings)
    }

    /// What is known about the exploitation of vulnerabilities, each given with the ARN of one of its findings. No other
    /// call returns CISA's data. Of a finding that Inspector has no details of, nothing is known. A call that fails
    /// does not take the answers of the others with it.
    pub async fn exploitation(
        &self,
        findings: &[(String, String)],
        asked_at: Timestamp,
    ) -> ExploitationAnswers {
        let _turn = self.turn().await;
        let mut answers = ExploitationAnswers::default();
        let mut calls = futures::stream::iter(findings.chunks(ARNS_PER_CALL))
            .map(|chunk| self.details(chunk, asked_at))
            .buffer_unordered(CALLS_AT_ONCE);
        while let Some(answer) = calls.next().await {
            match answer {
                Ok((known, without_details)) => {
                    answers.known.extend(known);
                    answers.without_details.extend(without_details);
                }
                Err(error) => answers.error = Some(error),
            }
        }
        answers
    }

    async fn details(
        &self,
        findings: &[(String, String)],
        asked_at: Timestamp,
    ) -> Result<(BTreeMap<String, Exploitation>, BTreeSet<String>), AwsError> {
        const ACTION: &str = "inspector2:BatchGetFindingDetails";
        let vulnerability_of: BTreeMap<&str, &str> =
            findings.iter().map(|(vulnerability, arn)| (arn.as_str(), vulnerability.as_str())).collect();
        let answer = self
            .client
            .batch_get_finding_details()
            .set_finding_arns(Some(findings.iter().map(|(_, arn)| arn.clone()).collect()))
            .send()
            .await
            .map_err(|error| AwsError::of(ACTION, error))?;
        let broken = answer
            .errors()
            .iter()
            .find(|error| *error.error_code() != FindingDetailsErrorCode::FindingDetailsNotFound);
        if let Some(error) = broken {
            let reason = format!("{}: {}", error.error_code(), error.error_message());
            return Err(AwsError::answer(ACTION, reason, true));
        }
        let known = |detail: &FindingDetail| {
            detail.cisa_data().map(|cisa| KnownExploited {
                added: cisa.date_added().and_then(timestamp),
                due: cisa.date_due().and_then(timestamp),
            })
        };
        let vulnerability = |arn: Option<&str>| Some((*vulnerability_of.get(arn?)?).to_owned());
        let missing = answer.errors().iter().map(|error| (Some(error.finding_arn()), None));
        let details = answer.finding_details().iter().map(|detail| (detail.finding_arn(), known(detail)));
        let answers = missing
            .clone()
            .chain(details)
            .filter_map(|(arn, known)| Some((vulnerability(arn)?, Exploitation { asked_at, known })));
        Ok((answers.collect(), missing.filter_map(|(arn, _)| vulnerability(arn)).collect()))
    }

    /// Whether Inspector scans an image, and how it is used. Of several entries about it the one that says yes counts.
    pub async fn coverage(&self, image: &ImageId) -> Result<CoverageAnswer, AwsError> {
        const ACTION: &str = "inspector2:ListCoverage";
        let _turn = self.turn().await;
        let arn = self.partition.as_ref().map_or_else(|| image.arn(), |partition| image.arn_in(partition));
        let criteria = CoverageFilterCriteria::builder().resource_id(covers(ACTION, &arn)?).build();
        let mut pages = self
            .client
            .list_coverage()
            .filter_criteria(criteria)
            .into_paginator()
            .page_size(RESOURCES_PER_PAGE)
            .send();
        let mut best = CoverageAnswer::not_listed();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of(ACTION, error))?;
            for resource in page.covered_resources() {
                best = best.max(answer(resource).unwrap_or_else(CoverageAnswer::not_listed));
            }
        }
        Ok(best)
    }

    /// How many images of an account Inspector scans.
    /// <https://docs.aws.amazon.com/inspector/v2/APIReference/API_ListCoverageStatistics.html>
    pub async fn covered_count(&self, account: &str) -> Result<u64, AwsError> {
        const ACTION: &str = "inspector2:ListCoverageStatistics";
        let criteria = CoverageFilterCriteria::builder()
            .resource_type(covers(ACTION, IMAGE_RESOURCE)?)
            .account_id(covers(ACTION, account)?)
            .scan_status_code(covers(ACTION, "ACTIVE")?)
            .build();
        let request = self.client.list_coverage_statistics().filter_criteria(criteria);
        let answer = request.send().await.map_err(|error| AwsError::of(ACTION, error))?;
        u64::try_from(answer.total_counts())
            .map_err(|_| AwsError::answer(ACTION, "the answer has a negative count", true))
    }

    /// The reason that most of the first two hundred images have that Inspector lists and does not scan.
    pub async fn uncovered_because(&self, account: &str) -> Result<Option<String>, AwsError> {
        const ACTION: &str = "inspector2:ListCoverage";
        let criteria = CoverageFilterCriteria::builder()
            .resource_type(covers(ACTION, IMAGE_RESOURCE)?)
            .account_id(covers(ACTION, account)?)
            .scan_status_code(covers(ACTION, "INACTIVE")?)
            .build();
        let request = self.client.list_coverage().filter_criteria(criteria).max_results(RESOURCES_PER_PAGE);
        let page = request.send().await.map_err(|error| AwsError::of(ACTION, error))?;
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for answer in page.covered_resources().iter().filter_map(answer) {
            *reasons.entry(answer.reason).or_default() += 1;
        }
        Ok(reasons.into_iter().max_by_key(|(_, count)| *count).map(|(reason, _)| reason))
    }

    /// What runs an image. For one that is part of an index Inspector never knows.
    pub async fn workloads(&self, image: &ImageId) -> Result<Workloads, AwsError> {
        const ACTION: &str = "inspector2:GetClustersForImage";
        let _turn = self.turn().await;
        let arn = self.partition.as_ref().map_or_else(|| image.arn(), |partition| image.arn_in(partition));
        let filter = ClusterForImageFilterCriteria::builder()
            .resource_id(arn)
            .build()
            .map_err(|error| AwsError::answer(ACTION, error.to_string(), false))?;
        let mut pages = self
            .client
            .get_clusters_for_image()
            .filter(filter)
            .into_paginator()
            .page_size(CLUSTERS_PER_PAGE)
            .send();
        let mut workloads = Vec::new();
        for _ in 0..PAGES_OF_CLUSTERS {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(|error| AwsError::of(ACTION, error))?;
            workloads.extend(page.cluster().iter().flat_map(in_cluster));
        }
        Ok(Workloads::of(workloads))
    }
}

/// What runs an image in a cluster, as far as Inspector has details of it.
fn in_cluster(cluster: &ClusterInformation) -> Vec<Workload> {
    let arn = cluster.cluster_arn();
    match cluster.cluster_details() {
        [] => vec![Workload::new(arn, None, None, None)],
        details => details.iter().map(|details| in_detail(arn, details)).collect(),
    }
}

fn in_detail(cluster_arn: &str, details: &ClusterDetails) -> Workload {
    let name = match details.cluster_metadata() {
        Some(ClusterMetadata::AwsEcsMetadataDetails(task)) => Some(task.details_group().to_owned()),
        Some(ClusterMetadata::AwsEksMetadataDetails(pods)) => {
            let workloads = pods.workload_info_list().iter();
            let names: Vec<String> =
                workloads.map(|workload| format!("{} {}", workload.r#type(), workload.name())).collect();
            let namespace = pods.namespace().map(|namespace| format!("{namespace}/")).unwrap_or_default();
            Some(format!("{namespace}{}", names.join(", ")))
        }
        _ => None,
    };
    Workload::new(cluster_arn, name, details.running_unit_count(), details.stopped_unit_count())
}

/// What Inspector says of a resource; `None` where it says nothing of its scans.
fn answer(resource: &CoveredResource) -> Option<CoverageAnswer> {
    let status = resource.scan_status()?;
    let scanned_at = resource.last_scanned_at().and_then(timestamp);
    let read = CoverageAnswer::read(status.status_code().as_str(), status.reason().as_str(), scanned_at);
    Some(CoverageAnswer { usage: usage(resource), ..read })
}

fn usage(resource: &CoveredResource) -> Usage {
    let Some(image) = resource.resource_metadata().and_then(ResourceScanMetadata::ecr_image) else {
        return Usage::default();
    };
    Usage {
        count: image.in_use_count().and_then(|count| count.try_into().ok()),
        last_at: image.last_in_use_at().and_then(timestamp),
        pulled_at: image.image_pulled_at().and_then(timestamp),
    }
}

fn covers(action: &'static str, value: &str) -> Result<CoverageStringFilter, AwsError> {
    CoverageStringFilter::builder()
        .comparison(CoverageStringComparison::Equals)
        .value(value)
        .build()
        .map_err(|error| AwsError::answer(action, error.to_string(), false))
}

fn equals(value: &str) -> Result<StringFilter, AwsError> {
    StringFilter::builder()
        .comparison(StringComparison::Equals)
        .value(value)
        .build()
        .map_err(|error| AwsError::answer("inspector2:ListFindings", error.to_string(), false))
}

fn read(finding: &ApiFinding) -> Result<Finding, FindingError> {
    let details = finding.package_vulnerability_details();
    let packages = details.map(PackageVulnerabilityDetails::vulnerable_packages).unwrap_or_default();
    let finding = InspectorFinding {
        arn: finding.finding_arn(),
        status: finding.status().as_str(),
        severity: Some(finding.severity().as_str()),
        kind: Some(finding.r#type().as_str()),
        vulnerability: details.map(PackageVulnerabilityDetails::vulnerability_id),
        score: finding.inspector_score(),
        epss: finding.epss().map(EpssDetails::score),
        exploit_available: finding.exploit_available().map(ExploitAvailable::as_str),
        fix_available: finding.fix_available().map(FixAvailable::as_str),
        packages: packages
            .iter()
            .map(|package| InspectorPackage {
                name: Some(package.name()),
                version: Some(package.version()),
                release: package.release(),
                fixed_in_version: package.fixed_in_version(),
            })
            .collect(),
        updated_at: finding.updated_at().and_then(timestamp),
        first_observed_at: timestamp(finding.first_observed_at()),
        last_observed_at: timestamp(finding.last_observed_at()),
    };
    finding.read()
}

#[cfg(test)]
mod tests {
    use aws_sdk_inspector2::types::ScanStatusReason;
    use domain::ledger::ScanReason;

    #[test]
    fn every_reason_that_the_sdk_knows_is_told_in_words() {
        let codes = ScanStatusReason::values();
        assert!(codes.len() >= 39);
        let untold: Vec<&&str> = codes.iter().filter(|code| !ScanReason::read(code).is_known).collect();
        assert!(untold.is_empty(), "add them to the reasons of the domain: {untold:?}");
    }
}
