//! Inspector's findings as `DescribeImageScanFindings` returns them: ECR API reference, `EnhancedImageScanFinding`.

use serde_json::{Value, json};

const SAME: [&str; 15] = [
    "awsAccountId",
    "description",
    "exploitAvailable",
    "findingArn",
    "firstObservedAt",
    "fixAvailable",
    "lastObservedAt",
    "packageVulnerabilityDetails",
    "remediation",
    "resources",
    "severity",
    "status",
    "title",
    "type",
    "updatedAt",
];

/// Converts a finding of the Inspector2 API. ECR's model lacks some members of Inspector's, and names others
/// differently.
pub(super) fn enhanced_finding(finding: &Value) -> Value {
    let mut view = json!({});
    for name in SAME {
        if let Some(value) = finding.get(name) {
            view[name] = value.clone();
        }
    }
    if let Some(score) = finding.get("inspectorScore") {
        view["score"] = score.clone();
    }
    if let Some(cvss) = finding.pointer("/inspectorScoreDetails/adjustedCvss") {
        let mut cvss = cvss.clone();
        remove(&mut cvss, &["cvssSource"]);
        view["scoreDetails"] = json!({ "cvss": cvss });
    }
    for resource in list_mut(&mut view, "/resources") {
        remove(resource, &["partition", "region"]);
    }
    for package in list_mut(&mut view, "/packageVulnerabilityDetails/vulnerablePackages") {
        remove(package, &["remediation", "sourceLambdaLayerArn"]);
    }
    let recommendation = view.pointer_mut("/remediation/recommendation").and_then(Value::as_object_mut);
    if let Some(recommendation) = recommendation
        && let Some(url) = recommendation.remove("Url")
    {
        recommendation.insert("url".to_owned(), url);
    }
    view
}

fn list_mut<'a>(view: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    view.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

fn remove(value: &mut Value, names: &[&str]) {
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, _| !names.contains(&name.as_str()));
    }
}
