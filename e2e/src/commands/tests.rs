//! The subcommands that need the modules of the tests. `make demo` is built without them: they compile for minutes.

use super::own_cluster::{Environment, Name, Own, variables, within};
use super::{bench, docs_test, test_run};
use crate::cluster::ApiOnly;
use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// See the module.
#[derive(Subcommand)]
pub enum Command {
    /// Run the test programs that need an API server but no node, with a new API server
    Test {
        /// Name of the first API server.
        #[command(flatten)]
        name: Name,
        /// Which tests, and how.
        #[command(flatten)]
        options: test_run::Options,
    },
    /// Execute the shell blocks of the documentation
    DocsTest(docs_test::Options),
    /// Measure the overhead of the controllers in the folder of this program
    Bench(bench::Settings),
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// When something does not start or fails; failed tests are an exit code.
    pub async fn execute(self) -> Result<ExitCode> {
        match self {
            Self::Test { name, options } => test(&name.name, &options).await,
            Self::DocsTest(options) => document(&options).await,
            Self::Bench(settings) => measure(settings).await,
        }
    }
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

/// Runs test programs with API servers of their own.
async fn test(name: &str, options: &test_run::Options) -> Result<ExitCode> {
    let batches = test_run::batches(options)?;
    let names = std::iter::once(name.to_owned()).chain((2..=options.servers).map(|n| format!("{name}-{n}")));
    let servers = names.map(|name| ApiOnly::up(&name)).collect::<Result<Vec<_>>>()?;
    let environments: Vec<Environment> =
        servers.iter().map(|server| variables(server.kubeconfig(), server.folder().to_owned())).collect();
    let ended = async {
        let passed = test_run::run(&batches, options, &environments).await?;
        Ok(u8::from(!passed))
    };
    within(name, Some(Own::Api(servers)), ended).await
}
