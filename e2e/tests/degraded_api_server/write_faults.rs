//! Any fault at any write: the end state is the same as without it (docs/reliability.md, T1 to T4 and T8).
//!
//! `make test` runs a part; `make faults` runs all, which takes a while.

use anyhow::{Result, ensure};
use e2e::scenarios::faults::scenario::Scenario;
use e2e::scenarios::faults::{Fault, explore};
use e2e::scenarios::fleet::{FUNCTION, SINK, SOURCE};
use e2e::testing::TestEnv;
use std::time::Duration;

/// Number of concurrent plans. They wait most of the time.
const AT_ONCE: usize = 4;
/// Large enough that the minute without a write overlaps with the work of other plans.
const MANY: usize = 16;
const MINUTE: Duration = Duration::from_secs(60);

/// Each write of these once, each with another fault than the one before.
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_at_any_write_changes_nothing_in_the_end() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let scenarios = [Scenario::Create, Scenario::Image, Scenario::DeleteWithCleanup, Scenario::Drift];
    let report = explore(&env, &FUNCTION, &scenarios, AT_ONCE, Duration::ZERO, |index, fault| {
        Fault::ALL.get(index % Fault::ALL.len()) == Some(&fault)
    })
    .await?;
    ensure!(report.failures.is_empty(), "{}", report.failures.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "many minutes: `make faults`"]
async fn all_faults_at_all_writes() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let short = [Scenario::Create, Scenario::Delete];
    let mut failures = Vec::new();
    for (kind, scenarios) in [(&FUNCTION, &Scenario::ALL[..]), (&SOURCE, &short), (&SINK, &short)] {
        failures.extend(explore(&env, kind, scenarios, MANY, MINUTE, |_, _| true).await?.failures);
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}
