//! A node with a pod on it is lost, drained, cordoned, and returns after a minute. Needs a cluster of two nodes.

use anyhow::{Context, Result, bail, ensure};
use e2e::cluster::second::{NAME as SECOND, State};
use e2e::cluster::{Cluster, node::NAME as FIRST};
use e2e::images;
use e2e::operator::Kubectl;
use e2e::pulsar::Broker;
use e2e::shell::{output, progress, run, until};
use e2e::testing::pods::{TEST_NAMESPACE, function, get, ready, until_ready};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const FUNCTION: &str = "moved";
const SET: &str = "moved-function";
const POD: &str = "pod/moved-function-0";
const TAINT: &str = "node.kubernetes.io/out-of-service";
const AVAILABLE: (&str, &str) = ("True", "AllReplicasAvailable");
const TIMEOUT: Duration = Duration::from_secs(300);
/// Maximum time from the mark on the pod until the status names the node.
const NAMED: i64 = 60;

struct Nodes {
    kubectl: Kubectl,
    cluster: Cluster,
    broker: Broker,
    sent: BTreeSet<String>,
}

impl Nodes {
    fn kubectl(&self, words: &str) -> Result<()> {
        run(&mut self.kubectl.command(words))
    }

    /// Sends ten messages, which are expected in the output at the end.
    fn send(&mut self) -> Result<()> {
        let messages: Vec<String> = (0..10).map(|i| format!("m{}", self.sent.len() + i)).collect();
        self.broker.produce(&format!("persistent://public/default/{FUNCTION}-in"), &messages)?;
        self.sent.extend(messages);
        Ok(())
    }

    /// Moves the pod to the second node by a rollout while the first is cordoned.
    fn to_second(&self) -> Result<()> {
        self.kubectl(&format!("cordon {FIRST}"))?;
        self.kubectl(&format!("-n {TEST_NAMESPACE} delete {POD} --ignore-not-found"))?;
        self.until_on(SECOND)?;
        self.kubectl(&format!("uncordon {FIRST}"))
    }

    /// Waits until the function runs on a node.
    fn until_on(&self, node: &str) -> Result<()> {
        until(&format!("the function on {node}"), TIMEOUT, || {
            let pod = get(&self.kubectl, POD)?;
            let at = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default().to_owned();
            let (status, reason, message) = ready(&self.kubectl, &format!("fn/{FUNCTION}"))?;
            ensure!(at == node && status == "True", "on {at:?}: {reason}: {message}");
            Ok(())
        })
    }

    /// Waits until the second node is ready, or is not; returns since when.
    fn until_node(&self, status: &str) -> Result<Timestamp> {
        until(&format!("node ready: {status}"), TIMEOUT, || {
            let words = format!("get node {SECOND} -o json");
            let node: Value = serde_json::from_str(&output(&mut self.kubectl.command(&words))?)?;
            let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
            let ready =
                conditions.into_iter().flatten().find(|c| c["type"] == "Ready").context("no Ready")?;
            ensure!(ready["status"] == status, "{ready}");
            Ok(ready["lastTransitionTime"].as_str().context("no time")?.parse()?)
        })
    }

    /// Waits until the status names the node; returns the message and the time since the mark.
    fn until_named(&self, marked: Timestamp) -> Result<(String, i64)> {
        let message = until_ready(&self.kubectl, &format!("fn/{FUNCTION}"), ("False", "NodeLost"))?;
        let seconds = Timestamp::now().as_second() - marked.as_second();
        ensure!(message.contains(&format!("node {SECOND} ")), "{message}");
        Ok((message, seconds))
    }

    /// Number of Events that name the lost node.
    fn reported(&self) -> Result<usize> {
        let words = format!("events --field-selector reason=NodeLost,involvedObject.name={FUNCTION}");
        Ok(get(&self.kubectl, &words)?["items"].as_array().map_or(0, Vec::len))
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster of two nodes: make trouble"]
async fn a_lost_node_is_named_and_left_behind() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let kubectl = env.kubectl.clone();
    let name = env.folder()?.file_name().and_then(|n| n.to_str()).context("no name")?.to_owned();
    let cluster = Cluster::named(&name)?;
    cluster.import(&images::pulsar()?)?;
    // The broker and its data stay on the first node.
    run(&mut kubectl.command(&format!("cordon {SECOND}")))?;
    let broker = Broker::deploy(&kubectl, TEST_NAMESPACE, images::PULSAR_IMAGE)?;
    broker.ready()?;
    run(&mut kubectl.command(&format!("uncordon {SECOND}")))?;
    let _controller = Controller::start(&env, "function-controller", TEST_NAMESPACE).await?;
    let mut nodes = Nodes { kubectl, cluster, broker, sent: BTreeSet::new() };
    let result = story(&mut nodes);
    if result.is_err() {
        for what in ["get nodes,fn,pods -A -o wide", "get events -A"] {
            let shown = output(&mut nodes.kubectl.command(what));
            eprintln!("{}", shown.unwrap_or_else(|error| format!("{error:#}")));
        }
    }
    result
}

fn story(nodes: &mut Nodes) -> Result<()> {
    let change = |spec: &mut Value| spec["processingGuarantee"] = json!("atleast_once");
    nodes.kubectl(&format!("cordon {FIRST}"))?;
    nodes.kubectl.apply(TEST_NAMESPACE, &function(FUNCTION, images::PULSAR_IMAGE, change))?;
    nodes.until_on(SECOND)?;
    nodes.kubectl(&format!("uncordon {FIRST}"))?;
    nodes.send()?;

    progress("the second node loses its power");
    nodes.cluster.second(State::Off)?;
    nodes.send()?;
    let marked = nodes.until_node("Unknown")?;
    let (message, seconds) = nodes.until_named(marked)?;
    progress(&format!("named {seconds} s after it was marked: {message}"));
    ensure!(seconds <= NAMED, "named after {seconds} s");
    nodes.send()?;
    // The state does not change: a StatefulSet does not replace a pod that may run.
    until("the eviction", TIMEOUT, || {
        let pod = get(&nodes.kubectl, POD)?;
        ensure!(pod.pointer("/metadata/deletionTimestamp").is_some(), "not deleted");
        Ok(())
    })?;
    let (_, reason, again) = ready(&nodes.kubectl, &format!("fn/{FUNCTION}"))?;
    ensure!((reason.as_str(), &again) == ("NodeLost", &message), "once it is evicted: {reason}: {again}");
    nodes.kubectl(&format!("taint nodes {SECOND} {TAINT}=nodeshutdown:NoExecute"))?;
    nodes.until_on(FIRST)?;
    nodes.send()?;
    progress("the pod is on the first node");
    let reported = nodes.reported()?;

    nodes.kubectl(&format!("taint nodes {SECOND} {TAINT}-"))?;
    nodes.cluster.second(State::Up)?;
    nodes.until_node("True")?;
    progress("the second node is back");
    nodes.to_second()?;
    nodes.kubectl(&format!("cordon {SECOND}"))?;
    nodes.send()?;
    until_ready(&nodes.kubectl, &format!("fn/{FUNCTION}"), AVAILABLE)?;
    nodes.kubectl(&format!("drain {SECOND} --delete-emptydir-data --force --timeout=120s"))?;
    nodes.until_on(FIRST)?;
    nodes.kubectl(&format!("uncordon {SECOND}"))?;
    ensure!(nodes.reported()? == reported, "a cordoned or drained node was reported to be lost");
    progress("drained");

    nodes.to_second()?;
    progress("the network of the second node is cut");
    nodes.cluster.second(State::Cut)?;
    let marked = nodes.until_node("Unknown")?;
    nodes.until_named(marked)?;
    nodes.send()?;
    // After the toleration time of the pod.
    until("the eviction", TIMEOUT, || {
        let pod = get(&nodes.kubectl, POD)?;
        ensure!(pod.pointer("/metadata/deletionTimestamp").is_some(), "not deleted");
        Ok(())
    })?;
    nodes.cluster.second(State::Up)?;
    nodes.until_node("True")?;
    until_ready(&nodes.kubectl, &format!("fn/{FUNCTION}"), AVAILABLE)?;
    progress("it is back, and the function runs without help");
    nodes.send()?;

    let expected = nodes.sent.iter().map(|message| format!("{message}!")).collect();
    let seen = nodes.broker.at_least(&format!("persistent://public/default/{FUNCTION}-out"), &expected)?;
    progress(&format!("{} of {} messages came out, {} times in all", expected.len(), expected.len(), seen));
    let sets = get(&nodes.kubectl, &format!("statefulset/{SET}"))?;
    if sets.pointer("/status/availableReplicas") != Some(&json!(1)) {
        bail!("{sets}");
    }
    Ok(())
}
