//! What the tests of this crate are made of: assessments in the form in which they arrive.

use domain::assessment::Assessment;
use serde_json::{Value, json};

/// A reason: a critical finding that alerts, newly matched.
pub(crate) fn reason(vulnerability: &str) -> Value {
    json!({
        "rules": ["fixable-critical"],
        "then": ["alert", "quarantine"],
        "quarantine_from": "2031-03-01T08:00:00Z",
        "change": "newly_matched",
        "finding": format!("arn:aws:inspector2:eu-west-1:111122223333:finding/{vulnerability}"),
        "vulnerability": vulnerability,
        "severity": "CRITICAL",
        "score": 9.8,
        "epss": 0.123,
        "fix": "yes",
        "packages": [{ "name": "openssl", "version": "3.0.1-2", "fixed_in": "3.0.1-5" }],
        "first_seen": "2031-03-01T08:00:00Z"
    })
}

/// The value with the given ones set at their JSON pointers.
pub(crate) fn with(mut json: Value, fields: &Value) -> Value {
    for (pointer, value) in fields.as_object().unwrap() {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    json
}

/// An assessment of `prod/cart` with these reasons; `changes.reasons` counts those with a change.
// Every caller makes its reasons on the spot.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn assessment(previous: &str, verdict: &str, reasons: Vec<Value>, fields: &Value) -> Assessment {
    let changed = reasons.iter().filter(|reason| !reason["change"].is_null()).count();
    let json = json!({
        "schema": 1,
        "id": "111122223333/eu-west-1/prod/cart@sha256:ab12#1",
        "at": "2031-03-01T08:01:30Z",
        "image": {
            "account": "111122223333",
            "region": "eu-west-1",
            "repository": "prod/cart",
            "digest": format!("sha256:{}", "ab12".repeat(16)),
            "tags": ["2.7"],
            "pushed_at": "2031-03-01T08:00:00Z",
            "pusher": {
                "arn": "arn:aws:sts::111122223333:assumed-role/shop-ci/run-42",
                "provider": "ci.example.com"
            },
            "environment": "production",
            "owner": "team-shop"
        },
        "verdict": verdict,
        "previous": previous,
        "open": { "CRITICAL": 1, "LOW": 7 },
        "waived": 0,
        "changes": { "opened": {}, "closed": {}, "waived": {}, "reasons": changed },
        "reasons": reasons,
        "excused": []
    });
    serde_json::from_value(with(json, fields)).unwrap()
}

/// The same with another version of its ledger.
pub(crate) fn at_version(version: u64, mut assessment: Assessment) -> Assessment {
    assessment.id = format!("{}#{version}", assessment.image.id);
    assessment
}

/// The same in another repository; its id follows.
pub(crate) fn in_repository(repository: &str, mut assessment: Assessment) -> Assessment {
    repository.clone_into(&mut assessment.image.id.repository);
    assessment.id = format!("{}#1", assessment.image.id);
    assessment
}
