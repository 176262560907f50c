//! One writer at a time, whatever happens to its process or to its lease, according to the audit log of a real API server.
//!
//! Each test has a controller, and so a lease, of its own.

use anyhow::{Context, Result, ensure};
use e2e::operator::NAMESPACE;
use e2e::testing::objects::{create, function_spec, functions, merge};
use e2e::testing::proxy::Proxy;
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use std::time::Instant;

const TIMES: [&str; 3] = ["--lease-duration=5", "--lease-renew-deadline=3", "--lease-retry-period=1"];

fn flags(watched: &str) -> Vec<&str> {
    [watched, "--lease-namespace=function-mesh-system"].into_iter().chain(TIMES).collect()
}

fn leases(env: &TestEnv) -> Api<Lease> {
    Api::namespaced(env.client.clone(), NAMESPACE)
}

async fn holder(env: &TestEnv, name: &str) -> Result<String> {
    let spec = leases(env).get(name).await?.spec.unwrap_or_default();
    Ok(spec.holder_identity.unwrap_or_default())
}

/// Number of writes to the lease that were carried out for a user.
fn renewals(env: &TestEnv, user: &str) -> Result<usize> {
    let audit = env.audit()?.by(user).only(|r| r.resource() == "leases" && r.verb != "get" && r.code() < 300);
    Ok(audit.requests().len())
}

/// Waits until a user wrote the lease this many times more.
async fn renewed(env: &TestEnv, user: &str, times: usize) -> Result<()> {
    let before = renewals(env, user)?;
    env.until("renewals", || async {
        let made = renewals(env, user)? - before;
        ensure!(made >= times, "{made} of {times}");
        Ok(())
    })
    .await
}

/// Waits until a user has read the lease `times` more times.
async fn looked(env: &TestEnv, user: &str, times: usize) -> Result<()> {
    let count =
        || -> Result<usize> { Ok(env.audit()?.by(user).only(|r| r.what() == "get leases").requests().len()) };
    let before = count()?;
    env.until("looks at the lease", || async {
        let made = count()? - before;
        ensure!(made >= times, "{made} of {times}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_leader_writes_nothing_when_it_wakes() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("frozen", |env, namespace| async move {
        let watched = format!("--watched-namespace={namespace}");
        let api = functions(&env, &namespace);
        let sets = |image: &'static str| {
            let env = env.clone();
            let namespace = namespace.clone();
            async move {
                let sets: Api<k8s_openapi::api::apps::v1::StatefulSet> =
                    Api::namespaced(env.client.clone(), &namespace);
                env.until("image", || async {
                    let set = serde_json::to_string(&sets.get("f-function").await?)?;
                    ensure!(set.contains(image), "no {image}");
                    Ok(())
                })
                .await
            }
        };
        let mut old = Controller::spawn(&env, "function-controller", &flags(&watched))?;
        old.leads(&env).await?;
        create(&api, "Function", "f", &function_spec()).await?;
        sets("image").await?;
        let new = Controller::spawn(&env, "function-controller", &flags(&watched))?;
        new.ready(&env).await?;

        // Suspended, with a change that it will find when it resumes.
        old.until_idle(&env).await?;
        old.send("STOP")?;
        let mark = env.mark().await?;
        merge(&api, "f", json!({"spec": {"image": "pulsar:next"}})).await?;
        new.leads(&env).await?;
        sets("pulsar:next").await?;
        merge(&api, "f", json!({"spec": {"image": "pulsar:last"}})).await?;
        old.send("CONT")?;
        let status = old.ended(&env).await?;
        ensure!(status.code() == Some(1), "ended with {status}");
        ensure!(old.log()?.contains("the lease was lost"), "no word about the lease: {}", old.log()?);
        sets("pulsar:last").await?;
        let late = env
            .audit_since(&mark)?
            .by(&old.user)
            .only(|r| r.verb != "get" && r.verb != "watch" && r.verb != "list");
        let late = late.only(|r| r.code() < 300);
        ensure!(late.requests().is_empty(), "two writers: {:?}", late.counts());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_followed_and_a_deleted_lease_stays_with_its_holder() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("killed", |env, namespace| async move {
        const NAME: &str = "source-controller";
        let watched = format!("--watched-namespace={namespace}");
        let mut first = Controller::spawn(&env, NAME, &flags(&watched))?;
        first.leads(&env).await?;
        let second = Controller::spawn(&env, NAME, &flags(&watched))?;
        // The standby has observed the lease.
        looked(&env, &second.user, 2).await?;
        let term = leases(&env).get(NAME).await?.spec.unwrap_or_default().lease_transitions;
        first.kill();
        let killed = Instant::now();
        second.leads(&env).await?;
        println!("handover after SIGKILL took {} ms, with a lease of 5 s", killed.elapsed().as_millis());
        let spec = leases(&env).get(NAME).await?.spec.unwrap_or_default();
        ensure!(spec.lease_transitions == term.map(|t| t + 1), "{:?} after {term:?}", spec.lease_transitions);

        let third = Controller::spawn(&env, NAME, &flags(&watched))?;
        looked(&env, &third.user, 2).await?;
        for _ in 0..2 {
            leases(&env).delete(NAME, &DeleteParams::default()).await?;
            renewed(&env, &second.user, 2).await?;
            looked(&env, &third.user, 2).await?;
            let holder = holder(&env, NAME).await?;
            ensure!(holder.starts_with(&second.user), "held by {holder}");
        }
        ensure!(renewals(&env, &third.user)? == 0, "the one that waits wrote the lease");
        ensure!(second.metric("function_mesh_leader")? == 1 && third.metric("function_mesh_leader")? == 0);

        // On SIGTERM it releases the lease at once, before the lease expires.
        let status = second.signal("TERM")?;
        ensure!(status.success(), "SIGTERM ended with {status}");
        let released = holder(&env, NAME).await?;
        ensure!(released.is_empty() || released.starts_with(&third.user), "held by {released}");
        third.leads(&env).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_renew_ends() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("parted", |env, namespace| async move {
        const NAME: &str = "sink-controller";
        let watched = format!("--watched-namespace={namespace}");
        let proxy = Proxy::start(&env).await?;
        let mut leader = Controller::spawn_behind(&env, Some(&proxy), NAME, &flags(&watched))?;
        leader.leads(&env).await?;
        // It survives one failure, whether or not the renewal was carried out.
        for action in [Action::CutAfter, Action::CutBefore, Action::Answer(500)] {
            proxy.add(Rule::new(action.clone()).verb("update").resource("leases").times(1));
            env.until("failure", || async {
                ensure!(proxy.rules_left() == 0, "not yet");
                Ok(())
            })
            .await?;
            renewed(&env, &leader.user, 1).await?;
            ensure!(leader.metric("function_mesh_leader")? == 1, "lost by {action:?}");
        }
        let standby = Controller::spawn(&env, NAME, &flags(&watched))?;
        looked(&env, &standby.user, 2).await?;
        proxy.add(Rule::new(Action::Answer(403)).resource("leases"));
        let status = leader.ended(&env).await?;
        ensure!(status.code() == Some(1), "ended with {status}");
        ensure!(leader.log()?.contains("the lease was lost"), "{}", leader.log()?);
        standby.leads(&env).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_is_judged_by_its_renewals_and_not_by_its_clock() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("clocks", |env, namespace| async move {
        const NAME: &str = "mesh-controller";
        let watched = format!("--watched-namespace={namespace}");
        let entry = |minute: u32| {
            json!({"holderIdentity": "another-replica", "leaseDurationSeconds": 5,
                   "renewTime": format!("2001-01-01T00:{minute:02}:00.000000Z")})
        };
        let spec: LeaseSpec = serde_json::from_value(entry(0))?;
        let mut lease = Lease { spec: Some(spec), ..Lease::default() };
        lease.metadata.name = Some(NAME.to_owned());
        leases(&env).create(&PostParams::default(), &lease).await.context("the lease is there already")?;
        let controller = Controller::spawn(&env, NAME, &flags(&watched))?;
        // Years behind, but running.
        for minute in 1..=4 {
            looked(&env, &controller.user, 2).await?;
            let patch = json!({"spec": entry(minute)});
            leases(&env).patch(NAME, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        }
        ensure!(renewals(&env, &controller.user)? == 0, "a living holder was replaced");
        // Years ahead, but stopped.
        let patch = json!({"spec": {"renewTime": "2101-01-01T00:00:00.000000Z"}});
        let left = leases(&env).patch(NAME, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        controller.leads(&env).await?;
        let taken = leases(&env).get(&left.name_any()).await?.spec.unwrap_or_default();
        ensure!(taken.holder_identity.is_some_and(|holder| holder.starts_with(&controller.user)));
        // Another holder takes the lease: the leader exits, and does not take it back.
        let mut controller = controller;
        let patch = json!({"spec": {"holderIdentity": "another-replica"}});
        leases(&env).patch(NAME, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        let status = controller.ended(&env).await?;
        ensure!(
            status.code() == Some(1) && controller.log()?.contains("another replica holds it"),
            "{status}"
        );
        ensure!(holder(&env, NAME).await? == "another-replica");
        Ok(())
    })
    .await
}
