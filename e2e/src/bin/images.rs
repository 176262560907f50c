//! Builds images without a Docker engine and prints where they are.

use clap::{Parser, ValueEnum};
use e2e::images::{self, Archive, Kind};
use e2e::shell::progress;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Builds images without a Docker engine; prints the name and the archive of each.
#[derive(Parser)]
struct Cli {
    /// Which image.
    image: Image,
    /// Also import it into the containerd at this socket, into the namespace of the kubelet.
    #[arg(long, value_name = "SOCKET")]
    import: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Image {
    /// The image of pods' sandboxes.
    Pause,
    /// Pulsar: broker, tools, Java instance, data generator.
    Pulsar,
    /// The same with Python, further connectors and the programs of the matrix.
    Full,
    /// PostgreSQL, Redis, RabbitMQ and Kafka, for connectors of the matrix.
    Systems,
    /// The four controllers.
    Controllers,
    /// All of them.
    All,
}

impl Image {
    fn kinds(self) -> Vec<Kind> {
        match self {
            Self::Pause => vec![Kind::Pause],
            Self::Pulsar => vec![Kind::Pulsar],
            Self::Full => vec![Kind::Full],
            Self::Systems => vec![Kind::Systems],
            Self::Controllers => vec![Kind::Controllers],
            Self::All => Kind::ALL.to_vec(),
        }
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    for kind in cli.image.kinds() {
        let archive = images::ensure(kind)?;
        print(&archive)?;
        if let Some(socket) = &cli.import {
            images::import(socket, &archive)?;
        }
    }
    Ok(())
}

fn print(archive: &Archive) -> anyhow::Result<()> {
    // Tenths of a megabyte.
    let size = archive.size()? / 100_000;
    progress(&format!("{} is {}.{} MB", archive.reference, size / 10, size % 10));
    writeln!(std::io::stdout(), "{} {}", archive.reference, archive.path.display())?;
    Ok(())
}
