//! The table.

use comfy_table::{Table, presets};

use crate::phase::{Measured, Phase};

pub fn table(measured: &[Measured]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "what",
        "images",
        "rate",
        "time",
        "let through",
        "time × rate ÷ let through",
        "refused",
        "DynamoDB",
        "SQS",
        "alerts",
        "dead letters",
        "USD",
    ]);
    for one in measured {
        let of = |service: &str| -> u64 {
            let of_service = one.calls.iter().filter(|(action, _)| action.starts_with(service));
            of_service.map(|(_, count)| count).sum()
        };
        let what = match one.phase {
            Phase::Adoption => "adoption",
            Phase::NewPolicy => "a new policy",
            Phase::NewVulnerability => "a new vulnerability in all",
        };
        table.add_row([
            what.to_owned(),
            one.images.to_string(),
            format!("{} a second", one.rate),
            format!("{} min", (one.seconds + 59) / 60),
            one.let_through().to_string(),
            one.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            one.throttled.to_string(),
            of("dynamodb:").to_string(),
            of("sqs:").to_string(),
            one.alerts.to_string(),
            one.dead.to_string(),
            format!("{:.2}", dollars(one)),
        ]);
    }
    table.to_string()
}

/// What a phase costs in us-east-1, by the prices of November 2026, without Inspector's own. Two invocations at once of half a
/// gigabyte wait all the time; each announcement writes a unit of the index; a message is sent, received and deleted.
#[allow(clippy::cast_precision_loss)] // Counts far below 2^52.
fn dollars(one: &Measured) -> f64 {
    let count = |action| one.count(action) as f64;
    let lambda = one.seconds as f64 * 2.0 * 0.5 * 0.000_013_333_4;
    let tables = (one.write_units + count("events:PutEvents")) * 0.625 + one.read_units * 0.125;
    let requests = count("sqs:SendMessage") * 3.0 * 0.4
        + count("events:PutEvents")
        + count("cloudwatch:PutMetricData") * 10.0;
    lambda + (tables + requests) / 1_000_000.0
}
