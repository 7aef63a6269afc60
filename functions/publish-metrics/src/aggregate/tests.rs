use serde_json::{Value, json};

use super::*;

const DIGEST: &str = "sha256:ab12ab12ab12ab12";

/// An assessment of a clear image, with these fields set.
fn assessment(fields: Value) -> Assessment {
    let mut json = json!({
        "schema": 1,
        "id": "an-id#1",
        "at": "2031-01-01T00:00:00Z",
        "image": {
            "account": "111122223333", "region": "eu-west-1", "repository": "prod/cart", "digest": DIGEST, "tags": []
        },
        "verdict": "clear",
        "previous": "clear",
        "open": {},
        "waived": 0,
        "changes": { "opened": {}, "closed": {}, "waived": {}, "reasons": 0 },
        "reasons": [],
        "excused": []
    });
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    for (pointer, value) in fields {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[key] = value;
    }
    serde_json::from_value(json).unwrap()
}

/// The values with their counts of each metric, by name and dimensions in one text.
fn told(assessments: &[Assessment], dimensions: &[DimensionName]) -> BTreeMap<String, Vec<(f64, f64)>> {
    let assessments: Vec<&Assessment> = assessments.iter().collect();
    aggregate(&assessments, dimensions)
        .into_iter()
        .map(|metric| {
            let dimensions: Vec<_> =
                metric.dimensions.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            (format!("{}{}", metric.name, dimensions.concat()), metric.values)
        })
        .collect()
}

#[test]
fn nothing_assessed_is_nothing_to_tell() {
    assert!(aggregate(&[], &[DimensionName::Severity]).is_empty());
}

#[test]
fn counts_of_a_batch_add_up_to_one_value() {
    let batch = [
        assessment(json!({ "/changes/opened": { "HIGH": 3, "LOW": 1 }, "/changes/waived": { "HIGH": 1 } })),
        assessment(json!({ "/changes/opened": { "HIGH": 4 } })),
    ];
    assert_eq!(
        told(&batch, &[DimensionName::Severity]),
        [
            ("FindingsOpened Severity=HIGH", vec![(7.0, 1.0)]),
            ("FindingsOpened Severity=LOW", vec![(1.0, 1.0)]),
            ("FindingsWaived Severity=HIGH", vec![(1.0, 1.0)]),
            ("ImagesAssessed", vec![(2.0, 1.0)]),
        ]
        .map(|(name, values)| (name.to_owned(), values))
        .into()
    );
}

#[test]
fn times_to_remediate_keep_their_values_in_seconds_with_how_often_each_was_seen() {
    let batch = [
        assessment(json!({ "/changes/closed": { "HIGH": { "2": 3, "10": 1 } } })),
        assessment(json!({ "/changes/closed": { "HIGH": { "10": 4 }, "LOW": { "0": 1 } } })),
    ];
    let told = told(&batch, &[DimensionName::Severity]);
    assert_eq!(told["TimeToRemediate Severity=HIGH"], [(120.0, 3.0), (600.0, 5.0)]);
    assert_eq!(told["TimeToRemediate Severity=LOW"], [(0.0, 1.0)]);
    assert_eq!(told["FindingsClosed Severity=HIGH"], [(8.0, 1.0)]);
    assert_eq!(told["FindingsClosed Severity=LOW"], [(1.0, 1.0)]);
}

#[test]
fn latencies_keep_their_values_and_never_fall_below_zero() {
    let scan = |latency: i64| {
        let scan =
            json!({ "source": "inspector", "completed_at": "2031-01-01T00:00:00Z", "latency_ms": latency });
        assessment(json!({ "/scan": scan }))
    };
    let unknown = json!({ "source": "inspector", "completed_at": "2031-01-01T00:00:00Z" });
    let batch = [scan(1_500), scan(-20), scan(1_500), assessment(json!({ "/scan": unknown }))];
    assert_eq!(told(&batch, &[])["ScanLatency"], [(0.0, 1.0), (1_500.0, 2.0)]);
}

#[test]
fn images_that_came_into_and_out_of_quarantine_are_counted_when_they_do() {
    let verdicts = |before: &str, now: &str| assessment(json!({ "/previous": before, "/verdict": now }));
    let batch = [
        verdicts("pending", "quarantine"),
        verdicts("clear", "quarantine"),
        verdicts("quarantine", "quarantine"),
        verdicts("quarantine", "clear"),
        verdicts("pending", "clear"),
    ];
    let told = told(&batch, &[]);
    assert_eq!(told["ImagesAssessed"], [(5.0, 1.0)]);
    assert_eq!(told["ImagesQuarantined"], [(2.0, 1.0)]);
    assert_eq!(told["ImagesReleased"], [(1.0, 1.0)]);
    assert_eq!(told.len(), 3);
}

#[test]
fn units_say_what_the_values_are() {
    let batch = assessment(json!({
        "/changes/closed": { "LOW": { "1": 1 } },
        "/scan": { "source": "basic", "completed_at": "2031-01-01T00:00:00Z", "latency_ms": 1 }
    }));
    for metric in aggregate(&[&batch], &[]) {
        let unit = match metric.name {
            "TimeToRemediate" => StandardUnit::Seconds,
            "ScanLatency" => StandardUnit::Milliseconds,
            _ => StandardUnit::Count,
        };
        assert_eq!(metric.unit, unit, "{}", metric.name);
    }
}

#[test]
fn metrics_are_told_apart_by_the_dimensions_that_were_asked_for() {
    let batch = [
        assessment(json!({ "/changes/opened": { "LOW": 1 }, "/image/environment": "production" })),
        assessment(json!({ "/changes/opened": { "LOW": 1 }, "/image/repository": "test/cart" })),
    ];
    let names = |dimensions: &[DimensionName]| told(&batch, dimensions).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&[]), ["FindingsOpened", "ImagesAssessed"]);
    assert_eq!(names(&[DimensionName::Severity]), ["FindingsOpened Severity=LOW", "ImagesAssessed"]);
    assert_eq!(
        names(&[DimensionName::Environment]),
        [
            "FindingsOpened Environment=none",
            "FindingsOpened Environment=production",
            "ImagesAssessed Environment=none",
            "ImagesAssessed Environment=production",
        ]
    );
    assert_eq!(
        names(&[DimensionName::Repository, DimensionName::Severity]),
        [
            "FindingsOpened Repository=prod/cart Severity=LOW",
            "FindingsOpened Repository=test/cart Severity=LOW",
            "ImagesAssessed Repository=prod/cart",
            "ImagesAssessed Repository=test/cart",
        ]
    );
}

#[test]
fn digest_and_account_are_in_no_metric() {
    let batch = [assessment(json!({ "/changes/opened": { "LOW": 1 } }))];
    let all = [DimensionName::Severity, DimensionName::Environment, DimensionName::Repository];
    for name in told(&batch, &all).into_keys() {
        assert!(!name.contains("ab12") && !name.contains("111122223333"), "{name}");
    }
}

#[test]
fn dimension_values_are_printable_ascii_never_empty_and_not_too_long() {
    let value = |environment: &str| {
        let batch = [assessment(json!({ "/image/environment": environment }))];
        let assessments: Vec<&Assessment> = batch.iter().collect();
        aggregate(&assessments, &[DimensionName::Environment])[0].dimensions["Environment"].clone()
    };
    assert_eq!(value("Größe\n1"), "Gr??e?1");
    assert_eq!(value(""), "none");
    assert_eq!(value("   "), "none");
    assert_eq!(value(&"x".repeat(5_000)).len(), 1024);
    let unknown = [assessment(json!({ "/changes/opened": { "ÜBEL": 2 } }))];
    assert_eq!(told(&unknown, &[DimensionName::Severity])["FindingsOpened Severity=?BEL"], [(2.0, 1.0)]);
}

#[test]
fn dimension_names_are_read_and_others_refused() {
    assert_eq!("severity".parse(), Ok(DimensionName::Severity));
    assert_eq!("environment".parse(), Ok(DimensionName::Environment));
    assert_eq!("repository".parse(), Ok(DimensionName::Repository));
    assert!("digest".parse::<DimensionName>().unwrap_err().contains("digest"));
}

#[test]
fn what_is_withdrawn_is_closed_and_ends_a_quarantine_without_being_remedied() {
    let opened = json!({ "/verdict": "quarantine", "/changes/opened": { "HIGH": 3, "LOW": 1 } });
    let withdrawn = json!({
        "/superseded": true, "/previous": "quarantine", "/verdict": "pending",
        "/changes/withdrawn": { "HIGH": 3, "LOW": 1 },
    });
    let told = told(&[assessment(opened), assessment(withdrawn)], &[DimensionName::Severity]);
    for severity in ["HIGH", "LOW"] {
        let of = |name: &str| &told[&format!("{name} Severity={severity}")];
        assert_eq!(of("FindingsOpened"), of("FindingsClosed"), "{severity}");
    }
    assert_eq!(told["ImagesQuarantined"], told["ImagesReleased"]);
    assert!(!told.keys().any(|name| name.starts_with("TimeToRemediate")));
}
