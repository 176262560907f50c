//! What the chart ships for monitoring, with a real Prometheus, a real kube-state-metrics and real pods: every query of the
//! dashboards has data, and every alert is evaluated.

use super::chart::{objects, of_kind};
use super::discovery::{cluster, configuration, targets};
use super::prometheus::{Prometheus, start};
use anyhow::{Context, Result, bail, ensure};
use e2e::operator::NAMESPACE;
use e2e::paths;
use e2e::pulsar::Broker;
use e2e::shell::{command, output, progress, run, until};
use e2e::testing::TestEnv;
use e2e::testing::pods::{TEST_NAMESPACE, import_images, until_ready};
use e2e::{images, tools};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const STATE_METRICS: &str = "k8s.io/kube-state-metrics/v2@v2.18.0";
/// Of kube-state-metrics: its metrics, and those about itself.
const STATE_PORTS: [&str; 2] = ["18590", "18591"];
const PORT: u16 = 18592;
const TIMEOUT: Duration = Duration::from_secs(300);
/// Queries whose series exist only after something that does not happen here: a container that ran out of memory, and an update that
/// waits for approval.
const WITHOUT_DATA: [&str; 2] = ["Out of memory", "Waiting updates by reason"];

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
fn without_data(prometheus: &Prometheus, components: &[&str]) -> Result<Vec<String>> {
    let mut found: BTreeMap<(String, usize), (bool, String)> = BTreeMap::new();
    for name in components {
        for (index, (title, query)) in queries(TEST_NAMESPACE, name)?.into_iter().enumerate() {
            let has_data =
                prometheus.ask("query", Some(&query))?["result"].as_array().is_some_and(|r| !r.is_empty());
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

    let folder = paths::cache().join("monitoring/dashboards");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let on = ["serviceMonitor", "componentPodMonitor", "prometheusRule", "kubeStateMetrics"];
    let on = on.map(|value| format!("{value}.enabled=true")).join(",");
    let objects = objects(&[&on])?;
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
    let config = configuration(&objects, &cluster(&kubectl)?, &rules, STATE_PORTS[0]);
    let config = file("prometheus.yaml", &serde_yaml::to_string(&config)?)?;
    let _state = start(
        &state_metrics,
        &[
            format!("--kubeconfig={}", kubectl.kubeconfig().display()),
            format!("--custom-resource-state-config-file={}", custom.display()),
            "--host=127.0.0.1".to_owned(),
            format!("--port={}", STATE_PORTS[0]),
            format!("--telemetry-port={}", STATE_PORTS[1]),
        ],
        &folder.join("state.log"),
    )?;
    let prometheus = Prometheus::start(&config, PORT)?;

    let number = std::cell::Cell::new(0);
    until("data for every query", TIMEOUT, || {
        // Messages for the Function: the others have their own.
        number.set(number.get() + 1);
        let message = format!("m{}", number.get());
        broker.produce("persistent://public/default/in", &[message])?;
        let missing = without_data(&prometheus, &["sample-exclamation", "sample-gen", "sample-print"])?;
        if missing.is_empty() {
            Ok(())
        } else {
            bail!("{} without data:\n{}", missing.len(), missing.join("\n"))
        }
    })?;
    let targets = prometheus.ask("targets", None)?;
    for target in targets["activeTargets"].as_array().into_iter().flatten() {
        ensure!(target["health"] == "up", "{}: {}", target["labels"], target["lastError"]);
    }
    let groups = prometheus.ask("rules", None)?;
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
