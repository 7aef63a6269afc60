//! `cargo run --bin local-aws -- [FILES]`

use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use runner::{Delivery, Endpoint, News, Reader, know_exploited, print_alert, read_file};

/// How often it looks whether something happened.
const LOOK: Duration = Duration::from_millis(200);

/// Serves the local AWS on a loopback port, for `cargo lambda watch`, and prints what is done to it.
///
/// It has the table, the topics and the bus of template.yaml. Files are events (as `cargo run` takes them); the
/// images and findings that they imply are in its registry and in its Inspector.
#[derive(Parser)]
#[command(name = "local-aws", version, about)]
struct Arguments {
    /// Files of events.
    files: Vec<PathBuf>,
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 4577)]
    port: u16,
    /// CISA's catalogue of known exploited vulnerabilities (JSON), which no event carries.
    #[arg(long, value_name = "FILE")]
    known_exploited: Option<PathBuf>,
    /// The account.
    #[arg(long, default_value = "210987654321")]
    account: String,
    /// The region.
    #[arg(long, default_value = "eu-west-1")]
    region: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done about a standard error that is closed.
            let _ = writeln!(io::stderr(), "error: {}", shared::queue::chain(&*error));
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let template = std::fs::read_to_string(root.join("template.yaml"))?;
    let mut deliveries: Vec<Delivery> = Vec::new();
    for file in &arguments.files {
        deliveries.extend(read_file(&file.to_string_lossy())?);
    }
    let mut endpoint =
        Endpoint::furnished(&template, &deliveries, &arguments.account, &arguments.region).await?;
    if let Some(file) = &arguments.known_exploited {
        know_exploited(&endpoint.aws, &std::fs::read_to_string(file)?)?;
    }
    let (address, _server) =
        endpoint.aws.serve(SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port))).await?;
    let mut out = Reader::new(io::stdout().lock());
    writeln!(out, "http://{address}")?;
    loop {
        tokio::time::sleep(LOOK).await;
        tell(&mut out, &endpoint.news())?;
    }
}

fn tell(out: &mut impl Write, news: &News) -> io::Result<()> {
    for ((caller, action), count) in &news.calls {
        let caller = if caller.is_empty() { String::new() } else { format!(" by {caller}") };
        writeln!(out, "{count} {action}{caller}")?;
    }
    for (bus, event) in &news.events {
        writeln!(out, "event on {bus}: {event}")?;
    }
    for alert in &news.alerts {
        print_alert(out, alert)?;
    }
    out.flush()
}
