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
            format!("{:.2}", one.ratio()),
            one.throttled.to_string(),
            of("dynamodb:").to_string(),
            of("sqs:").to_string(),
            one.alerts.to_string(),
            one.dead.to_string(),
            String::new(),
        ]);
    }
    table.to_string()
}
