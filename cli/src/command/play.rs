//! `ecr-warden play FILES`: events, and what the pipeline makes of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use sim_pipeline::{Delivery, Outcome, Pipeline, Setting, beginning, know_exploited, read_file, receiver};

use super::root;
use crate::report;

/// Files hold EventBridge events (JSON lines, JSON, SQS batches) or scan results of Amazon Inspector (`*.cdx.json`).
/// `{"detail-type": "Time Passes", "time": "2026-12-01T00:00:00Z"}` between events lets time pass.
/// Rules, queues and batch sizes are those of template.yaml.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Event files; `-` is standard input. Without files the built-in story is told.
    pub(crate) files: Vec<String>,
    /// The policy; default is policy/policy.yaml. The story has its own.
    #[arg(long, value_name = "FILE", requires = "files")]
    policy: Option<PathBuf>,
    /// CISA's catalogue of known exploited vulnerabilities (JSON), which no event carries.
    #[arg(long, value_name = "FILE", requires = "files")]
    known_exploited: Option<PathBuf>,
    /// Write the outcome, the alerts and the dead letters into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    /// A parameter of template.yaml, such as `QuarantineMode=observe`; that one defaults to `tag` here.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// The account that the pipeline runs in; default is the one that received most of the events.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// The region that the pipeline runs in; default is the one that received most of the events.
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Arguments {
    /// The template and its parameters.
    pub(crate) fn template(&self) -> io::Result<(String, BTreeMap<String, String>)> {
        let template = std::fs::read_to_string(root().join("template.yaml"))?;
        let mut parameters = BTreeMap::from([("QuarantineMode".to_owned(), "tag".to_owned())]);
        parameters.extend(self.parameters.iter().cloned());
        Ok((template, parameters))
    }
}

pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let (template, parameters) = arguments.template()?;
    let mut deliveries: Vec<Delivery> = Vec::new();
    for file in &arguments.files {
        deliveries.extend(read_file(file)?);
    }
    let policy = arguments.policy.clone().unwrap_or_else(|| root().join("policy/policy.yaml"));
    let now = beginning(&deliveries).unwrap_or_else(Timestamp::now);
    // The rules take events about their own account and region alone.
    let (account, region) =
        receiver(&deliveries).unwrap_or_else(|| ("123456789012".to_owned(), "eu-central-1".to_owned()));
    let account = arguments.account.clone().unwrap_or(account);
    let region = arguments.region.clone().unwrap_or(region);
    let mut pipeline =
        Pipeline::start(Setting { template, parameters, policy, account, region, now }).await?;
    if let Some(file) = &arguments.known_exploited {
        know_exploited(&pipeline.aws, &std::fs::read_to_string(file)?)?;
    }
    let bar = progress_bar(deliveries.len());
    pipeline.play(deliveries, |through| bar.set_position(through as u64)).await?;
    bar.finish_and_clear();
    conclude(&pipeline, arguments, out).await
}

fn progress_bar(events: usize) -> ProgressBar {
    let target =
        if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} events, {eta} left");
    ProgressBar::with_draw_target(Some(events as u64), target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Writes the files that were asked for, and prints the outcome. The story has told images and alerts on the way.
pub(crate) async fn conclude(
    pipeline: &Pipeline,
    arguments: &Arguments,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let outcome = Outcome::of(pipeline).await?;
    if let Some(folder) = &arguments.out {
        write_files(folder, pipeline, &outcome)?;
    }
    if arguments.json {
        serde_json::to_writer(&mut *out, &outcome)?;
        writeln!(out)?;
    } else {
        if !arguments.files.is_empty() {
            report::images_and_alerts(out, &outcome)?;
        }
        report::sums(out, &outcome, pipeline.dead(), pipeline.skipped())?;
    }
    Ok(out.flush()?)
}

fn write_files(folder: &Path, pipeline: &Pipeline, outcome: &Outcome) -> Result<(), Box<dyn Error>> {
    let alerts = folder.join("alerts");
    std::fs::create_dir_all(&alerts)?;
    std::fs::write(folder.join("outcome.json"), serde_json::to_vec_pretty(outcome)?)?;
    std::fs::write(folder.join("dead-letters.jsonl"), pipeline.dead_letters().join("\n"))?;
    for (number, alert) in outcome.alerts.iter().enumerate() {
        let text = format!("Subject: {}\n\n{}", alert.subject, alert.text);
        std::fs::write(alerts.join(format!("{:04}.txt", number + 1)), text)?;
    }
    Ok(())
}
