//! Images that have the same findings. They are written when they are asked for, so that ten thousand images with hundreds
//! of findings each take no memory.

use serde_json::{Value, json};

use super::filter::updated_at;

/// The findings that several images have, in the format of the API, and when they were updated first and last, in
/// milliseconds since 1970.
pub(super) struct Pattern {
    findings: Vec<Value>,
    updated: (i64, i64),
}

/// The place of a pattern, and whose findings it describes.
pub(super) struct Alike {
    pub(super) pattern: usize,
    image_arn: String,
}

impl Pattern {
    pub(super) fn new(findings: Vec<Value>) -> Self {
        let times = || findings.iter().filter_map(updated_at);
        let updated = (times().min().unwrap_or(i64::MAX), times().max().unwrap_or(i64::MIN));
        Self { findings, updated }
    }

    /// Whether any of them may have been updated in a span of time.
    pub(super) fn may_be_of(&self, from: i64, until: i64) -> bool {
        self.updated.0 <= until && from <= self.updated.1
    }
}

impl Alike {
    /// `None` if this is not the ARN of an image.
    pub(super) fn new(image_arn: &str, pattern: usize) -> Option<Self> {
        image_arn.contains(":repository/").then_some(())?;
        digest(image_arn)?;
        Some(Self { pattern, image_arn: image_arn.to_owned() })
    }

    pub(super) fn digest(&self) -> &str {
        digest(&self.image_arn).unwrap_or_default()
    }

    /// The findings of this image, by ARN.
    pub(super) fn findings<'a>(
        &'a self,
        pattern: &'a Pattern,
    ) -> impl Iterator<Item = (String, Value)> + use<'a> {
        pattern.findings.iter().enumerate().map(|(number, finding)| {
            let arn = self.finding_arn(number);
            let finding = self.finding(&arn, finding);
            (arn, finding)
        })
    }

    /// One of them, by its ARN.
    pub(super) fn of_arn(&self, pattern: &Pattern, arn: &str) -> Option<Value> {
        let (_, number) = place(arn)?;
        let finding = self.finding(arn, pattern.findings.get(number)?);
        (self.finding_arn(number) == arn).then_some(finding)
    }

    /// The ARN has the beginning of the digest and the place in the pattern.
    fn finding_arn(&self, number: usize) -> String {
        let mut parts = self.image_arn.split(':').skip(3);
        let (region, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let hex = self.digest().trim_start_matches("sha256:").get(..24).unwrap_or_default();
        format!("arn:aws:inspector2:{region}:{account}:finding/{hex}{number:08x}")
    }

    fn finding(&self, arn: &str, pattern: &Value) -> Value {
        let mut finding = pattern.clone();
        let account = self.image_arn.split(':').nth(4).unwrap_or_default();
        let path = self.image_arn.split_once(":repository/").map_or("", |(_, path)| path);
        let repository = path.rsplit_once('/').map_or("", |(repository, _)| repository);
        finding["findingArn"] = json!(arn);
        finding["awsAccountId"] = json!(account);
        if let Some(resource) = finding.pointer_mut("/resources/0") {
            resource["id"] = json!(self.image_arn);
        }
        if let Some(image) = finding.pointer_mut("/resources/0/details/awsEcrContainerImage") {
            image["imageHash"] = json!(self.digest());
            image["registry"] = json!(account);
            image["repositoryName"] = json!(repository);
        }
        finding
    }
}

/// The beginning of the digest and the place in the pattern that the ARN of a finding has.
pub(super) fn place(finding_arn: &str) -> Option<(&str, usize)> {
    let (_, id) = finding_arn.rsplit_once('/')?;
    let (hex, number) = id.split_at_checked(24)?;
    Some((hex, usize::from_str_radix(number, 16).ok()?))
}

fn digest(image_arn: &str) -> Option<&str> {
    image_arn.rsplit_once('/').map(|(_, digest)| digest).filter(|digest| digest.starts_with("sha256:"))
}
