//! Controller overhead compared with the theoretical minimum: a baseline client in the same run.
//!
//! Each step creates its objects in a new namespace and deletes them afterwards; the counts come from the same scenarios
//! as those of the tests.

mod baseline;
mod large;
mod large_mesh;
mod memory;
mod report;
mod run;
mod settings;
mod steps;

pub(super) use settings::Settings;

use crate::cluster::ApiOnly;
use crate::shell::progress;
use crate::testing::test_env::Build;
use crate::testing::test_env::TestEnv;
use anyhow::{Context, Result};
use run::Bench;
use std::time::Duration;

/// Longest wait for one condition.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Runs everything on a control plane of its own and prints the table.
///
/// # Errors
/// When something does not start or an expectation is not met; a missed goal is no error.
pub(super) async fn bench(settings: Settings) -> Result<()> {
    let cluster = ApiOnly::up_for_measurements("bench")?;
    let own = std::env::current_exe()?.parent().context("a program without a folder")?.to_owned();
    let folder = settings.controllers.clone().unwrap_or(own);
    let env =
        TestEnv::new(cluster.folder(), Build { folder, log: "--log-level=info", environment: &[] }, TIMEOUT)
            .await?;
    env.prepare().await?;
    let mut bench = Bench { settings: settings.clone(), env, rows: Vec::new() };
    if settings.large {
        bench.large().await?;
    } else if settings.memory_only {
        bench.memory().await?;
    } else {
        bench.create().await?;
        bench.life().await?;
        bench.churn().await?;
        bench.memory().await?;
    }
    let table = report::table(&bench.rows);
    eprintln!("\n{}\n{table}", report::machine()?);
    if settings.write && settings.large {
        report::write_large(&bench.rows, &settings)?;
        progress("written to docs/benchmarks-large.md");
    } else if settings.write {
        report::write(&bench.rows, &settings)?;
        progress("written to docs/benchmarks.md");
    }
    Ok(())
}
