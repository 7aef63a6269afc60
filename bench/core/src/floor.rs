//! The least that reading a batch can cost: `serde_json` reads the same bytes into structs that have the fields which the
//! product uses, and nothing is done with them.

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    pub records: Vec<Record>,
}

#[derive(Deserialize)]
pub struct Record {
    pub body: String,
}

#[derive(Deserialize)]
pub struct Event {
    pub account: String,
    pub region: String,
    pub detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    pub finding_arn: String,
    pub status: String,
    pub severity: String,
    pub inspector_score: Option<f64>,
    pub epss: Option<Epss>,
    pub exploit_available: Option<String>,
    pub fix_available: Option<String>,
    pub updated_at: String,
    pub first_observed_at: String,
    pub last_observed_at: String,
    pub package_vulnerability_details: Vulnerability,
    pub resources: Vec<Resource>,
}

#[derive(Deserialize)]
pub struct Epss {
    pub score: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vulnerability {
    pub vulnerability_id: String,
    pub vulnerable_packages: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    pub name: String,
    pub version: String,
    pub release: Option<String>,
    pub fixed_in_version: Option<String>,
}

#[derive(Deserialize)]
pub struct Resource {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub details: Details,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    pub aws_ecr_container_image: Image,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    pub repository_name: String,
    pub image_hash: String,
    pub image_tags: Vec<String>,
    pub pushed_at: String,
}

/// Reads a batch, message by message.
#[inline(never)]
pub fn floor(batch: &str) -> Vec<Event> {
    let batch: Batch = serde_json::from_str(batch).unwrap();
    batch.records.iter().map(|record| serde_json::from_str(&record.body).unwrap()).collect()
}
