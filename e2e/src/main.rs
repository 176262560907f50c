//! Clusters, images, tests and the demo from the command line. `make help` lists the targets that run them.

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use e2e::cluster::{self, Cluster};
use e2e::commands::demo;
use e2e::commands::own_cluster::{self, Name};
use e2e::{images, release, shell};
use std::process::ExitCode;

/// A real Kubernetes and a real Pulsar for tests and the demo.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a cluster and leave it running
    Up {
        /// Number of nodes, one or two
        #[arg(long, default_value_t = 1)]
        nodes: u8,
        #[command(flatten)]
        name: Name,
    },
    /// Stop a cluster and remove everything that it started
    Down {
        /// Stop all clusters
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        name: Name,
    },
    /// Build all images and import them into a running cluster
    Load(Name),
    /// Run a command with a new cluster, then stop the cluster
    Run {
        /// Start an API server without a node
        #[arg(long)]
        api_only: bool,
        /// Number of nodes, one or two
        #[arg(long, default_value_t = 1)]
        nodes: u8,
        #[command(flatten)]
        name: Name,
        /// Command to run
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Build the image of the controllers and print its path
    Image,
    /// Build a release: images, charts, manifests, the plugin and their bills of materials
    Release(release::Options),
    /// Run the demo: the main scenario end to end
    Demo,
    #[cfg(feature = "tests")]
    #[command(flatten)]
    Tests(e2e::commands::tests::Command),
    /// First process inside a cluster (internal)
    #[command(name = "cluster-inside", hide = true)]
    Inside {
        #[command(flatten)]
        name: Name,
        #[arg(long)]
        address: String,
        #[arg(long)]
        gateway: String,
        #[arg(long, default_value_t = 1)]
        nodes: u8,
    },
    /// First process inside the second node of a cluster (internal)
    #[command(name = "cluster-second", hide = true)]
    Second {
        #[command(flatten)]
        name: Name,
        #[arg(long)]
        address: String,
        #[arg(long)]
        gateway: String,
        #[arg(long)]
        dns: String,
    },
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    match execute(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::Up { nodes, name } => Cluster::up(&name.name, false, nodes).map(drop)?,
        Command::Down { all, name } => {
            let names = if all { Cluster::all() } else { vec![name.name] };
            for name in names {
                Cluster::named(&name)?.down()?;
                shell::progress(&format!("cluster {name} is down"));
            }
        }
        Command::Load(Name { name }) => {
            let cluster = Cluster::named(&name)?;
            if !cluster.is_healthy() {
                bail!("cluster {name} does not run; bring it up first");
            }
            for image in [images::pulsar()?, images::controllers()?] {
                cluster.import(&image)?;
            }
        }
        Command::Run { api_only, nodes, name, command } => {
            return own_cluster::run(&name.name, api_only, nodes, &command).await;
        }
        Command::Image => {
            let image = images::controllers()?;
            let megabytes = image.size()? / 1_000_000;
            shell::progress(&format!("{} ({megabytes} MB): {}", image.reference, image.path.display()));
        }
        #[cfg(feature = "tests")]
        Command::Tests(command) => return command.execute().await,
        Command::Release(options) => release::release(&options)?,
        Command::Demo => demo::demo()?,
        Command::Inside { name, address, gateway, nodes } => {
            cluster::inside(&name.name, &address, &gateway, nodes)?;
        }
        Command::Second { name, address, gateway, dns } => {
            cluster::second::inside(&name.name, &address, &gateway, &dns)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
