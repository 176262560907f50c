//! An API server that fails a share of the requests (docs/reliability.md, T4).

use anyhow::{Result, ensure};
use e2e::scenarios::edits::{until_image, want_image};
use e2e::scenarios::fleet::{FUNCTION, Fleet};
use e2e::shell::progress;
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Proxy, TestEnv};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use std::time::{Duration, Instant};

const NUMBER: usize = 20;
/// Namespace of the leases.
const LEASES: &str = "function-mesh-system";

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_requests_may_fail() -> Result<()> {
    const IMAGE: &str = "example.com/image:shared";
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("share", |env, namespace| async move {
        let mut fleet = Fleet::start(&env, &namespace, &FUNCTION, NUMBER).await?;
        fleet.replace(Some(Proxy::start(&env).await?)).await?;
        for (code, share) in [(500, 40), (503, 31), (429, 43), (504, 53)] {
            fleet.proxy()?.add(Rule::new(Action::Answer(code)).verb("patch").one_in(share));
        }
        fleet.proxy()?.add(Rule::new(Action::CutAfter).verb("patch").one_in(59));
        fleet.create(&FUNCTION.spec()).await?;
        fleet.until_ready().await?;
        want_image(&fleet, IMAGE).await?;
        until_image(&fleet, IMAGE).await?;
        fleet.until_ready().await?;
        nothing_is_left(&env, &namespace, fleet).await
    })
    .await
}

/// Everything matches the specs: a new process finds nothing to do.
async fn nothing_is_left(env: &TestEnv, namespace: &str, mut fleet: Fleet) -> Result<()> {
    fleet.proxy()?.clear();
    fleet.controller.until_idle(env).await?;
    let mark = env.mark().await?;
    fleet.replace(None).await?;
    fleet.until_reconciled(0, NUMBER).await?;
    let writes = env.audit_since(&mark)?.by(&fleet.controller.user).within(namespace).writes();
    ensure!(writes.requests().is_empty(), "{:?}", writes.counts());
    Ok(())
}

/// One request in ten fails, including watches and lease renewals, while objects are changed continuously.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn a_share_of_requests_may_fail_for_long() -> Result<()> {
    const TIME: Duration = Duration::from_secs(300);
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("share-long", |env, namespace| async move {
        let mut fleet = Fleet::start(&env, &namespace, &FUNCTION, NUMBER).await?;
        fleet.flags = vec![format!("--watched-namespace={namespace}"), format!("--lease-namespace={LEASES}")];
        fleet.replace(Some(Proxy::start(&env).await?)).await?;
        fleet.controller.leads(&env).await?;
        let leases: Api<Lease> = Api::namespaced(env.client.clone(), LEASES);
        let before = leases.get("function-controller").await?.spec;
        for (code, share) in [(500, 37), (503, 41), (429, 43), (504, 47)] {
            fleet.proxy()?.add(Rule::new(Action::Answer(code)).one_in(share));
        }
        let started = Instant::now();
        fleet.create(&FUNCTION.spec()).await?;
        fleet.until_ready().await?;
        let mut changes = 0;
        while started.elapsed() < TIME {
            changes += 1;
            let image = format!("example.com/image:share-{changes}");
            want_image(&fleet, &image).await?;
            until_image(&fleet, &image).await?;
            fleet.until_ready().await?;
        }
        let writes = fleet.proxy()?.writes();
        let sets = writes.iter().filter(|write| write.resource == "statefulsets").count();
        let needed = (1 + changes) * NUMBER;
        progress(&format!(
            "{changes} changes of {NUMBER} objects in {:?}, {sets} writes of StatefulSets for {needed}",
            started.elapsed()
        ));
        // One in ten is retried.
        ensure!(sets < needed * 5 / 4, "{sets} writes of StatefulSets instead of {needed}");
        ensure!(fleet.controller.metric("function_mesh_leader")? == 1, "the lease is lost");
        let after = leases.get("function-controller").await?.spec;
        let transitions = |spec: Option<LeaseSpec>| spec.map(|spec| spec.lease_transitions);
        ensure!(transitions(before) == transitions(after), "the lease was lost and taken again");
        nothing_is_left(&env, &namespace, fleet).await
    })
    .await
}
