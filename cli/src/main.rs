//! The command `ecr-warden`. Without a verb it tells the built-in story.

mod command;
mod reader;
mod report;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use domain::text::with_causes;

use command::{play, rescan, resume, serve, story};
use reader::Reader;

/// Runs ecr-warden's whole pipeline on this machine, on a simulated AWS inside the process.
///
/// Without arguments it tells a built-in story. With files it plays them, as `play` does.
#[derive(Parser)]
#[command(name = "ecr-warden", version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    play: play::Arguments,
}

#[derive(Subcommand)]
enum Verb {
    /// Play events through the pipeline and show what comes of them.
    Play(play::Arguments),
    /// Serve the simulated AWS on a loopback port, for functions that run as processes of their own.
    Serve(serve::Arguments),
    /// Let quarantines go on that the hourly limit holds back, in a deployment.
    Resume(resume::Arguments),
    /// Have an image scanned again that the quarantine holds archived, in a deployment.
    Rescan(rescan::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done about a standard error that is closed.
            let _ = writeln!(io::stderr(), "error: {}", with_causes(&*error));
            ExitCode::from(2)
        }
    }
}

async fn run(cli: Cli) -> Result<(), Box<dyn Error>> {
    let mut out = Reader::new(io::stdout().lock());
    match cli.verb {
        Some(Verb::Serve(arguments)) => serve::run(&arguments, &mut out).await,
        Some(Verb::Resume(arguments)) => resume::run(&arguments, &mut out).await,
        Some(Verb::Rescan(arguments)) => rescan::run(&arguments, &mut out).await,
        Some(Verb::Play(arguments)) => play_or_tell(&arguments, &mut out).await,
        None => play_or_tell(&cli.play, &mut out).await,
    }
}

async fn play_or_tell(arguments: &play::Arguments, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    if arguments.files.is_empty() {
        story::run(arguments, out).await
    } else {
        play::run(arguments, out).await
    }
}
