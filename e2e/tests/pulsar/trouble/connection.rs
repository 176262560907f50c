//! Instances that run and process nothing: how they are reported, and how they recover.

use super::{FIXED, KEYS, authenticate, is_named, shown, token};
use anyhow::{Context, Result, bail, ensure};
use e2e::operator::Kubectl;
use e2e::pulsar::Broker;
use e2e::shell::{progress, run, until};
use e2e::testing::plugin::Plugin;
use e2e::testing::pods::{TEST_NAMESPACE, function, get, ready};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// From the loss of a connection until it is reported: three periods of the probe, and the delay of the controller.
const REPORTED: Duration = Duration::from_secs(90);
/// Validity of a token in seconds. A renewed Secret takes up to two minutes to reach an instance.
const GOOD: u64 = 270;
/// The limit for a start, and some time for the kubelet.
const LIMIT: Duration = Duration::from_secs(600 + 90);

/// All cases; the one that hangs starts first, and the others run in the meantime.
pub(super) fn all(kubectl: &Kubectl, broker: &Broker, pulsar: &str, plugin: &Plugin) -> Result<()> {
    let hangs = is_named("store").then(Instant::now);
    if hangs.is_some() {
        let state = json!({"pulsar": {"serviceUrl": "bk://pulsar:4999"}});
        kubectl.apply(TEST_NAMESPACE, &function("store", pulsar, |s| s["statefulConfig"] = state))?;
        until_reported(kubectl, "store", "has not connected to a broker yet", FIXED)?;
        shown::status(plugin, "store", "NotConnected")?;
    }
    if is_named("expiry") {
        expiry(kubectl, pulsar, plugin)?;
    }
    if is_named("away") {
        away(kubectl, broker, pulsar, plugin)?;
    }
    if let Some(begin) = hangs {
        until("the limit of the start", LIMIT, || {
            let pod = get(kubectl, "pod/store-function-0")?;
            ensure!(restarts(&pod) > 0, "not restarted");
            Ok(())
        })?;
        ensure!(begin.elapsed() > Duration::from_secs(600), "restarted after {:?}", begin.elapsed());
        progress(&format!("store: restarted {} s after the apply", begin.elapsed().as_secs()));
        run(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} delete fn/store --wait=false")))?;
    }
    Ok(())
}

/// A token that is renewed in time has no visible effect; an expired one is reported, and the next one fixes it. Nothing
/// restarts.
fn expiry(kubectl: &Kubectl, pulsar: &str, plugin: &Plugin) -> Result<()> {
    let renew = |seconds: u64| -> Result<Instant> {
        let end = Instant::now() + Duration::from_secs(seconds);
        authenticate(kubectl, "expiry", &token(kubectl, KEYS[0], "admin", Some(seconds))?)?;
        Ok(end)
    };
    let first = renew(GOOD)?;
    kubectl.apply(
        TEST_NAMESPACE,
        &function("expiry", pulsar, |s| s["pulsar"]["authSecret"] = json!("expiry")),
    )?;
    until_ready(kubectl, "expiry")?;
    let since = ready_since(kubectl, "expiry")?;
    let second = renew(GOOD)?;
    until("the end of the first token", FIXED, || {
        ensure!(Instant::now() > first + Duration::from_secs(30), "it is good, or has just expired");
        Ok(())
    })?;
    ensure!(
        ready_since(kubectl, "expiry")? == since,
        "a token that was renewed in time made the pod unready"
    );
    until_reported(kubectl, "expiry", "has no connection to a broker", FIXED)?;
    shown::status(plugin, "expiry", "NotConnected")?;
    progress(&format!(
        "expiry: reported {} s after the token expired",
        Instant::now().saturating_duration_since(second).as_secs()
    ));
    let begin = Instant::now();
    renew(86_400)?;
    until_ready(kubectl, "expiry")?;
    progress(&format!("expiry: ready {} s after the Secret was renewed", begin.elapsed().as_secs()));
    ensure!(restarts(&get(kubectl, "pod/expiry-function-0")?) == 0, "restarted");
    run(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} delete fn/expiry --wait=false")))
}

/// A broker that is unavailable for 100 seconds.
fn away(kubectl: &Kubectl, broker: &Broker, pulsar: &str, plugin: &Plugin) -> Result<()> {
    kubectl.apply(TEST_NAMESPACE, &function("away", pulsar, |_| {}))?;
    until_ready(kubectl, "away")?;
    let scale = |number: u8| {
        run(&mut kubectl
            .command(&format!("-n {TEST_NAMESPACE} scale statefulset/pulsar --replicas={number}")))
    };
    scale(0)?;
    let begin = Instant::now();
    until_reported(kubectl, "away", "has no connection to a broker", REPORTED)?;
    progress(&format!("away: reported {} s after the broker was stopped", begin.elapsed().as_secs()));
    shown::status(plugin, "away", "NotConnected")?;
    until("the hundred seconds", FIXED, || {
        ensure!(begin.elapsed() > Duration::from_secs(100), "not over");
        Ok(())
    })?;
    scale(1)?;
    broker.ready()?;
    let begin = Instant::now();
    until_ready(kubectl, "away")?;
    progress(&format!("away: ready {} s after the broker was", begin.elapsed().as_secs()));
    ensure!(restarts(&get(kubectl, "pod/away-function-0")?) == 0, "restarted");
    run(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} delete fn/away --wait=false")))
}

fn until_ready(kubectl: &Kubectl, name: &str) -> Result<()> {
    until(name, FIXED, || {
        let (status, reason, message) = ready(kubectl, &format!("fn/{name}"))?;
        if status == "True" { Ok(()) } else { bail!("{reason}: {message}") }
    })
}

fn until_reported(kubectl: &Kubectl, name: &str, words: &str, limit: Duration) -> Result<()> {
    until(name, limit, || {
        let (status, reason, message) = ready(kubectl, &format!("fn/{name}"))?;
        let reported = status == "False" && reason == "NotConnected" && message.contains(words);
        if reported { Ok(()) } else { bail!("{status} {reason}: {message}") }
    })
}

fn restarts(pod: &Value) -> i64 {
    pod.pointer("/status/containerStatuses/0/restartCount").and_then(Value::as_i64).unwrap_or_default()
}

/// Since when the pod of a function is ready.
fn ready_since(kubectl: &Kubectl, name: &str) -> Result<String> {
    let pod = get(kubectl, &format!("pod/{name}-function-0"))?;
    let conditions = pod["status"]["conditions"].as_array().context("no conditions")?;
    let ready = conditions.iter().find(|c| c["type"] == "Ready").context("no condition Ready")?;
    ensure!(ready["status"] == "True", "{name} is not ready");
    Ok(ready["lastTransitionTime"].to_string())
}
