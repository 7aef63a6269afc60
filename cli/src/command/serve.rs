//! `ecr-warden serve`: the simulated AWS on a port, for `cargo lambda watch` and for the deployed tests.

use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use sim_pipeline::{Delivery, Endpoint, News, know_exploited, read_file};

use super::root;
use crate::report;

/// How often it checks for news.
const LOOK: Duration = Duration::from_millis(200);

/// It has the table, the topics and the bus of template.yaml, and prints what is done to it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Event files; the images and findings that they imply are in the registry and in Inspector.
    files: Vec<PathBuf>,
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 4577)]
    port: u16,
    /// CISA's catalogue of known exploited vulnerabilities (JSON), which no event carries.
    #[arg(long, value_name = "FILE")]
    known_exploited: Option<PathBuf>,
    /// The account that it simulates.
    #[arg(long, default_value = "210987654321")]
    account: String,
    /// The region that it simulates.
    #[arg(long, default_value = "eu-west-1")]
    region: String,
}

pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let template = std::fs::read_to_string(root().join("template.yaml"))?;
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
    writeln!(out, "http://{address}")?;
    loop {
        tokio::time::sleep(LOOK).await;
        tell(out, &endpoint.news())?;
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
        report::alert(out, alert)?;
    }
    out.flush()
}
