//! The demo: the main scenario with a real broker and real messages, step by step.

use crate::cluster::Cluster;
use crate::images::Archive;
use crate::operator::{Kubectl, NAMESPACE};
use crate::pulsar::Broker;
use crate::shell::{output, progress, run, until};
use crate::{images, paths, tools};
use anyhow::{Context, Result, anyhow, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Namespace of the broker and the sample.
const DEMO: &str = "function-mesh-demo";
/// Available memory with which Kubernetes and the controllers are compiled at the same time.
const SIDE_BY_SIDE: u64 = 8 << 30;
/// Number of messages.
const MESSAGES: usize = 100;

/// The cluster and the images of the demo.
struct Target {
    kubeconfig: PathBuf,
    own: bool,
    pulsar: String,
    controllers: String,
    /// Digest of the controllers' image: the name of the image stays the same when its content changes.
    revision: Option<String>,
    /// Where the controllers' image has to be imported.
    to_import: Option<(Cluster, Archive)>,
}

impl Target {
    /// The cluster of `KUBECONFIG`, else a new one.
    fn choose() -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        if let Some(kubeconfig) = variable("KUBECONFIG") {
            progress(&format!("using the cluster of KUBECONFIG={kubeconfig}"));
            tools::clients()?;
            return Ok(Self {
                kubeconfig: kubeconfig.into(),
                own: false,
                pulsar: variable("PULSAR_IMAGE").unwrap_or_else(|| images::PULSAR_IMAGE.to_owned()),
                controllers: variable("IMAGE").unwrap_or_else(|| images::CONTROLLERS_IMAGE.to_owned()),
                revision: None,
                to_import: None,
            });
        }
        let (cluster, pulsar, controllers) = prepare()?;
        cluster.import(&pulsar)?;
        Ok(Self {
            kubeconfig: cluster.kubeconfig(),
            own: true,
            pulsar: images::PULSAR_IMAGE.to_owned(),
            controllers: images::CONTROLLERS_IMAGE.to_owned(),
            revision: Some(controllers.digest()?),
            to_import: Some((cluster, controllers)),
        })
    }

    /// Imports the image of the controllers into a cluster of our own, while the broker starts.
    fn import_controllers(&self) -> Result<()> {
        self.to_import.as_ref().map_or(Ok(()), |(cluster, image)| cluster.import(image))
    }
}

/// Builds and starts everything. Side by side where memory allows: one downloads while another compiles.
fn prepare() -> Result<(Cluster, Archive, Archive)> {
    let cluster = || Cluster::up("demo", false, 1);
    if available_memory()? < SIDE_BY_SIDE {
        return Ok((cluster()?, images::pulsar()?, images::controllers()?));
    }
    thread::scope(|scope| {
        let pulsar = scope.spawn(images::pulsar);
        let controllers = scope.spawn(images::controllers);
        let cluster = cluster();
        let ended =
            |built: thread::Result<Result<Archive>>| built.map_err(|_| anyhow!("a build panicked"))?;
        Ok((cluster?, ended(pulsar.join())?, ended(controllers.join())?))
    })
}

/// Memory that programs can still get, in bytes.
fn available_memory() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes: u64 = line.and_then(|line| line.split_whitespace().next()).unwrap_or_default().parse()?;
    Ok(kilobytes * 1024)
}

/// Runs the demo.
///
/// # Errors
/// When a step fails; the message says which and what to do.
pub fn demo() -> Result<()> {
    let target = Target::choose()?;
    let kubectl = Kubectl::new(target.kubeconfig.clone());
    run(&mut kubectl.command("get --raw=/readyz")).context("the cluster does not answer")?;

    progress("deploying a Pulsar broker");
    let broker = Broker::deploy(&kubectl, DEMO, &target.pulsar)?;
    target.import_controllers()?;
    progress("installing the charts");
    // Restarts the pods when the image has new content under the same name.
    let revision = target.revision.as_ref().map(|digest| format!("podAnnotations.revision={digest}"));
    kubectl.install(&target.controllers, &revision.iter().map(String::as_str).collect::<Vec<_>>())?;
    kubectl.show(&format!("-n {NAMESPACE} get pods"))?;
    broker.ready()?;
    progress("the broker is healthy");

    let sample = paths::root().join("config/samples/functionmesh.yaml");
    progress("kubectl apply -f config/samples/functionmesh.yaml");
    let manifest = fs::read_to_string(&sample)?.replace(images::PULSAR_IMAGE, &target.pulsar);
    kubectl.apply(DEMO, &manifest)?;
    progress("kubectl wait --for=condition=Ready functionmesh/sample");
    let wait = format!("-n {DEMO} wait --for=condition=Ready functionmesh/sample --timeout=300s");
    if let Err(error) = run(&mut kubectl.command(&wait)) {
        kubectl.show(&format!("-n {DEMO} get fmesh,fn,src,snk,pods -o wide"))?;
        return Err(error.context("the sample did not become ready"));
    }

    progress(&format!("producing {MESSAGES} messages on the input of the function"));
    let run_id = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let sent: Vec<String> = (0..MESSAGES).map(|i| format!("hello-{run_id}-{i}")).collect();
    let expected: BTreeSet<String> = sent.iter().map(|m| format!("{m}!")).collect();
    broker.produce("persistent://public/default/in", &sent)?;
    let received = broker.expect("persistent://public/default/out", &expected)?;
    let first = received.first().map(String::as_str).unwrap_or_default();
    progress(&format!("received {} of {MESSAGES} expected messages, such as {first:?}", received.len()));

    let logs = format!("-n {DEMO} logs sample-print-sink-0 -c pulsar-sink --tail=2000");
    let printed = until("lines printed by the sink", Duration::from_secs(60), || {
        let text = output(&mut kubectl.command(&logs))?;
        let lines: Vec<String> = text.lines().filter(|l| l.contains("RECV")).map(str::to_owned).collect();
        if lines.is_empty() { bail!("the sink printed nothing yet") } else { Ok(lines) }
    })?;
    progress(&format!("the sink printed {} records, the last one:", printed.len()));
    if let Some(line) = printed.last() {
        eprintln!("        {}", line.chars().take(160).collect::<String>());
    }
    metrics(&kubectl)?;
    kubectl.show(&format!("-n {DEMO} get fmesh,fn,src,snk"))?;
    progress("done");
    next_steps(&target);
    Ok(())
}

/// Shows metrics of each controller.
fn metrics(kubectl: &Kubectl) -> Result<()> {
    for controller in ["function", "source", "sink", "mesh"] {
        let service = format!("services/function-mesh-{controller}-controller:8080/proxy/metrics");
        let path = format!("get --raw=/api/v1/namespaces/{NAMESPACE}/{service}");
        let text = output(&mut kubectl.command(&path))?;
        let value = |name: &str| {
            let found = text.lines().find(|l| l.starts_with(name)).and_then(|l| l.rsplit_once(' '));
            found.map_or("missing", |(_, v)| v).to_owned()
        };
        if text.contains(DEMO) || !text.contains("function_mesh_api_requests_total") {
            bail!(
                "metrics of the {controller}-controller are incomplete or have names of namespaces:\n{text}"
            );
        }
        let reconciles: u64 = text
            .lines()
            .filter(|l| l.starts_with("function_mesh_reconciles_total"))
            .filter_map(|l| l.rsplit_once(' ')?.1.parse::<u64>().ok())
            .sum();
        progress(&format!(
            "metrics of the {controller}-controller: leader {}, {reconciles} reconciles, {} MB resident",
            value("function_mesh_leader"),
            value("process_resident_memory_bytes").parse::<f64>().map_or(0.0, |b| (b / 1e5).round() / 10.0),
        ));
    }
    Ok(())
}

fn next_steps(target: &Target) {
    let kubeconfig = target.kubeconfig.display();
    let kubectl = paths::binary("kubectl");
    eprintln!("\nNext steps:");
    eprintln!(
        "    export KUBECONFIG={kubeconfig} PATH={}:$PATH",
        kubectl.parent().map(|p| p.display().to_string()).unwrap_or_default()
    );
    eprintln!("    kubectl -n {DEMO} get fmesh,fn,src,snk -o wide");
    eprintln!("    kubectl -n {DEMO} scale fn sample-exclamation --replicas=2");
    eprintln!("    kubectl -n {DEMO} logs sample-print-sink-0");
    if target.own {
        eprintln!("    make demo-down    # deletes the cluster and everything it started");
    } else {
        eprintln!("    kubectl delete namespace {DEMO}");
    }
}
