//! What each stage costs for each finding, and how that grows.
//!
//! `make bench` runs it. All is measured in turns, round after round, so that a machine that is busy for a while slows all
//! of it down; of each the fastest round counts. Compare ratios, not times: they hold on other machines.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A program for developers.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Parser;
use comfy_table::{Table, presets};
use core_bench::floor::floor;
use core_bench::policy::policy;
use core_bench::{batch, stage};
use serde::Serialize;

#[derive(Parser)]
struct Arguments {
    /// How often all is measured.
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Something that is measured.
struct Case<'a> {
    name: String,
    findings: usize,
    run: Box<dyn Fn() -> Duration + 'a>,
    fastest: Duration,
}

#[derive(Serialize)]
struct Measured {
    name: String,
    findings: usize,
    microseconds_per_finding: f64,
    /// Against reading the same bytes into structs.
    times_floor: f64,
}

impl<'a> Case<'a> {
    fn new<T>(name: impl Into<String>, findings: usize, run: impl Fn() -> T + 'a) -> Self {
        let run = move || {
            let begin = Instant::now();
            let result = black_box(run());
            let took = begin.elapsed();
            drop(result);
            took
        };
        Self { name: name.into(), findings, run: Box::new(run), fastest: Duration::MAX }
    }

    /// Leaves out of the time what is made before.
    fn prepared<P, T>(
        name: impl Into<String>,
        findings: usize,
        prepare: impl Fn() -> P + 'a,
        run: impl Fn(P) -> T + 'a,
    ) -> Self {
        let run = move || {
            let prepared = prepare();
            let begin = Instant::now();
            let result = black_box(run(prepared));
            let took = begin.elapsed();
            drop(result);
            took
        };
        Self { name: name.into(), findings, run: Box::new(run), fastest: Duration::MAX }
    }

    #[allow(clippy::cast_precision_loss)] // Thousands of findings.
    fn microseconds(&self) -> f64 {
        self.fastest.as_secs_f64() * 1e6 / self.findings as f64
    }
}

fn main() {
    let arguments = Arguments::parse();
    let batches: Vec<(usize, String)> =
        [1, 10, 100, 1_000, 10_000].into_iter().map(|findings| (findings, batch::sqs(1, findings))).collect();
    let many: Vec<(usize, String)> =
        [1, 10, 100].into_iter().map(|images| (images, batch::sqs(images, 10))).collect();
    let thousand = &batches[3].1;
    let reports = stage::read(thousand);
    let ledger = stage::scanned(stage::merge(stage::empty(&reports), reports.clone()));
    let bytes = stage::encode(&ledger);
    let blank = stage::encode(&stage::empty(&reports));
    let policies = [policy(0, 0), policy(7, 0), policy(97, 0), policy(0, 100)];

    let mut cases = vec![
        Case::new("floor: read into structs", 1_000, || floor(thousand)),
        Case::new("read", 1_000, || stage::read(thousand)),
        Case::prepared(
            "merge",
            1_000,
            || (stage::empty(&reports), reports.clone()),
            |(ledger, reports)| stage::merge(ledger, reports),
        ),
        Case::prepared(
            "merge what is known",
            1_000,
            || (ledger.clone(), reports.clone()),
            |(ledger, reports)| stage::merge(ledger, reports),
        ),
        Case::new("judge, 3 rules", 1_000, || stage::judge(&ledger, &policies[0])),
        Case::new("judge, 10 rules", 1_000, || stage::judge(&ledger, &policies[1])),
        Case::new("judge, 100 rules", 1_000, || stage::judge(&ledger, &policies[2])),
        Case::new("judge, 100 waivers", 1_000, || stage::judge(&ledger, &policies[3])),
        Case::new("encode", 1_000, || stage::encode(&ledger)),
        Case::new("decode", 1_000, || stage::decode(&bytes, reports[0].image.clone())),
        Case::new("together, a new image", 1_000, || stage::together(thousand, &blank, &policies[0])),
        Case::new("together, a known image", 1_000, || stage::together(thousand, &bytes, &policies[0])),
    ];
    for (findings, batch) in &batches {
        let run = || stage::together(batch, &blank, &policies[0]);
        cases.push(Case::new(format!("together, {findings} of an image"), *findings, run));
    }
    for (images, batch) in &many {
        cases.push(Case::new(format!("read, {images} × 10"), images * 10, || stage::read(batch)));
    }
    for _ in 0..arguments.rounds {
        for case in &mut cases {
            case.fastest = case.fastest.min((case.run)());
        }
    }

    let floor = cases[0].microseconds();
    let measured: Vec<Measured> = cases
        .iter()
        .map(|case| Measured {
            name: case.name.clone(),
            findings: case.findings,
            microseconds_per_finding: case.microseconds(),
            times_floor: case.microseconds() / floor,
        })
        .collect();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&measured).unwrap());
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["what", "findings", "µs a finding", "× floor"]);
    for one in measured {
        let (time, ratio) =
            (format!("{:.2}", one.microseconds_per_finding), format!("{:.2}", one.times_floor));
        table.add_row([one.name, one.findings.to_string(), time, ratio]);
    }
    println!("{table}");
}
