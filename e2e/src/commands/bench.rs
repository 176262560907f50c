//! What our controllers cost, beside a baseline client in the same run.
//!
//! Each step makes its objects in a namespace of its own and takes them away again; the counts come from the same
//! scenarios as those of the tests.

pub mod baseline;
mod memory;
pub mod report;
mod steps;

use crate::cluster::ApiOnly;
use crate::shell::say;
use crate::testing::TestEnv;
use crate::testing::test_env::Build;
use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, PostParams};
use report::Row;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for one condition.
const PATIENCE: Duration = Duration::from_secs(600);

/// How much is done.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Number of Functions.
    #[arg(long, default_value_t = 1000)]
    pub number: usize,
    /// Number of times that creating them is compared with the baseline client.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Seconds for which nothing happens; more than two lives of a watch, so that its end is seen.
    #[arg(long, default_value_t = 410)]
    pub idle: u64,
    /// Folder of the controllers; that of this program when not given.
    #[arg(long)]
    pub controllers: Option<PathBuf>,
    /// Only what is about memory, without the table.
    #[arg(long)]
    pub memory_only: bool,
    /// Write docs/benchmarks.md.
    #[arg(long)]
    pub write: bool,
}

/// A cluster, and what was found out so far.
pub struct Bench {
    settings: Settings,
    env: TestEnv,
    rows: Vec<Row>,
}

/// Runs everything on a control plane of its own and prints the table.
///
/// # Errors
/// When something does not start, or an expectation about what happens is not met; goals that are missed are no errors.
pub async fn bench(settings: Settings) -> Result<()> {
    let cluster = ApiOnly::up("bench")?;
    let own = std::env::current_exe()?.parent().context("a program without a folder")?.to_owned();
    let folder = settings.controllers.clone().unwrap_or(own);
    let env =
        TestEnv::new(cluster.folder(), Build { folder, log: "--log-level=info", environment: &[] }, PATIENCE)
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
        say("written to docs/benchmarks.md");
    }
    Ok(())
}

impl Bench {
    fn add(&mut self, row: Row) {
        say(&format!("{}: {} (goal {})", row.what, row.ours, row.goal));
        self.rows.push(row);
    }

    /// Makes a namespace.
    async fn namespace(&self, name: &str) -> Result<String> {
        let api: Api<Namespace> = Api::all(self.env.client.clone());
        let object = serde_json::from_value(serde_json::json!({"metadata": {"name": name}}))?;
        api.create(&PostParams::default(), &object).await?;
        Ok(name.to_owned())
    }

    /// Takes a namespace away, with all that is in it, and waits for the end.
    async fn leave(&self, namespace: &str) -> Result<()> {
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
