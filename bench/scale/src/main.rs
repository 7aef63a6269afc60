//! How long ten thousand images take, how many calls and alerts, and what that costs: adopted, judged by a new policy, and hit
//! by one new vulnerability, while Inspector lets only so many calls through. Time is that of the simulated clock.
//!
//! `make scale` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)] // A program for developers.

mod inventory;
mod phase;
mod report;

use std::process::{Command, Stdio};

use clap::Parser;
use inventory::Inventory;
use phase::Measured;

#[derive(Parser)]
struct Arguments {
    /// How many images are in the registry.
    #[arg(long, default_value_t = 10_000)]
    images: usize,
    /// How many findings each of them has.
    #[arg(long, default_value_t = 200)]
    findings: usize,
    /// How many calls of Inspector's are let through a second; each rate is a run of its own.
    #[arg(long, value_delimiter = ',', default_value = "1,5,20")]
    rates: Vec<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Only this one rate, in this process. The SDK keeps its allowance for retries by process.
    #[arg(long, hide = true)]
    only: Option<u32>,
}

fn main() {
    let arguments = Arguments::parse();
    if let Some(rate) = arguments.only {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let inventory = Inventory { images: arguments.images, findings: arguments.findings };
        let measured = runtime.block_on(phase::all(&inventory, rate));
        println!("{}", serde_json::to_string(&measured).unwrap());
        return;
    }
    let measured: Vec<Measured> = arguments.rates.iter().flat_map(|rate| alone(&arguments, *rate)).collect();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&measured).unwrap());
    } else {
        println!("{}", report::table(&measured));
    }
    if !measured.iter().all(Measured::is_within_budget) {
        eprintln!("a budget is exceeded");
        std::process::exit(1);
    }
}

/// The phases at one rate, in a process of their own.
fn alone(arguments: &Arguments, rate: u32) -> Vec<Measured> {
    eprintln!("{} images at {rate} calls a second …", arguments.images);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--only", &rate.to_string(), "--images", &arguments.images.to_string()]);
    command
        .args(["--findings", &arguments.findings.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let output = command.output().unwrap();
    assert!(output.status.success(), "the run at {rate} calls a second failed");
    serde_json::from_slice(&output.stdout).unwrap()
}
