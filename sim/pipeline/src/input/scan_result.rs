//! Inspector's scan results (`inspector-scan:ScanSbom`, `CycloneDX`) as the events that AWS would have sent of
//! the same image: a push, a finding for each vulnerability, the end of the scan.
//! <https://docs.aws.amazon.com/inspector/latest/user/sbom-generator.html>

use std::collections::BTreeMap;

use domain::finding::Severity;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-central-1";
/// How long such a scan takes, for the latency that the metrics show.
const SCAN_SECONDS: i64 = 30;

#[derive(Deserialize)]
struct Wrapped {
    sbom: Bom,
}

#[derive(Deserialize)]
struct Bom {
    metadata: Option<Metadata>,
    #[serde(default)]
    components: Vec<Component>,
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Metadata {
    timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Component {
    bom_ref: String,
    name: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: String,
    #[serde(rename = "bom-ref", default)]
    bom_ref: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    ratings: Vec<Rating>,
    #[serde(default)]
    affects: Vec<Affected>,
    #[serde(default)]
    properties: Vec<Property>,
}

#[derive(Deserialize)]
struct Rating {
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    score: Option<f64>,
    #[serde(default)]
    source: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Affected {
    r#ref: String,
}

#[derive(Deserialize)]
struct Property {
    name: String,
    value: String,
}

/// The events of the scan result of `<repository>_<tag>`.
pub(crate) fn events(name: &str, bytes: &[u8]) -> Result<Vec<Value>, String> {
    let bom = match serde_json::from_slice::<Wrapped>(bytes) {
        Ok(wrapped) => wrapped.sbom,
        Err(_) => serde_json::from_slice::<Bom>(bytes).map_err(|error| error.to_string())?,
    };
    let (repository, tag) = name.rsplit_once('_').unwrap_or((name, "latest"));
    let pushed = bom.metadata.as_ref().and_then(|m| m.timestamp).unwrap_or(Timestamp::UNIX_EPOCH);
    let scanned = pushed.checked_add(SCAN_SECONDS.seconds()).map_err(|error| error.to_string())?;
    let image = Image { repository, tag, digest: format!("sha256:{}", hash(&["image", name])), pushed };
    let components: BTreeMap<&str, &Component> =
        bom.components.iter().map(|c| (c.bom_ref.as_str(), c)).collect();
    let mut events = vec![image.event(
        "ECR Image Action",
        "aws.ecr",
        pushed,
        "push",
        &json!({
            "result": "SUCCESS", "repository-name": repository, "image-digest": image.digest,
            "action-type": "PUSH", "image-tag": tag,
        }),
    )];
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for vulnerability in &bom.vulnerabilities {
        let detail = image.finding(vulnerability, &components, scanned);
        *counts.entry(vulnerability.severity().as_str().to_owned()).or_default() += 1;
        events.push(image.event(
            "Inspector2 Finding",
            "aws.inspector2",
            scanned,
            &vulnerability.key(),
            &detail,
        ));
    }
    counts.retain(|severity, _| ["CRITICAL", "HIGH", "MEDIUM"].contains(&severity.as_str()));
    counts.insert("TOTAL".to_owned(), bom.vulnerabilities.len() as u64);
    events.push(image.event("Inspector2 Scan", "aws.inspector2", scanned, "scan", &json!({
        "scan-status": "INITIAL_SCAN_COMPLETE", "repository-name": image.repository_arn(),
        "finding-severity-counts": counts, "image-digest": image.digest, "image-tags": [tag], "version": "1.0",
    })));
    Ok(events)
}

struct Image<'a> {
    repository: &'a str,
    tag: &'a str,
    digest: String,
    pushed: Timestamp,
}

impl Image<'_> {
    fn repository_arn(&self) -> String {
        format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{}", self.repository)
    }

    fn event(&self, kind: &str, source: &str, at: Timestamp, key: &str, detail: &Value) -> Value {
        json!({
            "version": "0", "id": &hash(&[&self.digest, kind, key])[..32], "detail-type": kind, "source": source,
            "account": ACCOUNT, "region": REGION, "time": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "resources": [], "detail": detail,
        })
    }

    fn finding(
        &self,
        found: &Vulnerability,
        components: &BTreeMap<&str, &Component>,
        at: Timestamp,
    ) -> Value {
        let fixes = found.fixed_versions();
        let packages: Vec<Value> = found
            .affects
            .iter()
            .map(|affected| {
                let component = components.get(affected.r#ref.as_str());
                let mut package = json!({
                    "name": component.and_then(|c| c.name.as_deref()).unwrap_or("unknown"),
                    "version": component.and_then(|c| c.version.as_deref()).unwrap_or("unknown"),
                });
                if let Some(fixed_in) = fixes.get(affected.r#ref.as_str()) {
                    package["fixedInVersion"] = json!(fixed_in);
                }
                package
            })
            .collect();
        let fix = match found.affects.iter().filter(|a| fixes.contains_key(a.r#ref.as_str())).count() {
            0 => "NO",
            some if some == found.affects.len() => "YES",
            _ => "PARTIAL",
        };
        let arn = format!("{}/{}", self.repository_arn(), self.digest);
        let mut detail = json!({
            "awsAccountId": ACCOUNT, "description": found.description, "type": "PACKAGE_VULNERABILITY",
            "findingArn": format!("arn:aws:inspector2:{REGION}:{ACCOUNT}:finding/{}", &hash(&[&arn, &found.key()])[..32]),
            "firstObservedAt": at, "lastObservedAt": at, "updatedAt": at,
            "severity": found.severity().as_str(), "status": "ACTIVE", "title": found.id,
            "exploitAvailable": if found.has("exploit_available") { "YES" } else { "NO" }, "fixAvailable": fix,
            "remediation": { "recommendation": { "text": "None Provided" } },
            "packageVulnerabilityDetails": { "source": "NVD", "vulnerabilityId": found.id, "vulnerablePackages": packages },
            "resources": [{
                "type": "AWS_ECR_CONTAINER_IMAGE", "id": arn, "partition": "aws", "region": REGION,
                "details": { "awsEcrContainerImage": {
                    "repositoryName": self.repository, "imageHash": self.digest, "registry": ACCOUNT,
                    "imageTags": [self.tag], "pushedAt": self.pushed,
                } },
            }],
        });
        if let Some(epss) = found.epss() {
            detail["epss"] = json!({ "score": epss });
        }
        if let Some(score) = found.score() {
            detail["inspectorScore"] = json!(score);
        }
        detail
    }
}

impl Vulnerability {
    /// The same vulnerability can stand in a result twice, for different packages.
    fn key(&self) -> String {
        format!("{}/{}", self.id, self.bom_ref)
    }

    fn is_epss(rating: &Rating) -> bool {
        rating.source.as_ref().and_then(|source| source.name.as_deref()) == Some("EPSS")
    }

    /// The worst of its ratings.
    fn severity(&self) -> Severity {
        let named = |name: &str| match name {
            "critical" => Severity::Critical,
            "high" => Severity::High,
            "medium" => Severity::Medium,
            "low" => Severity::Low,
            "info" => Severity::Informational,
            _ => Severity::Untriaged,
        };
        let ratings = self.ratings.iter().filter(|rating| !Self::is_epss(rating));
        ratings
            .filter_map(|rating| rating.severity.as_deref().map(named))
            .max()
            .unwrap_or(Severity::Untriaged)
    }

    fn epss(&self) -> Option<f64> {
        self.ratings.iter().find(|rating| Self::is_epss(rating))?.score
    }

    fn score(&self) -> Option<f64> {
        let ratings = self.ratings.iter().filter(|rating| !Self::is_epss(rating));
        ratings.filter_map(|rating| rating.score).max_by(f64::total_cmp)
    }

    fn has(&self, name: &str) -> bool {
        self.properties.iter().any(|property| property.name.ends_with(name) && property.value == "true")
    }

    /// The fixed version of each component that has one.
    fn fixed_versions(&self) -> BTreeMap<&str, &str> {
        self.properties
            .iter()
            .filter_map(|property| {
                let (_, component) = property.name.rsplit_once("fixed_version:")?;
                Some((component, property.value.as_str()))
            })
            .collect()
    }
}

fn hash(parts: &[&str]) -> String {
    Sha256::digest(parts.join("\n")).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
