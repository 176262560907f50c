//! Twenty minutes of all disturbances at once for two hundred Functions, `make soak`: users who change, break and delete, an API
//! server that refuses, loses and delays requests and is unavailable, a controller that is killed. Then the cluster matches the
//! objects, nothing is written any more, and the memory has not grown.

use anyhow::{Result, ensure};
use e2e::scenarios::fleet::{FUNCTION, Fleet};
use e2e::shell::progress;
use e2e::testing::objects::{create, merge};
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Child, Proxy, TestEnv};
use kube::api::DeleteParams;
use serde_json::json;
use std::time::{Duration, Instant};

const NUMBER: usize = 200;
/// Interval between two actions.
const PAUSE: Duration = Duration::from_millis(150);
/// Allowed growth of the memory from the middle to the end: single pages, and the free memory of the allocator.
const GROWTH_KIB: u64 = 2048;

/// Numbers that look random and are the same for the same seed (xorshift).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap_or_default()
    }
}

pub(crate) fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A change of one object by a user. Whether it succeeds depends on earlier actions: only the end state counts.
async fn user(fleet: &Fleet, dice: &mut Rng) -> Result<()> {
    let name = fleet.names[dice.roll(fleet.number())].clone();
    let child = |kind: &'static str, suffix: &str| {
        Child::of(&fleet.env, &fleet.namespace, kind, &format!("{name}{suffix}"))
    };
    let n = dice.roll(1000);
    let done = match dice.roll(10) {
        0 | 1 => {
            merge(&fleet.objects, &name, json!({"spec": {"image": format!("example.com/image:{n}")}})).await
        }
        2 => merge(&fleet.objects, &name, json!({"metadata": {"labels": {"n": format!("{n}")}}})).await,
        3 => merge(&fleet.objects, &name, json!({"spec": {"replicas": n % 4}})).await,
        4 => {
            merge(
                &fleet.objects,
                &name,
                json!({"spec": {"maxReplicas": if n.is_multiple_of(2) { Some(n) } else { None }}}),
            )
            .await
        }
        5 => {
            merge(
                &fleet.objects,
                &name,
                json!({"spec": {"timeout": if n.is_multiple_of(2) { json!(5000) } else { json!(3_000_000_000_u64) }}}),
            )
            .await
        }
        6 => child("StatefulSet", "-function")?.delete().await,
        7 => child("Service", "-function-headless")?.delete().await,
        8 => child("StatefulSet", "-function")?.patch(&json!({"spec": {"replicas": 9}})).await,
        _ => {
            drop(fleet.objects.delete(&name, &DeleteParams::background()).await);
            create(&fleet.objects, FUNCTION.kind, &name, &FUNCTION.spec()).await
        }
    };
    drop(done);
    Ok(())
}

/// A disturbance between the controller and the API server. Some last until the next one.
fn disturb(proxy: &Proxy, dice: &mut Rng) {
    proxy.clear();
    let writes = |action: Action| Rule::new(action).verb("patch");
    let few = 1 + dice.roll(5);
    match dice.roll(8) {
        0 => proxy.add(writes(Action::Answer(409)).times(few)),
        1 => proxy.add(writes(Action::Answer(500)).times(few)),
        2 => proxy.add(writes(Action::Answer(429)).times(few)),
        3 => proxy.add(writes(Action::CutAfter).times(few)),
        4 => proxy.add(writes(Action::Delay(Duration::from_secs(3)))),
        5 => drop(proxy.end_watches()),
        6 => drop(proxy.expire_watches()),
        // No controller runs.
        _ => {
            proxy.add(Rule::new(Action::CutBefore));
            proxy.end_watches();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "twenty minutes"]
async fn two_hundred_functions() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let (length, seed) = (Duration::from_secs(60 * number("MINUTES", 20)), number("SEED", 4711));
    progress(&format!("{} minutes, SEED={seed}", length.as_secs() / 60));
    env.test("soak", |env, namespace| async move {
        let mut fleet = Fleet::start(&env, &namespace, &FUNCTION, NUMBER).await?;
        fleet.replace(Some(Proxy::start(&env).await?)).await?;
        fleet.create(&FUNCTION.spec()).await?;
        fleet.until_ready().await?;
        let (mut dice, started) = (Rng(seed | 1), Instant::now());
        let (mut middle, mut turn, mut kills, mut panics) = (0, 0_u64, 0, 0);
        while started.elapsed() < length {
            user(&fleet, &mut dice).await?;
            turn += 1;
            if let Some(proxy) = fleet.proxy.as_ref().filter(|_| turn.is_multiple_of(100)) {
                disturb(proxy, &mut dice);
            }
            // Killed in the first half only: in the second half its memory is measured.
            if turn.is_multiple_of(400) && started.elapsed() < length / 2 {
                panics += fleet.controller.metric("function_mesh_reconcile_panics_total").unwrap_or_default();
                fleet.replace(Some(Proxy::start(&env).await?)).await?;
                kills += 1;
            }
            if middle == 0 && started.elapsed() > length * 6 / 10 {
                middle = fleet.controller.memory()?.resident;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let end = fleet.controller.memory()?.resident;
        progress(&format!("{turn} changes, {kills} kills; memory in the second half {middle} -> {end} KiB"));
        if let Some(proxy) = &fleet.proxy {
            proxy.clear();
        }
        // Objects that cannot run are fixed; a number of replicas that an autoscaler set stays within its bounds.
        for name in &fleet.names {
            if fleet.objects.get_opt(name).await?.is_none() {
                create(&fleet.objects, FUNCTION.kind, name, &FUNCTION.spec()).await?;
            }
            merge(&fleet.objects, name, json!({"spec": {"timeout": 5000, "maxReplicas": null}})).await?;
        }
        fleet.until_ready().await?;
        fleet.controller.until_idle(&env).await?;
        panics += fleet.controller.metric("function_mesh_reconcile_panics_total")?;
        ensure!(panics == 0, "{panics} panics");
        // A minute of silence, and a new process finds nothing to do.
        let mark = env.mark().await?;
        tokio::time::sleep(Duration::from_secs(60)).await;
        fleet.replace(None).await?;
        fleet.until_reconciled(0, NUMBER).await?;
        let writes = env.audit_since(&mark)?.by(&fleet.controller.user).within(&namespace).writes();
        ensure!(writes.requests().is_empty(), "writes after the end: {:?}", writes.counts());
        ensure!(end <= middle + GROWTH_KIB, "memory grew from {middle} to {end} KiB");
        Ok(())
    })
    .await
}
