//! One writer at a time, whatever happens to it or to its lease, by the audit log of a real API server.
//!
//! Each test has a controller, and so a lease, of its own.

use anyhow::{Context, Result, ensure};
use e2e::operator::NAMESPACE;
use e2e::testing::objects::{create, function_spec, functions, merge};
use e2e::testing::proxy::Proxy;
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Controller, Rig};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use std::time::Instant;

const TIMES: [&str; 3] = ["--lease-duration=5", "--lease-renew-deadline=3", "--lease-retry-period=1"];

fn flags(watched: &str) -> Vec<&str> {
    [watched, "--lease-namespace=function-mesh-system"].into_iter().chain(TIMES).collect()
}

fn leases(rig: &Rig) -> Api<Lease> {
    Api::namespaced(rig.client.clone(), NAMESPACE)
}

async fn holder(rig: &Rig, name: &str) -> Result<String> {
    let spec = leases(rig).get(name).await?.spec.unwrap_or_default();
    Ok(spec.holder_identity.unwrap_or_default())
}

/// Number of writes to the lease that were carried out for a user.
fn renewals(rig: &Rig, user: &str) -> Result<usize> {
    let audit = rig.audit()?.by(user).only(|r| r.resource() == "leases" && r.verb != "get" && r.code() < 300);
    Ok(audit.requests().len())
}

/// Waits until a user wrote the lease so many times more.
async fn renewed(rig: &Rig, user: &str, times: usize) -> Result<()> {
    let before = renewals(rig, user)?;
    rig.until("renewals", || async {
        let made = renewals(rig, user)? - before;
        ensure!(made >= times, "{made} of {times}");
        Ok(())
    })
    .await
}

/// Waits until a user looked at the lease so many times more.
async fn looked(rig: &Rig, user: &str, times: usize) -> Result<()> {
    let count =
        || -> Result<usize> { Ok(rig.audit()?.by(user).only(|r| r.what() == "get leases").requests().len()) };
    let before = count()?;
    rig.until("looks at the lease", || async {
        let made = count()? - before;
        ensure!(made >= times, "{made} of {times}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_leader_writes_nothing_when_it_wakes() -> Result<()> {
    let rig = Rig::connect().await?;
    rig.prepare().await?;
    rig.test("frozen", |rig, namespace| async move {
        let watched = format!("--watched-namespace={namespace}");
        let api = functions(&rig, &namespace);
        let sets = |image: &'static str| {
            let rig = rig.clone();
            let namespace = namespace.clone();
            async move {
                let sets: Api<k8s_openapi::api::apps::v1::StatefulSet> =
                    Api::namespaced(rig.client.clone(), &namespace);
                rig.until("image", || async {
                    let set = serde_json::to_string(&sets.get("f-function").await?)?;
                    ensure!(set.contains(image), "no {image}");
                    Ok(())
                })
                .await
            }
        };
        let mut old = Controller::spawn(&rig, "function-controller", &flags(&watched))?;
        old.leads(&rig).await?;
        create(&api, "Function", "f", &function_spec()).await?;
        sets("image").await?;
        let new = Controller::spawn(&rig, "function-controller", &flags(&watched))?;
        new.ready(&rig).await?;

        // Frozen, with a change that it will find when it wakes.
        old.quiet(&rig).await?;
        old.send("STOP")?;
        let mark = rig.mark().await?;
        merge(&api, "f", json!({"spec": {"image": "pulsar:next"}})).await?;
        new.leads(&rig).await?;
        sets("pulsar:next").await?;
        merge(&api, "f", json!({"spec": {"image": "pulsar:last"}})).await?;
        old.send("CONT")?;
        let status = old.ended(&rig).await?;
        ensure!(status.code() == Some(1), "ended with {status}");
        ensure!(old.log()?.contains("the lease was lost"), "no word about the lease: {}", old.log()?);
        sets("pulsar:last").await?;
        let late = rig
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
    let rig = Rig::connect().await?;
    rig.prepare().await?;
    rig.test("killed", |rig, namespace| async move {
        const NAME: &str = "source-controller";
        let watched = format!("--watched-namespace={namespace}");
        let mut first = Controller::spawn(&rig, NAME, &flags(&watched))?;
        first.leads(&rig).await?;
        let second = Controller::spawn(&rig, NAME, &flags(&watched))?;
        // The lease is known to the one that waits.
        looked(&rig, &second.user, 2).await?;
        let term = leases(&rig).get(NAME).await?.spec.unwrap_or_default().lease_transitions;
        first.kill();
        let killed = Instant::now();
        second.leads(&rig).await?;
        println!("hand-over after SIGKILL took {} ms, with a lease of 5 s", killed.elapsed().as_millis());
        let spec = leases(&rig).get(NAME).await?.spec.unwrap_or_default();
        ensure!(spec.lease_transitions == term.map(|t| t + 1), "{:?} after {term:?}", spec.lease_transitions);

        let third = Controller::spawn(&rig, NAME, &flags(&watched))?;
        looked(&rig, &third.user, 2).await?;
        for _ in 0..2 {
            leases(&rig).delete(NAME, &DeleteParams::default()).await?;
            renewed(&rig, &second.user, 2).await?;
            looked(&rig, &third.user, 2).await?;
            let holder = holder(&rig, NAME).await?;
            ensure!(holder.starts_with(&second.user), "held by {holder}");
        }
        ensure!(renewals(&rig, &third.user)? == 0, "the one that waits wrote the lease");
        ensure!(second.metric("function_mesh_leader")? == 1 && third.metric("function_mesh_leader")? == 0);

        // Told to stop, it lets go at once: sooner than the lease ends.
        let status = second.signal("TERM")?;
        ensure!(status.success(), "SIGTERM ended with {status}");
        let released = holder(&rig, NAME).await?;
        ensure!(released.is_empty() || released.starts_with(&third.user), "held by {released}");
        third.leads(&rig).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_renew_ends() -> Result<()> {
    let rig = Rig::connect().await?;
    rig.prepare().await?;
    rig.test("parted", |rig, namespace| async move {
        const NAME: &str = "sink-controller";
        let watched = format!("--watched-namespace={namespace}");
        let proxy = Proxy::start(&rig).await?;
        let mut leader = Controller::spawn_behind(&rig, Some(&proxy), NAME, &flags(&watched))?;
        leader.leads(&rig).await?;
        // One failure is survived, whether or not the renewal was carried out.
        for action in [Action::CutAfter, Action::CutBefore, Action::Answer(500)] {
            proxy.add(Rule::new(action.clone()).verb("update").resource("leases").times(1));
            rig.until("failure", || async {
                ensure!(proxy.rules_left() == 0, "not yet");
                Ok(())
            })
            .await?;
            renewed(&rig, &leader.user, 1).await?;
            ensure!(leader.metric("function_mesh_leader")? == 1, "lost by {action:?}");
        }
        let standby = Controller::spawn(&rig, NAME, &flags(&watched))?;
        looked(&rig, &standby.user, 2).await?;
        proxy.add(Rule::new(Action::Answer(403)).resource("leases"));
        let status = leader.ended(&rig).await?;
        ensure!(status.code() == Some(1), "ended with {status}");
        ensure!(leader.log()?.contains("the lease was lost"), "{}", leader.log()?);
        standby.leads(&rig).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_is_judged_by_its_renewals_and_not_by_its_clock() -> Result<()> {
    let rig = Rig::connect().await?;
    rig.prepare().await?;
    rig.test("clocks", |rig, namespace| async move {
        const NAME: &str = "mesh-controller";
        let watched = format!("--watched-namespace={namespace}");
        let entry = |minute: u32| {
            json!({"holderIdentity": "somebody", "leaseDurationSeconds": 5,
                   "renewTime": format!("2001-01-01T00:{minute:02}:00.000000Z")})
        };
        let spec: LeaseSpec = serde_json::from_value(entry(0))?;
        let mut lease = Lease { spec: Some(spec), ..Lease::default() };
        lease.metadata.name = Some(NAME.to_owned());
        leases(&rig).create(&PostParams::default(), &lease).await.context("the lease is there already")?;
        let controller = Controller::spawn(&rig, NAME, &flags(&watched))?;
        // Years behind, but alive.
        for minute in 1..=4 {
            looked(&rig, &controller.user, 2).await?;
            let patch = json!({"spec": entry(minute)});
            leases(&rig).patch(NAME, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        }
        ensure!(renewals(&rig, &controller.user)? == 0, "a living holder was replaced");
        // Years ahead, but dead.
        let patch = json!({"spec": {"renewTime": "2101-01-01T00:00:00.000000Z"}});
        let left = leases(&rig).patch(NAME, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        controller.leads(&rig).await?;
        let taken = leases(&rig).get(&left.name_any()).await?.spec.unwrap_or_default();
        ensure!(taken.holder_identity.is_some_and(|holder| holder.starts_with(&controller.user)));
        // Taken from it by hand: it ends, and does not take it back.
        let mut controller = controller;
        let patch = json!({"spec": {"holderIdentity": "somebody"}});
        leases(&rig).patch(NAME, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        let status = controller.ended(&rig).await?;
        ensure!(status.code() == Some(1) && controller.log()?.contains("somebody else holds it"), "{status}");
        ensure!(holder(&rig, NAME).await? == "somebody");
        Ok(())
    })
    .await
}
