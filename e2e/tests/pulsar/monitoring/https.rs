//! `secureMetrics`: a real Prometheus scrapes the controllers as the ServiceMonitor says, over HTTPS and with the token of its
//! ServiceAccount. It is refused without a token, with that of another ServiceAccount, and it refuses another certificate.

use super::chart::{objects, of_kind};
use super::prometheus::{Prometheus, Running, start};
use anyhow::{Context, Result, ensure};
use e2e::operator::{Kubectl, NAMESPACE};
use e2e::shell::{command, output, progress, run, until};
use e2e::testing::TestEnv;
use e2e::testing::pods::import_images;
use e2e::{paths, tools};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const CONTROLLERS: [&str; 4] = ["function", "source", "sink", "mesh"];
const PORT: u16 = 18593;
/// Of the port-forwards, one for each controller.
const FIRST_PORT: u16 = 18594;
const TIMEOUT: Duration = Duration::from_secs(120);
/// The only name in the certificate.
const SERVER_NAME: &str = "metrics.example.org";

/// Writes a new certificate and its key. Returns their files.
fn certificate(folder: &Path, name: &str) -> Result<[PathBuf; 2]> {
    let files = ["crt", "key"].map(|suffix| folder.join(format!("{name}.{suffix}")));
    let [certificate, key] = &files;
    let words = "req -x509 -newkey rsa:2048 -nodes -days 2";
    let mut openssl = command("openssl", words.split(' '));
    openssl.args(["-subj", "/CN=metrics", "-addext", &format!("subjectAltName=DNS:{SERVER_NAME}")]);
    run(openssl.arg("-out").arg(certificate).arg("-keyout").arg(key))?;
    Ok(files)
}

/// Makes ports of this machine lead to the Services of the controllers.
fn forwards(kubectl: &Kubectl, port: u64, folder: &Path) -> Result<Vec<Running>> {
    let mut forwards = Vec::new();
    for (local, controller) in (FIRST_PORT..).zip(CONTROLLERS) {
        let service = format!("service/function-mesh-{controller}-controller");
        let arguments = [
            format!("--kubeconfig={}", kubectl.kubeconfig().display()),
            format!("--namespace={NAMESPACE}"),
            "port-forward".to_owned(),
            service,
            format!("{local}:{port}"),
        ];
        let log = folder.join(format!("{controller}.log"));
        forwards.push(start(&paths::binary("kubectl"), &arguments, &log)?);
    }
    Ok(forwards)
}

/// A job that scrapes all controllers as the endpoint of a ServiceMonitor says, with the token of a file, if any.
fn job(name: &str, endpoint: &Value, ca: &Path, token: Option<&Path>) -> Value {
    let targets = (FIRST_PORT..).zip(CONTROLLERS).map(|(port, _)| format!("127.0.0.1:{port}"));
    let targets: Vec<String> = targets.collect();
    let mut job = json!({
        "job_name": name, "scheme": endpoint["scheme"], "metrics_path": endpoint["path"],
        "static_configs": [{"targets": targets}],
        "tls_config": {"ca_file": ca, "server_name": endpoint["tlsConfig"]["serverName"]},
    });
    if let (Some(token), Value::Object(job)) = (token, &mut job) {
        job.insert("authorization".to_owned(), json!({"credentials_file": token}));
    }
    job
}

/// Waits until all targets of a job have the state, and an error that contains the text.
fn until_state(prometheus: &Prometheus, job: &str, health: &str, error: &str) -> Result<()> {
    until(&format!("targets of {job}"), TIMEOUT, || {
        let answer = prometheus.ask("targets?state=active", None)?;
        let targets = answer["activeTargets"].as_array().cloned().unwrap_or_default();
        let of_job: Vec<_> = targets.iter().filter(|target| target["labels"]["job"] == job).collect();
        ensure!(of_job.len() == CONTROLLERS.len(), "{} targets", of_job.len());
        for target in of_job {
            let text = target["lastError"].as_str().unwrap_or_default();
            ensure!(target["health"] == health && text.contains(error), "{job}: {} {text}", target["health"]);
        }
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_with_a_token_scrapes_over_https_and_no_other() -> Result<()> {
    tools::packages(&[("prometheus", "prometheus"), ("curl", "curl"), ("openssl", "openssl")])?;
    let env = TestEnv::connect().await?;
    let kubectl = env.kubectl.clone();
    let (_, controllers) = import_images(&env)?;
    let folder = paths::cache().join("monitoring/https");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;

    for namespace in [NAMESPACE, "monitoring"] {
        kubectl.namespace(namespace)?;
    }
    let [ca, key] = certificate(&folder, "metrics")?;
    let [other_ca, _] = certificate(&folder, "other")?;
    let mut secret = kubectl.command(&format!("-n {NAMESPACE} create secret tls metrics"));
    run(secret.arg(format!("--cert={}", ca.display())).arg(format!("--key={}", key.display())))?;
    let mut tokens = Vec::new();
    for account in ["prometheus", "stranger"] {
        run(&mut kubectl.command(&format!("-n monitoring create serviceaccount {account}")))?;
        let token = output(&mut kubectl.command(&format!("-n monitoring create token {account}")))?;
        let file = folder.join(account);
        fs::write(&file, token.trim())?;
        tokens.push(file);
    }
    let server_name = format!("secureMetrics.tlsConfig.serverName={SERVER_NAME}");
    let values = [
        "secureMetrics.enabled=true",
        "secureMetrics.certificateSecret=metrics",
        "secureMetrics.readers[0].name=prometheus",
        "secureMetrics.readers[0].namespace=monitoring",
        &server_name,
    ];
    kubectl.install(&controllers, &values)?;

    let objects = objects(&[&values[..], &["serviceMonitor.enabled=true"]].concat())?;
    let monitors = of_kind(&objects, "ServiceMonitor");
    let endpoint = monitors.first().context("no ServiceMonitor")?["spec"]["endpoints"][0].clone();
    ensure!(endpoint["scheme"] == "https" && endpoint["bearerTokenFile"].is_string(), "{endpoint}");
    let service = output(
        &mut kubectl.command(&format!("-n {NAMESPACE} get service function-mesh-mesh-controller -o json")),
    )?;
    let service: Value = serde_json::from_str(&service)?;
    let ports = service["spec"]["ports"].as_array().context("ports of the Service")?;
    let port = ports.iter().find(|port| port["name"] == endpoint["port"]);
    let port = port.and_then(|port| port["port"].as_u64()).context("the port of the ServiceMonitor")?;
    let _forwards = forwards(&kubectl, port, &folder)?;

    let [reader, stranger] = tokens.as_slice() else { unreachable!("two accounts") };
    let config = json!({
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s"},
        "scrape_configs": [
            job("reader", &endpoint, &ca, Some(reader)),
            job("stranger", &endpoint, &ca, Some(stranger)),
            job("anonymous", &endpoint, &ca, None),
            job("other-certificate", &endpoint, &other_ca, Some(reader)),
        ],
    });
    let file = folder.join("prometheus.yaml");
    fs::write(&file, serde_yaml::to_string(&config)?)?;
    let prometheus = Prometheus::start(&file, PORT)?;
    until_state(&prometheus, "reader", "up", "")?;
    until_state(&prometheus, "stranger", "down", "403")?;
    until_state(&prometheus, "anonymous", "down", "401")?;
    until_state(&prometheus, "other-certificate", "down", "certificate")?;
    let leaders = prometheus.ask("query", Some("sum(function_mesh_leader{job=\"reader\"})"))?;
    ensure!(leaders["result"][0]["value"][1] == "4", "{leaders}");
    progress("Prometheus scrapes four controllers over HTTPS; the other three ways are refused");
    Ok(())
}
