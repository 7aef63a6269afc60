//! `ecr-warden` without arguments: the built-in story.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};

use sim_pipeline::Outcome;
use sim_pipeline::story::{ACTS, Act, begin};

use super::play;
use crate::report;

pub(crate) async fn run(arguments: &play::Arguments, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let (template, parameters) = arguments.template()?;
    let mut pipeline = begin(&template, parameters).await?;
    for (number, act) in ACTS.iter().enumerate() {
        let before = Outcome::of(&pipeline).await?;
        let deliveries = act.deliveries();
        pipeline.establish(&deliveries);
        let found = Outcome::of(&pipeline).await?;
        pipeline.play(deliveries, |_| ()).await?;
        if !arguments.json {
            page(out, (number, act), &before, &found, &Outcome::of(&pipeline).await?)?;
        }
    }
    play::conclude(&pipeline, arguments, out).await
}

/// An act: how things were before it, what the functions found, and what they left.
fn page(
    out: &mut impl Write,
    (number, act): (usize, &Act),
    before: &Outcome,
    found: &Outcome,
    after: &Outcome,
) -> io::Result<()> {
    report::heading(out, &format!("Act {}. {}", number + 1, act.title))?;
    writeln!(out, "{}", act.meaning)?;
    report::unmarked(out, &before.images, &found.images)?;
    report::images(out, &after.images)?;
    let alerts = after.alerts.get(before.alerts.len()..).unwrap_or_default();
    if alerts.is_empty() {
        writeln!(out, "\nNo alert.")?;
    }
    for alert in alerts {
        report::alert(out, alert)?;
    }
    calls(out, &before.calls, &after.calls)
}

/// How many calls an act took, and which of them changed anything.
fn calls(
    out: &mut impl Write,
    before: &BTreeMap<String, u64>,
    after: &BTreeMap<String, u64>,
) -> io::Result<()> {
    let calls = after.values().sum::<u64>() - before.values().sum::<u64>();
    let writes: Vec<String> = after
        .iter()
        .filter(|(action, _)| is_write(action))
        .filter_map(|(action, count)| {
            let new = count - before.get(action).copied().unwrap_or_default();
            (new > 0).then(|| format!("{new} {action}"))
        })
        .collect();
    let writes = if writes.is_empty() { "reads only".to_owned() } else { writes.join(", ") };
    writeln!(out, "\n{calls} calls to AWS: {writes}.")
}

fn is_write(action: &str) -> bool {
    let (_, operation) = action.split_once(':').unwrap_or(("", action));
    !["Get", "List", "Describe", "BatchGet"].iter().any(|reads| operation.starts_with(reads))
}
