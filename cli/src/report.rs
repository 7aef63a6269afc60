//! Tables and texts for a person at a terminal.

use std::collections::BTreeMap;
use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table, TableComponent};
use domain::finding::Severity;
use domain::quarantine::is_quarantine_tag;
use domain::text::sanitize;
use sim_pipeline::{AlertSent, ImageOutcome, MetricSum, Outcome};

/// How many alerts are printed in full.
const ALERTS: usize = 3;
/// How many images are listed; the worst come first.
const IMAGES: usize = 40;
/// How many dead letters are listed.
const DEAD: usize = 10;

/// Images, and the first alerts in full.
pub(crate) fn images_and_alerts(out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
    images(out, &outcome.images)?;
    heading(out, &format!("Alerts: {}", outcome.alerts.len()))?;
    for sent in outcome.alerts.iter().take(ALERTS) {
        alert(out, sent)?;
    }
    if outcome.alerts.len() > ALERTS {
        writeln!(out, "\n  … and {} more; --out DIR writes them all.", outcome.alerts.len() - ALERTS)?;
    }
    Ok(())
}

/// Metrics, events and calls.
pub(crate) fn sums(
    out: &mut impl Write,
    outcome: &Outcome,
    dead: &[(String, String)],
    skipped: &BTreeMap<String, u64>,
) -> io::Result<()> {
    metrics(out, &outcome.metrics)?;
    events(out, outcome, dead, skipped)?;
    calls(out, outcome)
}

pub(crate) fn heading(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{text}\n{}", "═".repeat(text.chars().count()))
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─')
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

/// Adds a row. Its cells quote names from outside, so each of their lines is made safe to show.
fn row<const CELLS: usize>(table: &mut Table, cells: [String; CELLS]) {
    table.add_row(cells.map(|cell| cell.lines().map(sanitize).collect::<Vec<_>>().join("\n")));
}

/// The images, those under quarantine first.
pub(crate) fn images(out: &mut impl Write, images: &[ImageOutcome]) -> io::Result<()> {
    heading(out, &format!("Images: {}", images.len()))?;
    let mut sorted: Vec<&ImageOutcome> = images.iter().collect();
    sorted.sort_by_key(|image| std::cmp::Reverse(image.verdict));
    let mut table = table(&["image", "verdict", "open findings", "waived", "tags", "why"]);
    for image in sorted.iter().take(IMAGES) {
        let cells = [
            name(image),
            image.verdict.to_string(),
            counts(&image.findings),
            image.waived.to_string(),
            tags(&image.tags),
            why(image),
        ];
        row(&mut table, cells);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    if sorted.len() > IMAGES {
        writeln!(out, "… and {} more; --json prints them all.", sorted.len() - IMAGES)?;
    }
    Ok(())
}

/// The images that have lost our tag since, with the tags that are left.
pub(crate) fn unmarked(
    out: &mut impl Write,
    before: &[ImageOutcome],
    now: &[ImageOutcome],
) -> io::Result<()> {
    let marks = |image: &ImageOutcome| image.tags.iter().filter(|tag| is_quarantine_tag(tag)).count();
    let place = |image: &ImageOutcome| (image.repository.clone(), image.digest.clone());
    let marked: BTreeMap<_, usize> = before.iter().map(|image| (place(image), marks(image))).collect();
    for image in
        now.iter().filter(|image| marked.get(&place(image)).is_some_and(|count| marks(image) < *count))
    {
        let tags = if image.tags.is_empty() { "no tag".to_owned() } else { image.tags.join(", ") };
        let place = format!("{}@{}", image.repository, short(&image.digest));
        writeln!(out, "Before the functions act: {} has only {}.", sanitize(&place), sanitize(&tags))?;
    }
    Ok(())
}

/// The image, and the platforms of an index each in a line of its own.
fn name(image: &ImageOutcome) -> String {
    let mut lines = vec![format!("{}@{}", image.repository, short(&image.digest))];
    lines.extend(image.platforms.iter().map(|platform| format!("  {platform}")));
    lines.join("\n")
}

fn short(digest: &str) -> &str {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    hex.get(..12).unwrap_or(hex)
}

fn counts(findings: &BTreeMap<Severity, u64>) -> String {
    if findings.is_empty() {
        return "none".to_owned();
    }
    let counts: Vec<String> =
        findings.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
    counts.join(", ")
}

fn tags(tags: &[String]) -> String {
    let (ours, theirs): (Vec<&String>, Vec<&String>) = tags.iter().partition(|tag| is_quarantine_tag(tag));
    let mut lines: Vec<String> = theirs.into_iter().cloned().collect();
    lines.extend(ours.into_iter().map(|tag| format!("+ {tag}")));
    if lines.is_empty() { "(none)".to_owned() } else { lines.join("\n") }
}

fn why(image: &ImageOutcome) -> String {
    let mut by_rule: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for reason in &image.reasons {
        by_rule.entry(&reason.rule).or_default().push(&reason.vulnerability);
    }
    let lines: Vec<String> = by_rule
        .into_iter()
        .map(|(rule, vulnerabilities)| match vulnerabilities.as_slice() {
            [one] => format!("{rule}: {one}"),
            [one, more @ ..] => format!("{rule}: {one} and {} more", more.len()),
            [] => rule.to_owned(),
        })
        .collect();
    lines.join("\n")
}

/// An alert as a mail program would show it.
pub(crate) fn alert(out: &mut impl Write, alert: &AlertSent) -> io::Result<()> {
    writeln!(out, "\n  ┌ Subject: {}", alert.subject)?;
    for line in alert.text.lines() {
        writeln!(out, "  │ {line}")?;
    }
    let attributes: Vec<String> =
        alert.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    writeln!(out, "  └ {}", attributes.join("  "))
}

fn metrics(out: &mut impl Write, metrics: &[MetricSum]) -> io::Result<()> {
    heading(out, "Metrics in the namespace EcrWarden")?;
    let mut table = table(&["metric", "dimensions", "sum", "values", "mean", "unit"]);
    // Those of the pipeline itself are in a namespace of its own.
    for metric in metrics.iter().filter(|metric| metric.namespace == "EcrWarden") {
        let dimensions: Vec<String> =
            metric.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mean =
            if metric.unit == "Count" { String::new() } else { format!("{:.0}", metric.sum / metric.count) };
        let cells = [
            metric.name.clone(),
            dimensions.join(", "),
            format!("{:.0}", metric.sum),
            format!("{:.0}", metric.count),
            mean,
            metric.unit.clone(),
        ];
        row(&mut table, cells);
    }
    writeln!(out, "{}", table.trim_fmt())
}

fn events(
    out: &mut impl Write,
    outcome: &Outcome,
    dead: &[(String, String)],
    skipped: &BTreeMap<String, u64>,
) -> io::Result<()> {
    let events = &outcome.events;
    heading(
        out,
        &format!("Events: {} handled, {} skipped, {} dead", events.handled, events.skipped, events.dead),
    )?;
    for (reason, count) in skipped {
        writeln!(out, "  skipped {count:>4}  {reason}")?;
    }
    for (origin, reason) in dead.iter().take(DEAD) {
        writeln!(out, "  dead          {origin}: {reason}")?;
    }
    if dead.len() > DEAD {
        writeln!(out, "  … and {} more dead", dead.len() - DEAD)?;
    }
    Ok(())
}

fn calls(out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
    let all: u64 = outcome.calls.values().sum();
    heading(out, &format!("Calls to AWS: {all}"))?;
    for (action, count) in &outcome.calls {
        writeln!(out, "  {count:>6}  {action}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::verdict::Verdict;

    use super::*;

    #[test]
    fn names_from_outside_break_no_table() {
        let image = |tag: &str| ImageOutcome {
            repository: format!("shop/{tag}cart"),
            digest: "sha256:ab12".to_owned(),
            platforms: Vec::new(),
            verdict: Verdict::Clear,
            tags: vec![format!("1.{tag}0"), "2.0".to_owned()],
            findings: BTreeMap::new(),
            waived: 0,
            reasons: BTreeSet::new(),
        };
        let print = |tag| {
            let mut out = Vec::new();
            images(&mut out, &[image(tag)]).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(print("\u{202e}\u{2028}\u{1b}\u{200b}"), print(""));
        assert!(print("").contains("2.0"));
    }
}
