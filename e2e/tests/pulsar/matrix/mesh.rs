//! A mesh of eight functions, and a function that is scaled while messages are sent.

use crate::matrix::Case;
use crate::matrix::run::{Run, texts, values, with};
use crate::matrix::stage::NAMESPACE;
use anyhow::{Context, Result, bail, ensure};
use e2e::shell::{progress, run as execute, until};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Number of messages before a stage fails.
const NUMBER: usize = 5000;

pub(crate) fn cases() -> Vec<Case> {
    let case = |sample, check| Case { group: "mesh", sample, check };
    vec![case("80-eight-stages", eight_stages), case("81-scale", scale)]
}

fn eight_stages(run: &Run<'_>) -> Result<()> {
    const SUFFIX: &str = "!!!!!!!!";
    let sent = texts("x", NUMBER);
    run.apply()?;
    run.until_ready("fmesh")?;
    run.send(&run.topic("in"), &values(&sent))?;
    run.expect(&run.topic("out"), &with(&sent, SUFFIX))?;

    // Slowly enough that no stage has a queue.
    let paced = texts("paced", 400);
    run.send_with(&run.topic("in"), &values(&paced), &json!({"rate": 20}))?;
    let out = run.expect(&run.topic("out"), &with(&[sent.clone(), paced.clone()].concat(), SUFFIX))?;
    let times = |messages: &[crate::matrix::run::Message]| -> BTreeMap<String, u64> {
        messages.iter().map(|m| (m.value.clone(), m.published)).collect()
    };
    let (before, after) = (times(&run.look(&run.topic("in"), NUMBER + paced.len(), 60)?), times(&out));
    let took = |name: &String| Some(after.get(&format!("{name}{SUFFIX}"))? - before.get(name)?);
    let mut latencies: Vec<u64> = paced.iter().filter_map(took).collect();
    latencies.sort_unstable();
    ensure!(latencies.len() == paced.len(), "{} latencies", latencies.len());
    let at = |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
    progress(&format!("eight-stages: p50 {} ms, p99 {} ms through eight stages", at(50), at(99)));

    // A stage fails and is fixed while messages are sent.
    let more = texts("y", NUMBER);
    let (first, second) = more.split_at(NUMBER / 2);
    run.send(&run.topic("in"), &values(first))?;
    let broken = |text: &str| {
        let (before, stage) = text.split_once("- name: route").unwrap_or((text, ""));
        format!("{before}- name: route{}", stage.replacen("ExclamationFunction", "MissingFunction", 1))
    };
    run.apply_changed(broken)?;
    progress(&run.until_reason("fmesh", &["ComponentsNotReady"], &["function route", "ClassNotFound"])?);
    run.send(&run.topic("in"), &values(second))?;
    run.apply_changed(str::to_owned)?;
    run.until_ready("fmesh")?;
    let expected: BTreeSet<String> = with(&[sent, paced, more].concat(), SUFFIX).into_iter().collect();
    at_least_once(run, &expected)
}

/// Waits until each message was received at least once.
fn at_least_once(run: &Run<'_>, expected: &BTreeSet<String>) -> Result<()> {
    until("messages", Duration::from_secs(240), || {
        let messages = run.look(&run.topic("out"), expected.len(), 30)?;
        let received: BTreeSet<&String> = messages.iter().map(|m| &m.value).collect();
        let missing: Vec<&String> = expected.iter().filter(|m| !received.contains(m)).collect();
        ensure!(missing.is_empty(), "{} are missing, such as {:?}", missing.len(), missing.first());
        let unexpected = received.iter().filter(|m| !expected.contains(m.as_str())).count();
        ensure!(unexpected == 0, "{unexpected} messages were not expected");
        progress(&format!(
            "{}: {} of {} messages received, {} duplicates",
            run.name(),
            received.len(),
            expected.len(),
            messages.len() - received.len()
        ));
        Ok(())
    })
}

/// One, four, no and one instance, under twenty messages a second.
fn scale(run: &Run<'_>) -> Result<()> {
    run.apply()?;
    run.ready()?;
    let sent = texts("x", 1600);
    let (stage, topic) = (run.stage, run.topic("in"));
    let messages = values(&sent);
    std::thread::scope(|scope| -> Result<()> {
        let sender =
            scope.spawn(|| stage.client("send", &json!({"topic": topic, "messages": messages, "rate": 20})));
        let first = pods(run)?;
        for replicas in [4, 0, 1] {
            let words = format!("-n {NAMESPACE} scale {} --replicas={replicas}", run.object("fn"));
            execute(&mut stage.kubectl.command(&words))?;
            until(&format!("{replicas} replicas"), Duration::from_secs(180), || {
                let object = stage.get(&run.object("fn"))?;
                let ready =
                    object.pointer("/status/readyReplicas").and_then(Value::as_u64).unwrap_or_default();
                let running = pods(run)?;
                ensure!(ready == replicas, "{ready} are ready");
                ensure!(running.len() == usize::try_from(replicas)?, "{} pods", running.len());
                ensure!(replicas != 4 || first.is_subset(&running), "the first pod was replaced");
                Ok(())
            })?;
        }
        match sender.join() {
            Ok(sent) => sent.map(drop),
            Err(_) => bail!("the sender panicked"),
        }
    })?;
    run.ready()?;
    at_least_once(run, &with(&sent, "!").into_iter().collect())
}

/// The uids of its pods.
fn pods(run: &Run<'_>) -> Result<BTreeSet<String>> {
    let list = run.stage.get(&format!("pods -l compute.functionmesh.io/name={}", run.name()))?;
    let items = list["items"].as_array().context("no list")?;
    Ok(items.iter().filter_map(|pod| pod["metadata"]["uid"].as_str().map(str::to_owned)).collect())
}
