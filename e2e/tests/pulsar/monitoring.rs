//! What the chart ships for monitoring, with a real Prometheus, a real kube-state-metrics and real pods: every query of the
//! dashboards has data, and every alert is evaluated.
//!
//! Prometheus and kube-state-metrics run beside the cluster and scrape through its API server. What the Prometheus operator makes of
//! a ServiceMonitor or PodMonitor is made here: the scrape configuration with its relabelings, and the labels `namespace`, `pod` and
//! `container`. Debian's Prometheus has no discovery in Kubernetes, so the targets with their labels are written to files.

use anyhow::{Context, Result, bail, ensure};
use e2e::operator::{Kubectl, NAMESPACE, RELEASE};
use e2e::paths;
use e2e::pulsar::Broker;
use e2e::shell::{command, log_to, output, progress, run, until};
use e2e::testing::TestEnv;
use e2e::testing::pods::{TEST_NAMESPACE, import_images, until_ready};
use e2e::{images, tools};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

const STATE_METRICS: &str = "k8s.io/kube-state-metrics/v2@v2.18.0";
const PORTS: [&str; 3] = ["18590", "18591", "18592"];
const TIMEOUT: Duration = Duration::from_secs(300);
/// Queries whose series exist only after something that does not happen here: a container that ran out of memory, and an update that
/// waits for approval.
const WITHOUT_DATA: [&str; 2] = ["Out of memory", "Waiting updates by reason"];

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &Path, arguments: &[String], log: &Path) -> Result<Running> {
    let mut command = command(program, arguments);
    Ok(Running(log_to(&mut command, log)?.spawn().with_context(|| format!("{}", program.display()))?))
}

/// Built from its Go module.
fn state_metrics() -> Result<PathBuf> {
    let binary = paths::cache().join("bin").join(STATE_METRICS.replace('/', "-"));
    if !binary.is_file() {
        progress("building kube-state-metrics (some minutes the first time)");
        let module = output(&mut command("go", ["mod", "download", "-json", STATE_METRICS]))?;
        let module: Value = serde_json::from_str(&module)?;
        let folder = module["Dir"].as_str().context("the folder of the module")?;
        let mut build = command("go", ["build", "-ldflags", "-s -w", "-o"]);
        run(build.arg(&binary).arg(".").current_dir(folder).env("CGO_ENABLED", "0"))?;
    }
    Ok(binary)
}

/// The objects of the chart for monitoring.
fn objects() -> Result<Vec<Value>> {
    let chart = paths::root().join("charts/function-mesh-operator").display().to_string();
    let on = ["serviceMonitor", "componentPodMonitor", "prometheusRule", "kubeStateMetrics"];
    let on = on.map(|value| format!("{value}.enabled=true")).join(",");
    let words = ["template", RELEASE, &chart, "--namespace", NAMESPACE, "--set", &on];
    let text = output(&mut command(paths::binary("helm"), words))?;
    let documents = text.split("\n---\n").map(|document| Ok(serde_yaml::from_str(&format!("{document}\n"))?));
    documents.filter(|value| !matches!(value, Ok(Value::Null))).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// A relabeling with the names of Prometheus' own configuration.
fn relabeling(of_operator: &Value) -> Value {
    let renamed = of_operator.as_object().into_iter().flatten().map(|(key, value)| {
        let key = match key.as_str() {
            "sourceLabels" => "source_labels",
            "targetLabel" => "target_label",
            other => other,
        };
        (key.to_owned(), value.clone())
    });
    Value::Object(renamed.collect::<Map<_, _>>())
}

/// The name of the meta label of a pod's label.
fn meta(label: &str) -> String {
    let text: String = label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("__meta_kubernetes_pod_label_{text}")
}

/// The scrape configuration for a monitor.
fn monitored(monitor: &Value, cluster: &Value) -> Value {
    let endpoint = ["endpoints", "podMetricsEndpoints"].map(|key| monitor["spec"][key][0].clone());
    let endpoint = endpoint.into_iter().find(|endpoint| !endpoint.is_null()).unwrap_or_default();
    let mut relabelings = Vec::new();
    let labels = monitor["spec"]["selector"]["matchLabels"].as_object().cloned().unwrap_or_default();
    for (label, value) in &labels {
        relabelings.push(json!({"source_labels": [meta(label)], "regex": value, "action": "keep"}));
    }
    for expression in monitor["spec"]["selector"]["matchExpressions"].as_array().into_iter().flatten() {
        let label = expression["key"].as_str().unwrap_or_default();
        relabelings.push(json!({"source_labels": [meta(label)], "regex": ".+", "action": "keep"}));
    }
    let name = "__meta_kubernetes_pod_container_port_name";
    relabelings.push(json!({"source_labels": [name], "regex": endpoint["port"], "action": "keep"}));
    for (meta, label) in
        [("namespace", "namespace"), ("pod_name", "pod"), ("pod_container_name", "container")]
    {
        let source = format!("__meta_kubernetes_{meta}");
        relabelings.push(json!({"source_labels": [source], "target_label": label}));
    }
    relabelings.extend(endpoint["relabelings"].as_array().into_iter().flatten().map(relabeling));
    let path = "/api/v1/namespaces/$1/pods/$2:$3/proxy/metrics";
    let parts = ["namespace", "pod_name", "pod_container_port_number"];
    let sources = parts.map(|part| format!("__meta_kubernetes_{part}"));
    let metrics_path = json!({"source_labels": sources, "regex": "(.+);(.+);(.+)", "replacement": path, "target_label": "__metrics_path__"});
    relabelings.push(metrics_path);
    let metric = endpoint["metricRelabelings"].as_array().into_iter().flatten().map(relabeling);
    let job = monitor["metadata"]["name"].as_str().unwrap_or_default();
    scraped(job, "pod", relabelings, &metric.collect::<Vec<_>>(), cluster)
}

/// The targets that discovery in Kubernetes would find: every port of every container, and every node.
fn targets(kubectl: &Kubectl) -> Result<[(&'static str, Value); 2]> {
    let list = |what: &str| -> Result<Vec<Value>> {
        let list: Value =
            serde_json::from_str(&output(&mut kubectl.command(&format!("get {what} -A -o json")))?)?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    };
    let target = |name: &Value, labels: Value| json!({"targets": [name], "labels": labels});
    let mut pods = Vec::new();
    for pod in list("pods")? {
        for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
            for port in container["ports"].as_array().into_iter().flatten() {
                let mut labels = Map::new();
                for (label, value) in pod["metadata"]["labels"].as_object().into_iter().flatten() {
                    labels.insert(meta(label), value.clone());
                }
                for (label, value) in [
                    ("namespace", pod["metadata"]["namespace"].clone()),
                    ("pod_name", pod["metadata"]["name"].clone()),
                    ("pod_container_name", container["name"].clone()),
                    ("pod_container_port_name", port["name"].clone()),
                    ("pod_container_port_number", json!(port["containerPort"].to_string())),
                ] {
                    labels.insert(format!("__meta_kubernetes_{label}"), value);
                }
                labels.retain(|_, value| value.is_string());
                pods.push(target(&pod["metadata"]["name"], Value::Object(labels)));
            }
        }
    }
    let node = |node: &Value| {
        target(&node["metadata"]["name"], json!({"__meta_kubernetes_node_name": node["metadata"]["name"]}))
    };
    let nodes: Vec<Value> = list("nodes")?.iter().map(node).collect();
    Ok([("pods.json", Value::Array(pods)), ("nodes.json", Value::Array(nodes))])
}

/// A job that finds its targets in the cluster and scrapes them through the API server.
fn scraped(job: &str, role: &str, mut relabelings: Vec<Value>, metrics: &[Value], cluster: &Value) -> Value {
    relabelings.push(json!({"target_label": "__address__", "replacement": cluster["address"]}));
    let targets = format!("{role}s.json");
    json!({
        "job_name": job, "scheme": "https", "file_sd_configs": [{"files": [targets]}],
        "authorization": {"credentials": cluster["token"]}, "tls_config": {"ca_file": cluster["ca"]},
        "relabel_configs": relabelings, "metric_relabel_configs": metrics,
    })
}

/// How the administrator reaches the cluster.
fn cluster(kubectl: &Kubectl) -> Result<Value> {
    let file: Value = serde_yaml::from_str(&fs::read_to_string(kubectl.kubeconfig())?)?;
    let (cluster, user) = (&file["clusters"][0]["cluster"], &file["users"][0]["user"]);
    let server = cluster["server"].as_str().context("no address of the API server")?;
    Ok(json!({
        "ca": cluster["certificate-authority"],
        "token": user["token"], "address": server.trim_start_matches("https://"),
    }))
}

fn configuration(objects: &[Value], cluster: &Value, rules: &Path) -> Value {
    let monitors = of_kind(objects, "ServiceMonitor").into_iter().chain(of_kind(objects, "PodMonitor"));
    let mut jobs: Vec<Value> = monitors.map(|monitor| monitored(monitor, cluster)).collect();
    let state = json!({"targets": [format!("127.0.0.1:{}", PORTS[0])]});
    jobs.push(json!({"job_name": "kube-state-metrics", "honor_labels": true, "static_configs": [state]}));
    let node = |path: &str| {
        let path = format!("/api/v1/nodes/$1/proxy/{path}");
        json!({"source_labels": ["__meta_kubernetes_node_name"], "regex": "(.+)", "replacement": path, "target_label": "__metrics_path__"})
    };
    // Not its cAdvisor, which does not know the names of containers of containerd 1.6.
    jobs.push(scraped("kubelet", "node", vec![node("metrics/resource")], &[], cluster));
    let path = format!("/api/v1/namespaces/{TEST_NAMESPACE}/pods/pulsar-0:8080/proxy/metrics/");
    let broker = json!({"targets": [cluster["address"]]});
    jobs.push(json!({
        "job_name": "broker", "scheme": "https", "metrics_path": path, "static_configs": [broker],
        "authorization": {"credentials": cluster["token"]}, "tls_config": {"ca_file": cluster["ca"]},
    }));
    json!({
        "global": {"scrape_interval": "5s", "scrape_timeout": "4s", "evaluation_interval": "5s"},
        "scrape_configs": jobs, "rule_files": [rules.display().to_string()],
    })
}

/// An answer of Prometheus.
fn ask(path: &str, query: Option<&str>) -> Result<Value> {
    let url = format!("http://127.0.0.1:{}/api/v1/{path}", PORTS[2]);
    let mut curl = command("curl", ["--silent", "--show-error", "--fail", "--get", &url]);
    if let Some(query) = query {
        curl.args(["--data-urlencode", &format!("query={query}")]);
    }
    let answer: Value = serde_json::from_str(&output(&mut curl)?)?;
    ensure!(answer["status"] == "success", "{answer}");
    Ok(answer["data"].clone())
}

/// The queries of the dashboards, by panel, for one component. What hides values that are well is left out.
fn queries(namespace: &str, name: &str) -> Result<Vec<(String, String)>> {
    let mut queries = Vec::new();
    for file in ["component", "controllers", "fleet"] {
        let path = paths::root().join(format!("charts/function-mesh-operator/dashboards/{file}.json"));
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
        let namespace = if file == "controllers" { NAMESPACE } else { namespace };
        for panel in dashboard["panels"].as_array().context("panels")? {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let title = panel["title"].as_str().unwrap_or_default().to_owned();
                let query = target["expr"].as_str().context("a query")?;
                let query = query.replace("$__rate_interval", "1m").replace("$namespace", namespace);
                let query = query.replace("$name", name).replace("$controller", ".+");
                let query = [" > 0", " == 1", " == 0"].iter().fold(query, |q, hides| q.replace(hides, ""));
                queries.push((title, query));
            }
        }
    }
    Ok(queries)
}

/// Panels without data for all of these components.
fn without_data(components: &[&str]) -> Result<Vec<String>> {
    let mut found: BTreeMap<(String, usize), (bool, String)> = BTreeMap::new();
    for name in components {
        for (index, (title, query)) in queries(TEST_NAMESPACE, name)?.into_iter().enumerate() {
            let has_data = ask("query", Some(&query))?["result"].as_array().is_some_and(|r| !r.is_empty());
            let entry = found.entry((title, index)).or_insert((false, query));
            entry.0 |= has_data;
        }
    }
    let missing = found
        .into_iter()
        .filter(|((title, _), (has_data, _))| !has_data && !WITHOUT_DATA.contains(&title.as_str()));
    Ok(missing.map(|((title, _), (_, query))| format!("{title}: {query}")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_has_data_and_every_alert_is_evaluated() -> Result<()> {
    tools::packages(&[("prometheus", "prometheus"), ("curl", "curl")])?;
    let env = TestEnv::connect().await?;
    let kubectl = env.kubectl.clone();
    let state_metrics = state_metrics()?;
    let (pulsar, controllers) = import_images(&env)?;
    let broker = Broker::deploy(&kubectl, TEST_NAMESPACE, &pulsar)?;
    kubectl.install(&controllers, &[])?;
    broker.ready()?;
    let sample = fs::read_to_string(paths::root().join("config/samples/functionmesh.yaml"))?;
    kubectl.apply(TEST_NAMESPACE, &sample.replace(images::PULSAR_IMAGE, &pulsar))?;
    until_ready(&kubectl, "fmesh/sample", ("True", "AllComponentsReady"))?;

    let folder = paths::cache().join("monitoring");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let objects = objects()?;
    let file = |name: &str, content: &str| -> Result<PathBuf> {
        fs::write(folder.join(name), content)?;
        Ok(folder.join(name))
    };
    let rule = of_kind(&objects, "PrometheusRule");
    let rule = rule.first().context("no PrometheusRule")?;
    let rules = file("rules.yaml", &serde_yaml::to_string(&rule["spec"])?)?;
    let maps = of_kind(&objects, "ConfigMap");
    let custom = maps.iter().find_map(|map| map["data"]["config.yaml"].as_str());
    let custom = file("state.yaml", custom.context("no configuration of kube-state-metrics")?)?;
    for (name, targets) in targets(&kubectl)? {
        file(name, &targets.to_string())?;
    }
    let config = configuration(&objects, &cluster(&kubectl)?, &rules);
    let config = file("prometheus.yaml", &serde_yaml::to_string(&config)?)?;
    let _state = start(
        &state_metrics,
        &[
            format!("--kubeconfig={}", kubectl.kubeconfig().display()),
            format!("--custom-resource-state-config-file={}", custom.display()),
            "--host=127.0.0.1".to_owned(),
            format!("--port={}", PORTS[0]),
            format!("--telemetry-port={}", PORTS[1]),
        ],
        &folder.join("state.log"),
    )?;
    let _prometheus = start(
        Path::new("prometheus"),
        &[
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{}", PORTS[2]),
        ],
        &folder.join("prometheus.log"),
    )?;

    let number = std::cell::Cell::new(0);
    until("data for every query", TIMEOUT, || {
        // Messages for the Function: the others have their own.
        number.set(number.get() + 1);
        let message = format!("m{}", number.get());
        broker.produce("persistent://public/default/in", &[message])?;
        let missing = without_data(&["sample-exclamation", "sample-gen", "sample-print"])?;
        if missing.is_empty() {
            Ok(())
        } else {
            bail!("{} without data:\n{}", missing.len(), missing.join("\n"))
        }
    })?;
    let targets = ask("targets", None)?;
    for target in targets["activeTargets"].as_array().into_iter().flatten() {
        ensure!(target["health"] == "up", "{}: {}", target["labels"], target["lastError"]);
    }
    let groups = ask("rules", None)?;
    let mut evaluated = 0;
    for rule in groups["groups"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|group| group["rules"].as_array())
        .flatten()
    {
        ensure!(rule["health"] == "ok", "{}: {} {}", rule["name"], rule["health"], rule["lastError"]);
        ensure!(rule["state"] != "firing", "{} fires although all is well", rule["name"]);
        evaluated += 1;
    }
    let queries = queries(TEST_NAMESPACE, "")?.len();
    progress(&format!("{queries} queries have data, {evaluated} rules are evaluated"));
    ensure!(evaluated > 10, "only {evaluated} rules");
    Ok(())
}
