//! A registry full of images that share what they are built from, and Inspector's findings of them.

use domain::image::ImageId;
use jiff::{SignedDuration, Timestamp};
use pipeline_tests::event;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sim_aws::{SeedImage, SimulatedAws};

/// How many repositories hold the images.
const REPOSITORIES: usize = 100;
/// How many bases the images are built from. The images of one base have the same vulnerabilities.
const BASES: usize = 20;
/// How many vulnerabilities of a base the next one does not have.
const DISTINCT: usize = 50;
/// One of so many vulnerabilities is in CISA's catalogue.
const ONE_EXPLOITED_OF: usize = 500;

pub struct Inventory {
    pub images: usize,
    /// Of each image.
    pub findings: usize,
}

impl Inventory {
    pub fn image(number: usize) -> ImageId {
        let hash = Sha256::digest(number.to_string());
        let hex = hash.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        ImageId {
            account: "210987654321".to_owned(),
            region: "eu-west-1".to_owned(),
            repository: format!("team-{:02}/service", number % REPOSITORIES),
            digest: format!("sha256:{hex}").try_into().unwrap(),
        }
    }

    /// Puts the images into the registry, pushed and scanned long before now.
    pub fn fill(&self, aws: &SimulatedAws, now: Timestamp) {
        let images: Vec<ImageId> = (0..self.images).map(Self::image).collect();
        for (number, image) in images.iter().enumerate() {
            let age = SignedDuration::from_hours(24 * (30 + i64::try_from(number % 300).unwrap()));
            aws.ecr().seed_image(SeedImage {
                registry: image.account.clone(),
                repository: image.repository.clone(),
                digest: image.digest.to_string(),
                tags: vec![format!("v{number}")],
                pushed_at: (now - age).as_millisecond(),
                ..SeedImage::default()
            });
            aws.inspector()
                .seed_last_scan(&image.arn(), (now - SignedDuration::from_hours(30)).as_millisecond());
        }
        for base in 0..BASES {
            let arns: Vec<String> = images.iter().skip(base).step_by(BASES).map(ImageId::arn).collect();
            let findings: Vec<Value> =
                (0..self.findings).map(|number| finding(base * DISTINCT + number)).collect();
            aws.inspector().seed_alike(arns.iter().map(String::as_str), &findings);
        }
        let added = now.as_millisecond() - 90 * 86_400_000;
        for number in (0..BASES * DISTINCT + self.findings).step_by(ONE_EXPLOITED_OF) {
            aws.inspector().seed_known_exploited(&name(number), added, added + 14 * 86_400_000);
        }
    }

    /// One event for each image: a new vulnerability is in all of them.
    pub fn new_vulnerability(&self, at: Timestamp) -> Vec<Value> {
        let sample = event("2-scan", "Inspector2 Finding");
        let stamp = at.strftime("%a %b %d %H:%M:%S.000 UTC %Y").to_string();
        let of = |number: usize| {
            let image = Self::image(number);
            let mut event = sample.clone();
            event["id"] = json!(format!("event-{number}"));
            event["time"] = json!(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            event["resources"] = json!([image.arn()]);
            let detail = &mut event["detail"];
            detail["findingArn"] =
                json!(format!("arn:aws:inspector2:eu-west-1:210987654321:finding/{number:032x}"));
            for when in ["firstObservedAt", "lastObservedAt", "updatedAt"] {
                detail[when] = json!(stamp);
            }
            detail["packageVulnerabilityDetails"]["vulnerabilityId"] = json!("CVE-2026-99999");
            detail["severity"] = json!("CRITICAL");
            detail["fixAvailable"] = json!("YES");
            let resource = &mut detail["resources"][0];
            resource["id"] = json!(image.arn());
            let of_image = &mut resource["details"]["awsEcrContainerImage"];
            of_image["imageHash"] = json!(image.digest.as_str());
            of_image["repositoryName"] = json!(image.repository);
            of_image["imageTags"] = json!([format!("v{number}")]);
            event
        };
        (0..self.images).map(of).collect()
    }
}

fn name(number: usize) -> String {
    format!("CVE-2025-{number:05}")
}

/// The detail of a finding as Inspector sends it. Of a hundred one is critical, fifteen are high and fifty medium; a tenth
/// of them can be fixed and for three there is an exploit.
fn finding(number: usize) -> Value {
    let mut detail = event("2-scan", "Inspector2 Finding")["detail"].clone();
    let (severity, place) = match number % 100 {
        place @ 0 => ("CRITICAL", place),
        place @ 1..=15 => ("HIGH", place),
        place @ 16..=65 => ("MEDIUM", place),
        place => ("LOW", place),
    };
    detail["severity"] = json!(severity);
    detail["packageVulnerabilityDetails"]["vulnerabilityId"] = json!(name(number));
    detail["fixAvailable"] = json!(if place % 10 == 0 { "YES" } else { "NO" });
    detail["exploitAvailable"] = json!(if place % 33 == 1 { "YES" } else { "NO" });
    detail["epss"] = json!({ "score": if place % 25 == 2 { 0.2 } else { 0.0004 } });
    detail["status"] = json!("ACTIVE");
    for when in ["firstObservedAt", "lastObservedAt", "updatedAt"] {
        detail[when] = json!("Mon Sep 01 08:00:00.000 UTC 2025");
    }
    detail
}
