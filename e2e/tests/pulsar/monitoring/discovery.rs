//! What the Prometheus operator makes of a ServiceMonitor or PodMonitor is made here: the scrape configuration with its relabelings,
//! and the labels `namespace`, `pod` and `container`. Debian's Prometheus has no discovery in Kubernetes, so the targets with their
//! labels are written to files. They are scraped through the API server.

use super::chart::of_kind;
use anyhow::{Context, Result};
use e2e::operator::Kubectl;
use e2e::shell::output;
use e2e::testing::pods::TEST_NAMESPACE;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

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
pub(super) fn targets(kubectl: &Kubectl) -> Result<[(&'static str, Value); 2]> {
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
pub(super) fn cluster(kubectl: &Kubectl) -> Result<Value> {
    let file: Value = serde_yaml::from_str(&fs::read_to_string(kubectl.kubeconfig())?)?;
    let (cluster, user) = (&file["clusters"][0]["cluster"], &file["users"][0]["user"]);
    let server = cluster["server"].as_str().context("no address of the API server")?;
    Ok(json!({
        "ca": cluster["certificate-authority"],
        "token": user["token"], "address": server.trim_start_matches("https://"),
    }))
}

/// The whole configuration, with the rules of a file.
pub(super) fn configuration(objects: &[Value], cluster: &Value, rules: &Path, state_metrics: &str) -> Value {
    let monitors = of_kind(objects, "ServiceMonitor").into_iter().chain(of_kind(objects, "PodMonitor"));
    let mut jobs: Vec<Value> = monitors.map(|monitor| monitored(monitor, cluster)).collect();
    let state = json!({"targets": [format!("127.0.0.1:{state_metrics}")]});
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
