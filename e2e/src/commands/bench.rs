//! Controller overhead compared with the theoretical minimum: a baseline client in the same run.
//!
//! Each step creates its objects in a new namespace and deletes them afterwards; the counts come from the same scenarios
//! as those of the tests.

pub mod baseline;
mod memory;
pub mod report;
mod steps;

use crate::cluster::ApiOnly;
use crate::shell::progress;
use crate::testing::TestEnv;
use crate::testing::test_env::Build;
use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, PostParams};
use report::Row;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for one condition.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The size of the benchmark.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Number of Functions
    #[arg(long, default_value_t = 1000)]
    pub number: usize,
    /// Number of comparisons with the baseline client
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Length of the idle phase in seconds: more than two timeouts of a watch, so that watches restart in it
    #[arg(long, default_value_t = 410)]
    pub idle: u64,
    /// Folder of the controllers; the folder of this program by default
    #[arg(long)]
    pub controllers: Option<PathBuf>,
    /// Measure memory only
    #[arg(long)]
    pub memory_only: bool,
    /// Write docs/benchmarks.md
    #[arg(long)]
    pub write: bool,
}

/// The cluster and the results so far.
pub struct Bench {
    settings: Settings,
    env: TestEnv,
    rows: Vec<Row>,
}

/// Runs everything on a control plane of its own and prints the table.
///
/// # Errors
/// When something does not start or an expectation is not met; a missed goal is no error.
pub async fn bench(settings: Settings) -> Result<()> {
    let cluster = ApiOnly::up("bench")?;
    let own = std::env::current_exe()?.parent().context("a program without a folder")?.to_owned();
    let folder = settings.controllers.clone().unwrap_or(own);
    let env =
        TestEnv::new(cluster.folder(), Build { folder, log: "--log-level=info", environment: &[] }, TIMEOUT)
            .await?;
    env.prepare().await?;
    let mut bench = Bench { settings: settings.clone(), env, rows: Vec::new() };
    if settings.memory_only {
        bench.memory().await?;
    } else {
        bench.create().await?;
        bench.life().await?;
        bench.churn().await?;
        bench.memory().await?;
    }
    let table = report::table(&bench.rows);
    eprintln!("\n{}\n{table}", report::machine()?);
    if settings.write {
        report::write(&bench.rows, &settings)?;
        progress("written to docs/benchmarks.md");
    }
    Ok(())
}

impl Bench {
    fn add(&mut self, row: Row) {
        progress(&format!("{}: {} (goal {})", row.what, row.ours, row.goal));
        self.rows.push(row);
    }

    /// Creates a namespace.
    async fn namespace(&self, name: &str) -> Result<String> {
        let api: Api<Namespace> = Api::all(self.env.client.clone());
        let object = serde_json::from_value(serde_json::json!({"metadata": {"name": name}}))?;
        api.create(&PostParams::default(), &object).await?;
        Ok(name.to_owned())
    }

    /// Deletes a namespace and waits until it is gone.
    async fn delete_namespace(&self, namespace: &str) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.env.client.clone());
        api.delete(namespace, &DeleteParams::background()).await?;
        self.env
            .until("end of a namespace", || async {
                anyhow::ensure!(api.get_opt(namespace).await?.is_none(), "still there");
                Ok(())
            })
            .await
    }
}

/// Seconds, in words.
fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// A number for each object, in words.
#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn each(total: usize, number: usize) -> String {
    let each = total as f64 / number as f64;
    if total.is_multiple_of(number) { format!("{}", total / number) } else { format!("{each:.2}") }
}
