//! Clusters, images, tests and the demo from the command line. `make help` lists the targets that run them.

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use e2e::cluster::{self, ApiOnly, Cluster};
use e2e::commands::{bench, demo, docs_test, test_run};
use e2e::{images, paths, shell};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

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
    /// Run the test programs that need an API server but no node, with a new API server
    Test {
        #[command(flatten)]
        name: Name,
        #[command(flatten)]
        options: test_run::Options,
    },
    /// Execute the shell blocks of the documentation
    DocsTest(docs_test::Options),
    /// Build the image of the controllers and print its path
    Image,
    /// Run the demo: the main scenario end to end
    Demo,
    /// Measure the overhead of the controllers in the folder of this program
    Bench(bench::Settings),
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

#[derive(Args)]
struct Name {
    /// Name of the cluster
    #[arg(long, default_value = "demo")]
    name: String,
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
            return run(&name.name, api_only, nodes, &command).await;
        }
        Command::Test { name, options } => return test(&name.name, &options).await,
        Command::DocsTest(options) => return document(&options).await,
        Command::Image => {
            let image = images::controllers()?;
            let megabytes = image.size()? / 1_000_000;
            shell::progress(&format!("{} ({megabytes} MB): {}", image.reference, image.path.display()));
        }
        Command::Bench(settings) => return measure(settings).await,
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

/// Runs the benchmark; a signal stops it and everything that it started.
async fn measure(settings: bench::Settings) -> Result<ExitCode> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        measured = bench::bench(settings) => measured.map(|()| ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::from(130)),
        _ = terminate.recv() => Ok(ExitCode::from(143)),
    }
}

/// Executes the documentation; a signal stops it and everything that it started.
async fn document(options: &docs_test::Options) -> Result<ExitCode> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        executed = Box::pin(docs_test::docs_test(options)) => executed.map(|()| ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::from(130)),
        _ = terminate.recv() => Ok(ExitCode::from(143)),
    }
}

/// Runs a command with a cluster: the one of `KUBECONFIG`, else a new one.
async fn run(name: &str, api_only: bool, nodes: u8, command: &[String]) -> Result<ExitCode> {
    let given = std::env::var_os("KUBECONFIG").is_some_and(|file| !file.is_empty());
    let own: Option<Own> = if api_only {
        // Always our own: its audit log is what the tests count.
        Some(Own::Api(vec![ApiOnly::up(name)?]))
    } else if given {
        shell::progress("using the cluster of KUBECONFIG");
        None
    } else {
        Some(Own::Node(Cluster::up(name, true, nodes)?))
    };
    let (program, arguments) = command.split_first().context("no command to run")?;
    let mut process = tokio::process::Command::new(program);
    process.args(arguments).envs(environment(own.as_ref())).kill_on_drop(true);
    let ended = async {
        let status = process.status().await.with_context(|| format!("cannot run {program:?}"))?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    };
    within(name, own, ended).await
}

/// Runs test programs with API servers of their own.
async fn test(name: &str, options: &test_run::Options) -> Result<ExitCode> {
    let batches = test_run::batches(options)?;
    let names = std::iter::once(name.to_owned()).chain((2..=options.servers).map(|n| format!("{name}-{n}")));
    let servers = names.map(|name| ApiOnly::up(&name)).collect::<Result<Vec<_>>>()?;
    let environments: Vec<test_run::Environment> =
        servers.iter().map(|server| variables(server.kubeconfig(), server.folder().to_owned())).collect();
    let ended = async {
        let passed = test_run::run(&batches, options, &environments).await?;
        Ok(u8::from(!passed))
    };
    within(name, Some(Own::Api(servers)), ended).await
}

/// Environment variables by which tests find a cluster.
fn environment(own: Option<&Own>) -> test_run::Environment {
    match own {
        Some(Own::Node(cluster)) => variables(cluster.kubeconfig(), cluster.folder()),
        Some(Own::Api(servers)) => servers
            .first()
            .map_or_else(Vec::new, |server| variables(server.kubeconfig(), server.folder().to_owned())),
        None => Vec::new(),
    }
}

fn variables(kubeconfig: PathBuf, folder: PathBuf) -> test_run::Environment {
    vec![("KUBECONFIG", kubeconfig), ("FUNCTION_MESH_E2E", folder)]
}

/// Waits for the exit code of what runs in a cluster and takes the cluster down, whatever happens: on failure, on a signal, and by
/// the kernel when this process is killed.
async fn within(name: &str, own: Option<Own>, ended: impl Future<Output = Result<u8>>) -> Result<ExitCode> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let code = tokio::select! {
        code = ended => code?,
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    };
    if code != 0 {
        keep_logs(name);
        if let Some(Own::Api(servers)) = &own {
            (2..=servers.len()).for_each(|n| keep_logs(&format!("{name}-{n}")));
        }
    }
    match own {
        Some(Own::Node(cluster)) => cluster.down()?,
        Some(Own::Api(servers)) => drop(servers),
        None => {}
    }
    Ok(ExitCode::from(code))
}

enum Own {
    Api(Vec<ApiOnly>),
    Node(Cluster),
}

/// Keeps the logs of the control plane and the nodes after a failure.
fn keep_logs(name: &str) {
    for logs in [paths::run(name).join("logs"), paths::disk(name).join("logs")] {
        if logs.exists() {
            let target = paths::cache().join("failed").join(format!("cluster-{name}")).display().to_string();
            let mut copy = shell::command("sh", ["-c", "mkdir -p \"$1\" && cp -r \"$0\"/. \"$1\""]);
            match shell::run(copy.arg(&logs).arg(&target)) {
                Ok(()) => shell::progress(&format!("logs of the cluster are in {target}")),
                Err(error) => shell::progress(&format!("logs of the cluster could not be kept: {error:#}")),
            }
        }
    }
}
