//! Fault injection: one fault at each write of a scenario, and invariants of the final state.
//!
//! A scenario runs undisturbed first; the proxy records the writes of the controller. Then it runs once for each write and each
//! [`Fault`], in a namespace of its own, and has to reach the same end state:
//!
//! * O1 the same objects, apart from what differs between any two runs (`state`);
//! * O2 the same creations and deletions for each object;
//! * O3 no further writes after that;
//! * O5 no panic, and the process ends only as planned.

pub mod scenario;
mod state;

use crate::scenarios::fleet::Kind;
use crate::testing::controller::Controller;
use crate::testing::proxy::rule::{Action, Rule, Target};
use crate::testing::{Proxy, TestEnv};
use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt, stream};
use scenario::{Fixture, Scenario};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A fault at a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The controller is killed before the write reaches the API server.
    CrashBefore,
    /// The controller is killed after the API server carried it out.
    CrashAfter,
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It is refused with 409.
    Conflict,
    /// It is refused with 500.
    Error,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::CrashBefore, Self::CrashAfter, Self::AnswerLost, Self::Conflict, Self::Error];

    fn kills(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashAfter)
    }

    fn action(self, process: u32) -> Action {
        match self {
            Self::CrashBefore => Action::KillBefore(process),
            Self::CrashAfter => Action::KillAfter(process),
            Self::AnswerLost => Action::CutAfter,
            Self::Conflict => Action::Answer(409),
            Self::Error => Action::Answer(500),
        }
    }
}

/// A write of a scenario: the n-th of its kind to its object.
#[derive(Clone, Debug)]
pub struct Write {
    target: Target,
    nth: usize,
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct End {
    /// The objects, without everything that may differ.
    pub state: Value,
    /// Creations and deletions of each object.
    pub made: BTreeMap<String, usize>,
    /// The controller's writes while the scenario ran.
    pub writes: Vec<Write>,
}

/// A fault at a write of a scenario.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// The write of the controller.
    pub write: Write,
    /// The fault.
    pub fault: Fault,
}

impl Plan {
    fn description(&self) -> String {
        let Target { verb, resource, name, .. } = &self.write.target;
        format!("{:?}, {:?} at {verb} {resource} {name} #{}", self.scenario, self.fault, self.write.nth)
    }
}

/// The results of all plans of a kind.
#[derive(Debug, Default)]
pub struct Report {
    /// Plans that were run.
    pub plans: usize,
    /// Plans whose write was not made: two writes of a slow run may be one write in a fast run.
    pub unreached: usize,
    /// Violated invariants, by plan.
    pub failures: Vec<String>,
}

/// Runs scenarios of a kind undisturbed, and then with each fault at each write for which `chosen` is true. After each run the
/// controller must not write for the duration `tail`.
///
/// # Errors
/// When an undisturbed run fails.
pub async fn explore(
    env: &TestEnv,
    kind: &'static Kind,
    scenarios: &[Scenario],
    at_once: usize,
    tail: Duration,
    chosen: impl Fn(usize, Fault) -> bool,
) -> Result<Report> {
    let mut ends = BTreeMap::new();
    let mut plans = Vec::new();
    for scenario in scenarios {
        let end = run(env, kind, *scenario, None, None, Duration::ZERO)
            .await
            .with_context(|| format!("{} {scenario:?}, undisturbed", kind.kind))?
            .0;
        for (index, write) in end.writes.iter().enumerate() {
            let faults = Fault::ALL.into_iter().filter(|fault| chosen(index, *fault));
            plans.extend(faults.map(|fault| Plan { scenario: *scenario, write: write.clone(), fault }));
        }
        ends.insert(*scenario, end);
    }
    let started = Instant::now();
    let report = Mutex::new(Report { plans: plans.len(), ..Report::default() });
    stream::iter(plans)
        .for_each_concurrent(at_once, |plan| {
            let (ends, report) = (&ends, &report);
            async move {
                let outcome =
                    run(env, kind, plan.scenario, Some(&plan), ends.get(&plan.scenario), tail).await;
                let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                match outcome {
                    Ok((_, true)) => {}
                    Ok((_, false)) => report.unreached += 1,
                    Err(error) => report.failures.push(format!("{}: {error:#}", plan.description())),
                }
            }
        })
        .await;
    let report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    eprintln!(
        "{}: {} plans over {scenarios:?} in {} s, {} not reached, {} failed",
        kind.kind,
        report.plans,
        started.elapsed().as_secs(),
        report.unreached,
        report.failures.len()
    );
    Ok(report)
}

/// Runs a scenario, with a fault if there is a plan. Also returns whether the fault was reached.
async fn run(
    env: &TestEnv,
    kind: &'static Kind,
    scenario: Scenario,
    plan: Option<&Plan>,
    reference: Option<&End>,
    tail: Duration,
) -> Result<(End, bool)> {
    let result = Mutex::new(None);
    env.test("fault", |env, namespace| async {
        let end = act(env, namespace, kind, scenario, plan, reference, tail).await?;
        *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        Ok(())
    })
    .await?;
    result.into_inner().unwrap_or_else(PoisonError::into_inner).context("no end")
}

async fn act(
    env: TestEnv,
    namespace: String,
    kind: &'static Kind,
    scenario: Scenario,
    plan: Option<&Plan>,
    reference: Option<&End>,
    tail: Duration,
) -> Result<(End, bool)> {
    let (mark, proxy) = (env.mark().await?, Proxy::start(&env).await?);
    let watched = format!("--watched-namespace={namespace}");
    let flags = [watched.as_str(), "--leader-elect=false"];
    let start = || Controller::spawn_behind(&env, Some(&proxy), kind.controller, &flags);
    let mut controller = start()?;
    controller.ready(&env).await?;
    let fixture = Fixture::new(&env, &namespace, kind);
    scenario.prepare(&fixture).await?;
    controller.until_idle(&env).await?;
    let before = proxy.writes().len();
    if let Some(Plan { write: Write { target, nth }, fault, .. }) = plan {
        let rule = Rule::new(fault.action(controller.id())).verb(target.verb).resource(&target.resource);
        proxy.add(rule.name(&target.name).nth(*nth));
    }
    scenario.act(&fixture).await?;
    let mut killed = false;
    if plan.is_some_and(|plan| plan.fault.kills()) {
        let hit = env.until("fault", || async {
            ensure!(proxy.rules_left() == 0, "the write did not come");
            Ok(())
        });
        // The scenario may complete without a write that is only made sometimes.
        let over = async {
            scenario.done(&fixture).await?;
            controller.until_idle(&env).await
        };
        tokio::select! {
            hit = hit => hit?,
            over = over => over?,
        }
        killed = proxy.rules_left() == 0;
    }
    if killed {
        controller.ended(&env).await?;
        controller = start()?;
        controller.ready(&env).await?;
    }
    scenario.done(&fixture).await?;
    if let Some(reference) = reference {
        env.until("O1, the state of the undisturbed run", || async {
            state::equal(&fixture.state().await?, &reference.state)
        })
        .await?;
    }
    controller.until_idle(&env).await?;
    let writes = proxy.writes();
    // The measured period, in which nothing should happen.
    tokio::time::sleep(tail).await;
    let end = fixture.state().await?;
    let late = proxy.writes().split_off(writes.len());
    ensure!(late.is_empty(), "O3, writes after the end: {late:?}");
    ensure!(controller.metric("function_mesh_reconcile_panics_total")? == 0, "O5, a panic");
    let made = state::made(&env.audit_since(&mark)?.by_any(kind.controller).within(&namespace));
    if let Some(reference) = reference {
        state::equal(&end, &reference.state).context("O1, in the end")?;
        if made != reference.made {
            bail!("O2, made and deleted {made:?} instead of {:?}", reference.made);
        }
    }
    let reached = plan.is_none() || proxy.rules_left() == 0;
    Ok((End { state: end, made, writes: numbered(writes.get(before..).unwrap_or_default()) }, reached))
}

/// Writes, each with its number among equal ones.
fn numbered(writes: &[Target]) -> Vec<Write> {
    let mut numbered: Vec<Write> = Vec::new();
    for target in writes {
        let nth = 1 + numbered.iter().filter(|write| write.target == *target).count();
        numbered.push(Write { target: target.clone(), nth });
    }
    numbered
}
