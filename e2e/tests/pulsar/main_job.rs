//! The main scenario with real pods and a real Pulsar. One test after the other, because the machine is small; they share the
//! broker and the installed charts.

use anyhow::{Context, Result, bail, ensure};
use e2e::images;
use e2e::operator::{Kubectl, NAMESPACE};
use e2e::pulsar::Broker;
use e2e::shell::{command, output, progress, run, until};
use e2e::testing::TestEnv;
use e2e::testing::pods::{TEST_NAMESPACE, TIMEOUT, function, get, import_images, until_ready, until_says};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// All steps in one program, in this order, so that one cluster is sufficient.
#[tokio::test(flavor = "multi_thread")]
async fn the_main_job() -> Result<()> {
    let env = TestEnv::connect().await?;
    let kubectl = env.kubectl.clone();
    let (pulsar, controllers) = import_images(&env)?;
    let broker = Broker::deploy(&kubectl, TEST_NAMESPACE, &pulsar)?;
    kubectl.install(&controllers, &[])?;
    broker.ready()?;
    let result = steps(&env, &kubectl, &broker, &pulsar, &controllers);
    if result.is_err() {
        let all = "get fmesh,fn,src,snk,statefulsets,pods,events -A -o wide";
        eprintln!("{}", output(&mut kubectl.command(all)).unwrap_or_else(|error| format!("{error:#}")));
        for controller in ["function", "source", "sink", "mesh"] {
            let logs =
                format!("-n {NAMESPACE} logs deployment/function-mesh-{controller}-controller --tail=50");
            eprintln!("{}", output(&mut kubectl.command(&logs)).unwrap_or_else(|error| format!("{error:#}")));
        }
    }
    result
}

fn steps(env: &TestEnv, kubectl: &Kubectl, broker: &Broker, pulsar: &str, controllers: &str) -> Result<()> {
    let step = |name: &str, step: &dyn Fn() -> Result<()>| {
        progress(name);
        step().with_context(|| name.to_owned())
    };
    step("helm refuses what would crash a controller", &refused_values)?;
    step("a mesh processes real messages", &|| mesh_processes_messages(kubectl, broker, pulsar))?;
    step("each controller exposes metrics", &|| metrics(kubectl))?;
    step("kubectl scale", &|| scale(kubectl))?;
    step("an object that cannot run reports the reason", &|| bad_input(kubectl, pulsar))?;
    step("a subscription is deleted with its function", &|| cleanup(kubectl, broker, pulsar))?;
    no_controller_restarted(kubectl)?;
    step("killed controllers write nothing", &|| killed_controllers(env, kubectl))?;
    step("objects of a controller that is off stay unchanged", &|| sink_off(kubectl, pulsar, controllers))?;
    step("a deleted mesh leaves nothing", &|| deletion(kubectl))?;
    no_controller_restarted(kubectl)?;
    step("an uninstall removes the controllers and keeps the kinds", &|| uninstall(kubectl, pulsar))
}

/// Values with which no controller could start are refused before the installation.
fn refused_values() -> Result<()> {
    let chart = e2e::paths::root().join("charts/function-mesh-operator").display().to_string();
    let helm = e2e::paths::binary("helm");
    let template = |value: &str| output(&mut command(&helm, ["template", "x", &chart, "--set", value]));
    let refused =
        ["retryPeriod=10", "renewDeadline=15", "leaseDuration=10", "leaseDuration=7200", "retryPeriod=0"];
    for value in refused.map(|value| format!("leaderElection.{value}")) {
        ensure!(template(&value).is_err(), "{value} is accepted");
    }
    for value in ["resyncPeriod=0s", "resyncPeriod=1s1m"] {
        ensure!(template(value).is_err(), "{value} is accepted");
    }
    for value in ["resyncPeriod=1h30m", "resyncPeriod=60", "leaderElection.leaseDuration=60"] {
        template(value)?;
    }
    Ok(())
}

fn sample(pulsar: &str) -> Result<String> {
    let path = e2e::paths::root().join("config/samples/functionmesh.yaml");
    Ok(std::fs::read_to_string(path)?.replace(images::PULSAR_IMAGE, pulsar))
}

fn exchange(broker: &Broker, tag: &str, number: usize) -> Result<()> {
    let sent: Vec<String> = (0..number).map(|i| format!("{tag}-{i}")).collect();
    let expected: BTreeSet<String> = sent.iter().map(|m| format!("{m}!")).collect();
    broker.produce("persistent://public/default/in", &sent)?;
    let received = broker.expect("persistent://public/default/out", &expected)?;
    ensure!(received.len() == number, "{} messages", received.len());
    Ok(())
}

fn mesh_processes_messages(kubectl: &Kubectl, broker: &Broker, pulsar: &str) -> Result<()> {
    kubectl.apply(TEST_NAMESPACE, &sample(pulsar)?)?;
    let message = until_ready(kubectl, "fmesh/sample", ("True", "AllComponentsReady"))?;
    ensure!(message == "3/3 ready", "{message}");
    exchange(broker, "first", 100)?;
    until("lines printed by the sink", TIMEOUT, || {
        let logs = format!("-n {TEST_NAMESPACE} logs sample-print-sink-0 -c pulsar-sink --tail=500");
        let text = output(&mut kubectl.command(&logs))?;
        if text.contains("RECV") { Ok(()) } else { bail!("nothing printed") }
    })?;
    Ok(())
}

/// The Job that removes a subscription runs after its function is deleted, and the function disappears after it.
fn cleanup(kubectl: &Kubectl, broker: &Broker, pulsar: &str) -> Result<()> {
    const TOPIC: &str = "persistent://public/default/departed";
    let function = json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function", "metadata": {"name": "departed"},
        "spec": {
            "className": "org.apache.pulsar.functions.api.examples.ExclamationFunction",
            "input": {"topics": [TOPIC], "typeClassName": "java.lang.String"},
            "output": {"topic": "persistent://public/default/left", "typeClassName": "java.lang.String"},
            "subscriptionName": "departed", "cleanupSubscription": true,
            "pulsar": {"pulsarConfig": "pulsar"}, "java": {"jar": "/pulsar/examples/api-examples.jar"},
            "image": pulsar,
            "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
        },
    });
    kubectl.apply(TEST_NAMESPACE, &function.to_string())?;
    until_ready(kubectl, "fn/departed", ("True", "AllReplicasAvailable"))?;
    let before = broker.subscriptions(TOPIC)?;
    ensure!(before.contains("departed"), "{before:?}");
    run(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} delete fn departed --timeout=240s")))?;
    let after = broker.subscriptions(TOPIC)?;
    ensure!(!after.contains("departed"), "still there: {after:?}");
    Ok(())
}

fn metrics(kubectl: &Kubectl) -> Result<()> {
    for controller in ["function", "source", "sink", "mesh"] {
        let service = format!("services/function-mesh-{controller}-controller:8080/proxy/metrics");
        let text =
            output(&mut kubectl.command(&format!("get --raw=/api/v1/namespaces/{NAMESPACE}/{service}")))?;
        for metric in [
            "function_mesh_reconciles_total{",
            "function_mesh_leader{",
            "function_mesh_build_info{",
            "function_mesh_api_requests_total{",
            "function_mesh_objects{",
            "process_resident_memory_bytes",
        ] {
            ensure!(text.contains(metric), "{controller}: no {metric}:\n{text}");
        }
        ensure!(
            !text.contains("sample") && !text.contains(TEST_NAMESPACE),
            "a name of an object is a label:\n{text}"
        );
    }
    Ok(())
}

fn scale(kubectl: &Kubectl) -> Result<()> {
    let revisions = || -> Result<usize> {
        let list = get(kubectl, "controllerrevisions -l compute.functionmesh.io/name=sample-exclamation")?;
        Ok(list["items"].as_array().map_or(0, Vec::len))
    };
    let before = get(kubectl, "pod/sample-exclamation-function-0")?["metadata"]["uid"].clone();
    let templates = revisions()?;
    for replicas in [2, 1] {
        run(&mut kubectl
            .command(&format!("-n {TEST_NAMESPACE} scale fn sample-exclamation --replicas={replicas}")))?;
        let message = until_ready(kubectl, "fn/sample-exclamation", ("True", "AllReplicasAvailable"))?;
        ensure!(message == format!("{replicas} of {replicas} replicas available"), "{message}");
        until("pods", TIMEOUT, || {
            let pods = get(kubectl, "pods -l compute.functionmesh.io/name=sample-exclamation")?;
            let number = pods["items"].as_array().map_or(0, Vec::len);
            if number == replicas { Ok(()) } else { bail!("{number} pods instead of {replicas}") }
        })?;
    }
    let after = get(kubectl, "pod/sample-exclamation-function-0")?["metadata"]["uid"].clone();
    ensure!(before == after, "scaling restarted a pod");
    ensure!(revisions()? == templates, "scaling made a new template");
    Ok(())
}

fn bad_input(kubectl: &Kubectl, pulsar: &str) -> Result<()> {
    let mesh = json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1",
        "kind": "FunctionMesh",
        "metadata": {"name": "bad"},
        "spec": {"functions": [{
            "name": "config", "className": "A", "input": {"topics": ["t"]}, "java": {"jar": "/a.jar"},
            "pulsar": {"pulsarConfig": "missing"}, "image": pulsar,
        }]},
    });
    kubectl.apply(TEST_NAMESPACE, &mesh.to_string())?;
    kubectl.apply(
        TEST_NAMESPACE,
        &function("image", pulsar, |s| s["image"] = json!("docker.io/local/none:1")),
    )?;
    kubectl.apply(
        TEST_NAMESPACE,
        &function("undecodable", pulsar, |s| s["timeout"] = json!(3_000_000_000_u64)),
    )?;
    kubectl.apply(
        TEST_NAMESPACE,
        &function("class", pulsar, |s| s["className"] = json!("org.example.Nothing")),
    )?;
    kubectl.apply(TEST_NAMESPACE, &function("good", pulsar, |_| {}))?;

    until_says(kubectl, "fn/undecodable", ("False", "Invalid"), &["3000000000"])?;
    let missing = ["\"missing\" not found"];
    until_says(kubectl, "fn/bad-config", ("False", "CreateContainerConfigError"), &missing)?;
    let missing = ["0/1 ready; function config: CreateContainerConfigError: ", missing[0]];
    until_says(kubectl, "fmesh/bad", ("False", "ComponentsNotReady"), &missing)?;
    until_says(kubectl, "fn/image", ("False", "ImagePullBackOff"), &["docker.io/local/none:1"])?;
    // The instance ends with exit code 0; the reason is in its log.
    until_says(kubectl, "fn/class", ("False", "ClassNotFound"), &["exit code 0", "org.example.Nothing"])?;
    until_ready(kubectl, "fn/good", ("True", "AllReplicasAvailable"))?;

    // Once fixed, they run.
    kubectl.apply(TEST_NAMESPACE, &function("image", pulsar, |_| {}))?;
    until_ready(kubectl, "fn/image", ("True", "AllReplicasAvailable"))?;
    run(&mut kubectl.command(&format!(
        "-n {TEST_NAMESPACE} delete fmesh/bad fn/image fn/undecodable fn/class fn/good --wait=false"
    )))
}

/// Kills each controller in turn. Its successor finds nothing to do.
fn killed_controllers(env: &TestEnv, kubectl: &Kubectl) -> Result<()> {
    // The effects of the deletions before must have ended.
    until("quiet", TIMEOUT, || {
        let left = get(kubectl, "fn")?["items"].as_array().map_or(0, Vec::len);
        if left == 1 { Ok(()) } else { bail!("{left} functions") }
    })?;
    for kind in ["function", "source", "sink", "mesh"] {
        let label = format!("app.kubernetes.io/name={kind}-controller");
        let user = format!("system:serviceaccount:{NAMESPACE}:function-mesh-{kind}-controller");
        let audited = env.folder().is_ok();
        if !audited {
            progress("this cluster has no audit log for the tests: writes are not counted");
        }
        let writes = |env: &TestEnv| env.audit().map(|audit| audit.by(&user).writes());
        let before = writes(env).map_or(0, |w| w.requests().len());
        run(&mut kubectl
            .command(&format!("-n {NAMESPACE} delete pod -l {label} --grace-period=0 --force --wait=true")))?;
        let rollout = format!(
            "-n {NAMESPACE} rollout status deployment/function-mesh-{kind}-controller --timeout=120s"
        );
        run(&mut kubectl.command(&rollout))?;
        // It leads once the lease of its killed predecessor has expired, and has then reconciled everything.
        until("reconciles of the successor", TIMEOUT, || {
            let service = format!("services/function-mesh-{kind}-controller:8080/proxy/metrics");
            let text =
                output(&mut kubectl.command(&format!("get --raw=/api/v1/namespaces/{NAMESPACE}/{service}")))?;
            let lines = text.lines().filter(|l| l.starts_with("function_mesh_reconciles_total"));
            let made: u64 = lines.filter_map(|l| l.rsplit_once(' ')?.1.parse::<u64>().ok()).sum();
            if made >= 1 { Ok(()) } else { bail!("no reconcile yet") }
        })?;
        if !audited {
            continue;
        }
        let after = writes(env)?;
        let new = after.requests().len() - before;
        ensure!(new == 0, "{kind}-controller: {new} writes after a restart, of {:?}", after.counts());
    }
    until_ready(kubectl, "fmesh/sample", ("True", "AllComponentsReady")).map(drop)
}

fn sink_off(kubectl: &Kubectl, pulsar: &str, controllers: &str) -> Result<()> {
    kubectl.install(controllers, &["controllers.sink.enabled=false"])?;
    let sink = json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1",
        "kind": "Sink",
        "metadata": {"name": "alone"},
        "spec": {
            "className": "org.apache.pulsar.io.datagenerator.DataGeneratorPrintSink", "image": pulsar,
            "input": {"topics": ["persistent://public/default/alone"]}, "sinkConfig": {"a": "b"},
            "java": {"jar": "/pulsar/connectors/pulsar-io-data-generator-4.0.6.nar"}, "pulsar": {"pulsarConfig": "pulsar"},
        },
    });
    kubectl.apply(TEST_NAMESPACE, &sink.to_string())?;
    kubectl.apply(TEST_NAMESPACE, &function("other", pulsar, |_| {}))?;
    until_ready(kubectl, "fn/other", ("True", "AllReplicasAvailable"))?;
    // The sink-controller would have acted by now.
    ensure!(get(kubectl, "snk/alone")?["status"]["conditions"].is_null(), "the sink has a status");
    ensure!(get(kubectl, "statefulset/alone-sink").is_err(), "the sink has pods");
    // The sink of the mesh keeps running.
    ensure!(
        get(kubectl, "statefulset/sample-print-sink")?["status"]["availableReplicas"] == json!(1),
        "sink stopped"
    );
    kubectl.install(controllers, &["controllers.sink.enabled=true"])?;
    until("the sink-controller's work", TIMEOUT, || get(kubectl, "statefulset/alone-sink").map(drop))?;
    run(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} delete snk/alone fn/other --wait=false")))
}

fn uninstall(kubectl: &Kubectl, pulsar: &str) -> Result<()> {
    kubectl.apply(
        TEST_NAMESPACE,
        &function("held", pulsar, |spec| {
            spec["cleanupSubscription"] = json!(true);
            spec["subscriptionName"] = json!("held");
        }),
    )?;
    let finalizers = || -> Result<Value> { Ok(get(kubectl, "fn/held")?["metadata"]["finalizers"].clone()) };
    until("finalizer", TIMEOUT, || if finalizers()?.is_null() { bail!("none") } else { Ok(()) })?;
    // No controller would remove its finalizer, so the uninstallation is refused.
    let Err(refused) = kubectl.uninstall() else { bail!("uninstalled, with an object that would hang") };
    let refused = format!("{refused:#}");
    ensure!(refused.contains(&format!("{TEST_NAMESPACE}/held")), "{refused}");
    let deployments = format!("-n {NAMESPACE} get deployments -o name");
    ensure!(output(&mut kubectl.command(&deployments))?.lines().count() == 4, "a controller is gone");
    // The documented procedure for an object that is to be kept.
    let annotation = "compute.functionmesh.io/need-cleanup=false";
    run(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} annotate fn held {annotation}")))?;
    until("end of the finalizer", TIMEOUT, || {
        if finalizers()?.is_null() { Ok(()) } else { bail!("still there") }
    })?;
    kubectl.uninstall()?;
    let left =
        output(&mut kubectl.command(&format!("-n {NAMESPACE} get deployments,jobs,services -o name")))?;
    ensure!(left.is_empty(), "left: {left}");
    run(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} get fmesh,fn,src,snk")))
}

fn deletion(kubectl: &Kubectl) -> Result<()> {
    run(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} delete fmesh/sample")))?;
    until("the end of everything", TIMEOUT, || {
        let left = output(&mut kubectl.command(&format!(
            "-n {TEST_NAMESPACE} get fn,src,snk,statefulsets,services,pods -l compute.functionmesh.io/component -o name"
        )))?;
        let components =
            output(&mut kubectl.command(&format!("-n {TEST_NAMESPACE} get fmesh,fn,src,snk -o name")))?;
        if left.is_empty() && components.is_empty() { Ok(()) } else { bail!("left: {left} {components}") }
    })
}

fn no_controller_restarted(kubectl: &Kubectl) -> Result<()> {
    let text = output(&mut kubectl.command(&format!("-n {NAMESPACE} get pods -o json")))?;
    let pods: Value = serde_json::from_str(&text)?;
    for pod in pods["items"].as_array().into_iter().flatten() {
        for container in pod["status"]["containerStatuses"].as_array().into_iter().flatten() {
            ensure!(container["restartCount"] == json!(0), "{} restarted", pod["metadata"]["name"]);
        }
    }
    Ok(())
}
