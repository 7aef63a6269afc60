//! Findings and coverage through the real Inspector2 client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use account::{NOW, account, digest_of, finding, finding_arn, image_arn};
use aws_sdk_inspector2::Client;
use aws_sdk_inspector2::types::{
    ClusterForImageFilterCriteria, CoverageFilterCriteria, CoverageResourceType, CoverageStringComparison,
    CoverageStringFilter, DateFilter, FilterCriteria, FindingDetail, FindingDetailsErrorCode, NumberFilter,
    ScanStatusCode, StringComparison, StringFilter,
};
use serde_json::json;
use sim_aws::{CisaData, ExploitObserved, FindingDetails, SeedUsage};

fn text(comparison: StringComparison, value: &str) -> StringFilter {
    StringFilter::builder().comparison(comparison).value(value).build().unwrap()
}

async fn list(client: &Client, criteria: FilterCriteria) -> Vec<String> {
    let mut pages = client.list_findings().filter_criteria(criteria).into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        arns.extend(page.unwrap().findings.unwrap().into_iter().map(|finding| finding.finding_arn));
    }
    arns
}

#[tokio::test]
async fn findings_of_an_image_come_in_pages_of_100_in_order() {
    let aws = account();
    for number in (0..250).rev() {
        assert!(aws.inspector().seed_finding(finding(number, "app", &digest_of("a"))));
    }
    aws.inspector().seed_finding(finding(250, "app", &digest_of("b")));
    let client = Client::new(&aws.sdk_config().await);
    let hash = || text(StringComparison::Equals, &digest_of("a"));
    let arns = list(&client, FilterCriteria::builder().ecr_image_hash(hash()).build()).await;
    assert_eq!(arns, (0..250).map(finding_arn).collect::<Vec<_>>());
    assert_eq!(aws.calls()["inspector2:ListFindings"], 3);
    let error = client.list_findings().max_results(101).send().await.unwrap_err();
    assert!(error.into_service_error().is_validation_exception());
}

#[tokio::test]
async fn finding_of_an_event_is_returned_in_the_format_of_the_api() {
    let aws = account();
    aws.inspector().seed_finding(finding(1, "app", &digest_of("a")));
    let client = Client::new(&aws.sdk_config().await);
    let response = client.list_findings().send().await.unwrap();
    let finding = &response.findings()[0];
    assert!((finding.updated_at().unwrap().as_secs_f64() - 1_725_468_938.411).abs() < 0.001);
    let resource = &finding.resources()[0];
    let image = resource.details().unwrap().aws_ecr_container_image().unwrap();
    assert_eq!((image.repository_name(), image.image_hash()), ("app", digest_of("a").as_str()));
    assert_eq!(image.pushed_at().unwrap().secs(), 1_725_468_928);
    assert_eq!(finding.package_vulnerability_details().unwrap().vulnerability_id(), "CVE-2024-0001");
}

#[tokio::test]
async fn newer_finding_stays() {
    let aws = account();
    let version = |updated_at: &str, status: &str| {
        let mut finding = finding(1, "app", &digest_of("a"));
        finding["updatedAt"] = json!(updated_at);
        finding["status"] = json!(status);
        finding
    };
    let inspector = aws.inspector();
    assert!(inspector.seed_finding(version("Wed Sep 04 17:00:00.000 UTC 2024", "CLOSED")));
    assert!(!inspector.seed_finding(version("Dec 3, 2021, 6:02:30 PM", "ACTIVE")));
    assert_eq!(inspector.findings()[0]["status"], "CLOSED");
    assert!(inspector.seed_finding(version("2024-09-04T17:00:00Z", "SUPPRESSED")));
    assert_eq!(inspector.findings()[0]["status"], "SUPPRESSED");
    assert!(!inspector.seed_finding(version("at some time", "ACTIVE")));
    inspector.remove_finding(&finding_arn(1));
    assert!(inspector.findings().is_empty());
}

#[tokio::test]
async fn any_condition_and_every_criterion_must_hold() {
    let aws = account();
    for (number, repository, digest) in
        [(1, "app", &digest_of("a")), (2, "app-two", &digest_of("b")), (3, "web", &digest_of("b"))]
    {
        aws.inspector().seed_finding(finding(number, repository, digest));
    }
    let client = Client::new(&aws.sdk_config().await);
    let arns = |numbers: &[usize]| numbers.iter().map(|number| finding_arn(*number)).collect::<Vec<_>>();
    let criteria = FilterCriteria::builder;
    let equals = |value: &str| text(StringComparison::Equals, value);

    let either = criteria().ecr_image_repository_name(equals("app")).ecr_image_repository_name(equals("web"));
    assert_eq!(list(&client, either.clone().build()).await, arns(&[1, 3]));
    assert_eq!(list(&client, either.ecr_image_hash(equals(&digest_of("b"))).build()).await, arns(&[3]));
    let prefix = criteria().ecr_image_repository_name(text(StringComparison::Prefix, "app"));
    assert_eq!(list(&client, prefix.build()).await, arns(&[1, 2]));
    let not = criteria()
        .vulnerability_id(text(StringComparison::NotEquals, "CVE-2024-0001"))
        .vulnerability_id(text(StringComparison::NotEquals, "CVE-2024-0002"));
    assert_eq!(list(&client, not.build()).await, arns(&[3]));
    assert_eq!(list(&client, criteria().finding_status(equals("CLOSED")).build()).await, arns(&[]));
    let epss = |lower| NumberFilter::builder().lower_inclusive(lower).build();
    assert_eq!(list(&client, criteria().epss_score(epss(0.6)).build()).await.len(), 0);
    assert_eq!(list(&client, criteria().epss_score(epss(0.5)).build()).await.len(), 3);
    let moment = |seconds| aws_sdk_inspector2::primitives::DateTime::from_secs(seconds);
    let since = DateFilter::builder().start_inclusive(moment(1_725_468_939)).build();
    assert_eq!(list(&client, criteria().updated_at(since).build()).await.len(), 0);
    let until = DateFilter::builder().end_inclusive(moment(1_725_468_939)).build();
    assert_eq!(list(&client, criteria().updated_at(until).build()).await.len(), 3);
}

#[tokio::test]
async fn unknown_empty_and_long_filters_are_refused() {
    let aws = account();
    let client = Client::new(&aws.sdk_config().await);
    let equals = || text(StringComparison::Equals, "x");
    let unknown = FilterCriteria::builder().lambda_function_name(equals()).build();
    let eleven = FilterCriteria::builder().set_ecr_image_hash(Some(vec![equals(); 11])).build();
    let empty = FilterCriteria::builder().set_ecr_image_hash(Some(vec![])).build();
    for criteria in [unknown, eleven, empty] {
        let error = client.list_findings().filter_criteria(criteria).send().await.unwrap_err();
        assert!(error.into_service_error().is_validation_exception());
    }
}

#[tokio::test]
async fn delayed_listing_is_incomplete_at_first() {
    let aws = account();
    for number in 0..4 {
        aws.inspector().seed_finding(finding(number, "app", &digest_of("a")));
    }
    aws.inspector().delay_listing(&digest_of("a"), 2);
    let client = Client::new(&aws.sdk_config().await);
    let criteria = |digest: &str| {
        FilterCriteria::builder().ecr_image_hash(text(StringComparison::Equals, digest)).build()
    };
    assert_eq!(list(&client, criteria(&digest_of("b"))).await.len(), 0);
    let mut counts = Vec::new();
    for _ in 0..3 {
        counts.push(list(&client, criteria(&digest_of("a"))).await.len());
    }
    assert_eq!(counts, [2, 2, 4]);
}

#[tokio::test]
async fn details_include_known_exploitation() {
    let aws = account();
    for number in 1..=3 {
        aws.inspector().seed_finding(finding(number, "app", &digest_of("a")));
    }
    aws.inspector().seed_known_exploited("CVE-2024-0001", NOW, NOW + 2000);
    let cisa = CisaData { action: "Patch".to_owned(), date_added: NOW, date_due: NOW + 4000 };
    let details = FindingDetails {
        cisa: Some(cisa),
        exploit_observed: Some(ExploitObserved { first_seen: NOW, last_seen: NOW + 6500 }),
        epss_score: Some(0.25),
        risk_score: Some(70),
        cwes: vec!["CWE-79".to_owned()],
    };
    aws.inspector().seed_details(&finding_arn(2), details);
    let client = Client::new(&aws.sdk_config().await);
    let arns = [finding_arn(1), finding_arn(2), finding_arn(3), finding_arn(4)];
    let request = client.batch_get_finding_details().set_finding_arns(Some(arns.to_vec()));
    let response = request.send().await.unwrap();
    let dates: Vec<_> = response
        .finding_details()
        .iter()
        .map(|detail| detail.cisa_data().map(|cisa| cisa.date_due().unwrap().to_millis().unwrap()))
        .collect();
    assert_eq!(dates, [Some(NOW + 2000), Some(NOW + 4000), None]);
    let scores = response.finding_details().iter().map(FindingDetail::epss_score);
    assert_eq!(scores.collect::<Vec<_>>(), [Some(0.5), Some(0.25), Some(0.5)]);
    let second = &response.finding_details()[1];
    assert_eq!((second.risk_score(), second.cwes()), (Some(70), &["CWE-79".to_owned()][..]));
    assert_eq!(second.exploit_observed().unwrap().last_seen().unwrap().to_millis().unwrap(), NOW + 6500);
    let [error] = response.errors() else { panic!("one error is expected: {:?}", response.errors()) };
    assert_eq!(error.error_code(), &FindingDetailsErrorCode::FindingDetailsNotFound);
    let request = client.batch_get_finding_details().set_finding_arns(Some(vec![finding_arn(1); 11]));
    assert!(request.send().await.unwrap_err().into_service_error().is_validation_exception());
}

#[tokio::test]
async fn seeded_images_and_images_with_findings_are_covered() {
    let aws = account();
    aws.inspector().seed_finding(finding(1, "team/app", &digest_of("a")));
    aws.inspector().seed_coverage(&image_arn("web", &digest_of("b")), "INACTIVE", "IMAGE_ARCHIVED");
    let client = Client::new(&aws.sdk_config().await);
    let equals = |value: &str| {
        let filter = CoverageStringFilter::builder().comparison(CoverageStringComparison::Equals);
        filter.value(value).build().unwrap()
    };
    let covered = async |criteria: CoverageFilterCriteria| {
        let response = client.list_coverage().filter_criteria(criteria).send().await.unwrap();
        response.covered_resources.unwrap()
    };
    let criteria = CoverageFilterCriteria::builder;
    let resources = covered(criteria().resource_id(equals(&image_arn("web", &digest_of("b")))).build()).await;
    assert_eq!(resources.len(), 1);
    assert_eq!(resources[0].resource_type, CoverageResourceType::AwsEcrContainerImage);
    let status = resources[0].scan_status().unwrap();
    assert_eq!(
        (status.status_code(), status.reason().as_str()),
        (&ScanStatusCode::Inactive, "IMAGE_ARCHIVED")
    );

    let resources = covered(criteria().ecr_repository_name(equals("team/app")).build()).await;
    let status = resources[0].scan_status().unwrap();
    assert_eq!((status.status_code(), status.reason().as_str()), (&ScanStatusCode::Active, "SUCCESSFUL"));
    let all = covered(criteria().resource_type(equals("AWS_ECR_CONTAINER_IMAGE")).build()).await;
    assert_eq!(all.len(), 2);
    let counted = async |criteria: CoverageFilterCriteria| {
        client.list_coverage_statistics().filter_criteria(criteria).send().await.unwrap().total_counts()
    };
    assert_eq!(counted(criteria().resource_type(equals("AWS_ECR_CONTAINER_IMAGE")).build()).await, 2);
    assert_eq!(counted(criteria().scan_status_code(equals("ACTIVE")).build()).await, 1);
    let request =
        client.list_coverage().filter_criteria(criteria().lambda_function_name(equals("x")).build());
    assert!(request.send().await.unwrap_err().into_service_error().is_validation_exception());
}

#[tokio::test]
async fn coverage_comes_in_pages_of_200() {
    let aws = account();
    for number in 0..250 {
        aws.inspector().seed_coverage(
            &image_arn("app", &format!("sha256:{number:064}")),
            "ACTIVE",
            "SUCCESSFUL",
        );
    }
    let client = Client::new(&aws.sdk_config().await);
    let mut pages = client.list_coverage().into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().covered_resources().len());
    }
    assert_eq!(sizes, [200, 50]);
}

#[tokio::test]
async fn coverage_says_how_an_image_is_used_and_no_more_than_was_seeded() {
    let aws = account();
    let arns = [image_arn("app", &digest_of("a")), image_arn("app", &digest_of("b"))];
    let usage = SeedUsage { in_use_count: Some(3), last_in_use_at: Some(NOW), pulled_at: None };
    aws.inspector().seed_usage(&arns[0], usage);
    for arn in &arns {
        aws.inspector().seed_coverage(arn, "ACTIVE", "SUCCESSFUL");
    }
    let client = Client::new(&aws.sdk_config().await);
    let resources = client.list_coverage().send().await.unwrap().covered_resources.unwrap();
    let of = |arn: &str| {
        let resource = resources.iter().find(|resource| resource.resource_id == arn).unwrap();
        let image = resource.resource_metadata().unwrap().ecr_image().unwrap();
        let millis = |time: Option<&aws_sdk_inspector2::primitives::DateTime>| {
            time.map(|time| time.to_millis().unwrap())
        };
        (image.in_use_count(), millis(image.last_in_use_at()), millis(image.image_pulled_at()))
    };
    assert_eq!(of(&arns[0]), (Some(3), Some(NOW), None));
    assert_eq!(of(&arns[1]), (None, None, None));
}

#[tokio::test]
async fn clusters_that_run_an_image_come_in_pages() {
    let aws = account();
    let image = image_arn("app", &digest_of("a"));
    for number in 0..150 {
        let cluster = format!("arn:aws:eks:eu-central-1:111122223333:cluster/c{number:03}");
        let details = json!([{
            "lastInUse": 1_725_468_938,
            "runningUnitCount": number,
            "clusterMetadata": { "awsEksMetadataDetails": {
                "namespace": "prod", "workloadInfoList": [{"name": "app", "type": "Deployment"}],
            }},
        }]);
        aws.inspector().seed_cluster(&image, &cluster, &details);
    }
    let client = Client::new(&aws.sdk_config().await);
    let filter = |arn: &str| ClusterForImageFilterCriteria::builder().resource_id(arn).build().unwrap();
    let pages = client.get_clusters_for_image().filter(filter(&image)).into_paginator().items().send();
    let clusters: Vec<_> = pages.collect::<Result<_, _>>().await.unwrap();
    assert_eq!(clusters.len(), 150);
    assert_eq!(aws.calls()["inspector2:GetClustersForImage"], 2);
    let details = &clusters[149].cluster_details()[0];
    assert_eq!((details.running_unit_count(), details.stopped_unit_count()), (Some(149), None));
    let pods = details.cluster_metadata().unwrap().as_aws_eks_metadata_details().unwrap();
    assert_eq!((pods.namespace(), pods.workload_info_list()[0].name()), (Some("prod"), "app"));
    let error = client.get_clusters_for_image().filter(filter("app")).send().await.unwrap_err();
    assert!(error.into_service_error().is_validation_exception());
}

#[tokio::test]
async fn findings_are_found_by_when_they_were_updated_last() {
    let aws = account();
    let updated = |number: usize, at: &str| {
        let mut finding = finding(number, "app", &digest_of("a"));
        finding["updatedAt"] = json!(at);
        assert!(aws.inspector().seed_finding(finding));
    };
    for (number, second) in ["00.000", "00.001", "01.000", "02.000", "02.001"].iter().enumerate() {
        updated(number, &format!("2026-03-02T09:00:{second}Z"));
    }
    let client = Client::new(&aws.sdk_config().await);
    let at = |second: f64| aws_sdk_inspector2::primitives::DateTime::from_secs_f64(1_772_442_000.0 + second);
    let between = |from: f64, until: f64| {
        let filter = DateFilter::builder().start_inclusive(at(from)).end_inclusive(at(until)).build();
        list(&client, FilterCriteria::builder().updated_at(filter).build())
    };
    let arns = |numbers: &[usize]| numbers.iter().map(|number| finding_arn(*number)).collect::<Vec<_>>();
    assert_eq!(between(0.001, 2.0).await, arns(&[1, 2, 3]));
    // What is updated again moves, and what is removed is gone.
    updated(1, "2026-03-02T10:00:00Z");
    aws.inspector().remove_finding(&finding_arn(2));
    assert_eq!(between(0.001, 2.0).await, arns(&[3]));
    assert_eq!(between(2.001, 3_600.0).await, arns(&[1, 4]));
    let any = FilterCriteria::builder().updated_at(DateFilter::builder().build()).build();
    assert_eq!(list(&client, any).await, arns(&[0, 1, 3, 4]));
}

#[tokio::test]
async fn an_image_of_which_no_finding_is_left_is_covered_only_if_that_was_said() {
    let aws = account();
    let client = Client::new(&aws.sdk_config().await);
    let covered = || async {
        let covered = client.list_coverage().send().await.unwrap().covered_resources.unwrap();
        covered.into_iter().map(|resource| resource.resource_id).collect::<Vec<_>>()
    };
    let [a, b] = ["a", "b"].map(|name| image_arn("app", &digest_of(name)));
    aws.inspector().seed_finding(finding(1, "app", &digest_of("a")));
    aws.inspector().seed_finding(finding(2, "app", &digest_of("a")));
    aws.inspector().remove_finding(&finding_arn(1));
    assert_eq!(covered().await, std::slice::from_ref(&a));
    // The finding is of another image by now.
    aws.inspector().seed_finding(finding(2, "app", &digest_of("b")));
    assert_eq!(covered().await, std::slice::from_ref(&b));
    aws.inspector().remove_finding(&finding_arn(2));
    assert_eq!(covered().await, Vec::<String>::new());
    aws.inspector().seed_coverage(&a, "INACTIVE", "IMAGE_ARCHIVED");
    assert_eq!(covered().await, [a]);
}
