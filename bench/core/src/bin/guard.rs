//! Counts what each stage takes, and fails where it takes more than it may: instructions under Callgrind, allocations, and
//! bytes of the stored ledger. None of that depends on how busy the machine is.
//!
//! `make guard` runs it. It needs valgrind. `--write` takes what is counted as what is allowed.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // A program for developers.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use clap::Parser;
use comfy_table::{Table, presets};
use core_bench::floor::floor;
use core_bench::policy::policy;
use core_bench::{batch, stage};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// How many findings go through each stage.
const FINDINGS: usize = 1_000;
/// By how much a figure may be larger than it was, in percent. Other versions of the C library differ by less.
const TOLERANCE: f64 = 3.0;

const INSTRUCTIONS: &str = "instructions a finding";
const FLOOR: &str = "floor: instructions a finding";
const STAGES: [&str; 6] = ["floor", "read", "merge", "judge", "encode", "decode"];

#[derive(Parser)]
struct Arguments {
    /// Take what is counted as what is allowed.
    #[arg(long)]
    write: bool,
    /// Run one stage, in this process.
    #[arg(long, hide = true)]
    stage: Option<String>,
    /// Count allocations meanwhile.
    #[arg(long, hide = true)]
    allocations: bool,
}

/// By stage and unit.
type Counted = BTreeMap<String, f64>;

fn main() {
    let arguments = Arguments::parse();
    if let Some(name) = &arguments.stage {
        let count = run(name, arguments.allocations);
        println!("{count}");
        return;
    }
    let counted = count();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.json");
    let allowed: Counted = std::fs::read_to_string(&path)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    // Another compiler or machine changes all stages alike, and so the floor, which has nothing of ours.
    let floor = |counted: &Counted| counted.get(FLOOR).copied();
    let machine = floor(&counted).zip(floor(&allowed)).map_or(1.0, |(now, then)| now / then);
    let allowed: Counted = allowed
        .into_iter()
        .map(
            |(name, value)| if name.contains(INSTRUCTIONS) { (name, value * machine) } else { (name, value) },
        )
        .collect();
    let exceeded: Vec<&String> = counted
        .iter()
        .filter(|(name, value)| {
            allowed.get(*name).is_none_or(|allowed| **value > allowed * (1.0 + TOLERANCE / 100.0))
        })
        .map(|(name, _)| name)
        .collect();
    print(&counted, &allowed);
    if arguments.write {
        std::fs::write(&path, serde_json::to_string_pretty(&counted).unwrap() + "\n").unwrap();
    } else if !exceeded.is_empty() {
        for name in exceeded {
            eprintln!("{name} takes more than {TOLERANCE} % more than it may");
        }
        exit(1);
    }
}

/// Runs a stage. Returns what it allocated, in blocks.
fn run(name: &str, allocations: bool) -> u64 {
    let batch = batch::sqs(1, FINDINGS);
    let reports = stage::read(&batch);
    let image = reports[0].image.clone();
    let ledger = stage::scanned(stage::merge(stage::empty(&reports), reports.clone()));
    let bytes = stage::encode(&ledger);
    let policy = policy(7, 10);
    let empty = stage::empty(&reports);
    let profiler = allocations.then(|| dhat::Profiler::builder().testing().build());
    match name {
        "floor" => measured(|| floor(&batch)),
        "read" => measured(|| stage::read(&batch)),
        "merge" => measured(|| stage::merge(empty, reports)),
        "judge" => measured(|| stage::judge(&ledger, &policy)),
        "encode" => measured(|| stage::encode(&ledger)),
        "decode" => measured(|| stage::decode(&bytes, image)),
        "bytes" => return bytes.len() as u64,
        other => {
            eprintln!("unknown stage {other:?}: expected one of {STAGES:?} or bytes");
            exit(2);
        }
    }
    profiler.map_or(0, |_| dhat::HeapStats::get().total_blocks)
}

/// What Callgrind collects.
#[inline(never)]
fn measured<T>(run: impl FnOnce() -> T) {
    drop(black_box(run()));
}

fn count() -> Counted {
    let mut counted = Counted::new();
    for stage in STAGES {
        counted.insert(format!("{stage}: {INSTRUCTIONS}"), per_finding(instructions(stage)));
        let blocks = output(Command::new(this()).args(["--stage", stage, "--allocations"]));
        counted.insert(format!("{stage}: allocations a finding"), per_finding(number(&blocks.0)));
    }
    let bytes = output(Command::new(this()).args(["--stage", "bytes"]));
    counted.insert("stored: bytes a finding".to_owned(), per_finding(number(&bytes.0)));
    counted
}

/// How many instructions a stage executes.
fn instructions(stage: &str) -> u64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"]);
    command.arg("--toggle-collect=guard::measured*").arg(this()).args(["--stage", stage]);
    let (_, said) = output(&mut command);
    let line = said.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count);
    let Some(count) = line else {
        eprintln!("valgrind did not say how many instructions it collected:\n{said}");
        exit(2);
    };
    number(count)
}

fn this() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// What a command writes to the standard output and to the standard error.
fn output(command: &mut Command) -> (String, String) {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("{} cannot be run: {error}", command.get_program().display());
            exit(2);
        }
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        eprintln!("{command:?} failed:\n{said}");
        exit(2);
    }
    (String::from_utf8_lossy(&output.stdout).into_owned(), said)
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap()
}

#[allow(clippy::cast_precision_loss)] // Far below 2^52.
fn per_finding(count: u64) -> f64 {
    (count as f64 / FINDINGS as f64 * 10.0).round() / 10.0
}

fn print(counted: &Counted, allowed: &Counted) {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["what", "counted", "allowed", "difference"]);
    for (name, value) in counted {
        let allowed = allowed.get(name);
        let difference = allowed
            .filter(|allowed| **allowed > 0.0)
            .map(|allowed| format!("{:+.1} %", (value / allowed - 1.0) * 100.0));
        table.add_row([
            name.clone(),
            format!("{value:.1}"),
            allowed.map_or_else(|| "not known".to_owned(), |allowed| format!("{allowed:.1}")),
            difference.unwrap_or_default(),
        ]);
    }
    println!("{table}");
}
