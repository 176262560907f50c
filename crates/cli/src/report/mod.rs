//! `kubectl fmesh report`: everything for a bug report, in files that can be given away.
//!
//! ```text
//!  kubectl get, logs, get --raw ──> Redaction ──> Folder ──> archive
//! ```
//!
//! ConfigMaps and Secrets are never read.

mod folder;
mod redact;

use crate::cluster::controllers::Controller;
use crate::cluster::item::Item;
use crate::cluster::kubectl::Connection;
use crate::cluster::parallel::{AT_ONCE, each};
use crate::cluster::target::{self, Scope};
use crate::output::yaml;
use crate::terminal::{plural, print, progress};
use crate::version;
use anyhow::{Context, Result};
use clap::Args;
use folder::Folder;
use functionmesh_api::constants::{GROUP, LABEL_NAME};
use k8s_openapi::jiff::Timestamp;
use redact::{Cleaner, Redaction};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// Bytes of a log, at most.
const BYTES: u32 = 2_000_000;
/// Port of the metrics of controllers, unless their pods name another one.
const CONTROLLER_METRICS: u64 = 8080;
/// Port of the metrics of instances.
const INSTANCE_METRICS: u64 = 9094;

/// Objects of our kinds.
const OBJECTS: &str = "objects";
/// All Deployments, of which controllers are reported.
const DEPLOYMENTS: &str = "deployments";
/// Pods and Leases of controllers.
const CONTROLLERS: &str = "controllers";

/// What belongs to our objects, found by its label.
const CHILDREN: [&str; 7] = [
    "statefulsets.apps",
    "controllerrevisions.apps",
    "pods",
    "services",
    "jobs.batch",
    "horizontalpodautoscalers.autoscaling",
    AUTOSCALERS,
];
/// A kind that not every cluster has.
const AUTOSCALERS: &str = "verticalpodautoscalers.autoscaling.k8s.io";

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scope: Scope,
    /// Folder to create; `fmesh-report-` and the time by default.
    #[arg(short, long, value_name = "PATH")]
    directory: Option<PathBuf>,
    /// Make one .tar.gz archive in place of the folder, with the program tar.
    #[arg(long)]
    archive: bool,
    /// Include the logs of instances, which may contain data of your messages.
    #[arg(long)]
    instance_logs: bool,
    /// Lines of each log, counted from the end.
    #[arg(long, default_value_t = 2000, value_name = "LINES")]
    tail: u32,
    #[command(flatten)]
    cluster: Connection,
}

/// What is written at the end, when everything that may not be shown is known.
struct Report {
    folder: Folder,
    redaction: Redaction,
    /// Objects by file, redacted.
    objects: BTreeMap<String, Vec<Value>>,
    /// What could not be read, and why.
    gaps: Vec<String>,
}

/// What a list is of, and its objects.
type List = (&'static str, Result<Vec<Value>>);

/// A text of a pod: a log or metrics.
struct Text {
    file: String,
    words: Vec<String>,
    /// Whether it is missing as a rule, as the log before a restart.
    is_rare: bool,
}

impl Options {
    /// Runs the command.
    ///
    /// # Errors
    /// When the objects cannot be read, or a file cannot be written.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let now = Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
        let path = self.directory.clone().unwrap_or_else(|| PathBuf::from(format!("fmesh-report-{now}")));
        let objects = self.read()?;
        let folder = Folder::create(&path)?;
        let mut report =
            Report { folder, redaction: Redaction::default(), objects: BTreeMap::new(), gaps: Vec::new() };
        let texts = report.take(objects, self);
        progress("reading logs and metrics");
        let texts = report.texts(&texts, &self.cluster);
        let versions = version::versions(&self.cluster);
        report.write(texts, &versions, self)?;
        let files = report.folder.files();
        let place = if self.archive { report.folder.archive()? } else { path };
        print(&format!("{}: {}. Read it before you give it away.", place.display(), plural(files, "file")))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Objects of the namespaces and of the controllers, each list with what it is.
    fn read(&self) -> Result<Vec<List>> {
        progress("reading objects");
        let kinds = format!("{},backendconfigs.{GROUP}", target::all_kinds());
        let label = format!("--selector={LABEL_NAME}");
        let controllers = "--selector=app.kubernetes.io/part-of=function-mesh";
        let scope = self.scope.words();
        let within = |words: &[&'static str]| [words, scope.as_slice()].concat();
        let mut calls: Vec<(&'static str, Vec<&str>)> = vec![
            (OBJECTS, [&[kinds.as_str()], scope.as_slice()].concat()),
            ("events", within(&["events"])),
            (DEPLOYMENTS, vec!["deployments.apps", "--all-namespaces"]),
            (CONTROLLERS, vec!["pods", "--all-namespaces", controllers]),
            (CONTROLLERS, vec!["leases.coordination.k8s.io", "--all-namespaces", controllers]),
        ];
        for children in CHILDREN {
            calls.push((children, [&[children, label.as_str()], scope.as_slice()].concat()));
        }
        let answers = each(&calls, calls.len(), |(_, words)| self.cluster.existing(words));
        let mut lists = Vec::new();
        for ((what, _), answer) in calls.iter().zip(answers) {
            let answer = match answer {
                Err(error) if *what == OBJECTS => {
                    return Err(error).context("the objects cannot be read, so there is nothing to report");
                }
                Err(error) if *what == AUTOSCALERS && is_missing_kind(&error) => Ok(Vec::new()),
                answer => answer,
            };
            lists.push((*what, answer));
        }
        Ok(lists)
    }
}

impl Report {
    /// Sorts and redacts the objects; returns the texts that their pods have.
    fn take(&mut self, lists: Vec<List>, options: &Options) -> Vec<Text> {
        let mut texts = Vec::new();
        for (what, list) in lists {
            let objects = match list {
                Ok(objects) => objects,
                Err(error) => {
                    self.gaps.push(format!("{what}: {error:#}"));
                    continue;
                }
            };
            for object in objects {
                let item = Item::of(object);
                let is_controller = matches!(what, DEPLOYMENTS | CONTROLLERS);
                if what == DEPLOYMENTS && Controller::of(&item.object).is_none() {
                    continue;
                }
                if item.kind == "Pod" {
                    texts.extend(texts_of(&item, is_controller, options));
                }
                let folder = if is_controller { "controllers" } else { item.namespace.as_str() };
                let file = format!("{folder}/{}.yaml", plural_of(&item.kind));
                let redacted = self.redaction.object(item.object, is_controller);
                self.objects.entry(file).or_default().push(redacted);
            }
        }
        texts
    }

    fn texts(&mut self, texts: &[Text], cluster: &Connection) -> Vec<(String, String)> {
        let answers = each(texts, AT_ONCE, |text| {
            cluster.plain(&text.words.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let mut read = Vec::new();
        for (text, answer) in texts.iter().zip(answers) {
            match answer {
                Ok(answer) => read.push((text.file.clone(), answer)),
                Err(_) if text.is_rare => {}
                Err(error) => self.gaps.push(format!("{}: {error:#}", text.file)),
            }
        }
        read
    }

    fn write(&mut self, texts: Vec<(String, String)>, versions: &Value, options: &Options) -> Result<()> {
        progress("writing files");
        let cleaner: Cleaner = self.redaction.cleaner();
        for (file, objects) in &mut self.objects {
            for object in objects.iter_mut() {
                cleaner.object(object);
            }
            let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
            self.folder.write(file, &yaml(&list)?)?;
        }
        for (file, text) in texts {
            self.folder.write(&file, &cleaner.text(&text))?;
        }
        let mut versions = versions.clone();
        cleaner.object(&mut versions);
        self.folder.write("versions.json", &(serde_json::to_string_pretty(&versions)? + "\n"))?;
        let gaps: Vec<String> = self.gaps.iter().map(|gap| format!("* {}", cleaner.text(gap))).collect();
        let gaps = if gaps.is_empty() { "* nothing".to_owned() } else { gaps.join("\n") };
        self.folder.write("README.md", &readme(&gaps, options.instance_logs))
    }
}

/// A kind in the plural, as kubectl prints it.
fn plural_of(kind: &str) -> String {
    let ending = if kind.ends_with('h') { "es" } else { "s" };
    kind.to_lowercase() + ending
}

/// Whether the API server does not know a kind.
fn is_missing_kind(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("doesn't have a resource type")
}

/// Logs of a pod, before and after its last restart, and its metrics.
fn texts_of(pod: &Item, is_controller: bool, options: &Options) -> Vec<Text> {
    let folder = if is_controller { "controllers" } else { pod.namespace.as_str() };
    let name = &pod.name;
    let mut texts = Vec::new();
    if is_controller || options.instance_logs {
        for previous in [false, true] {
            let mut words: Vec<String> =
                ["logs", name, "--all-containers", "--prefix", "--timestamps"].map(str::to_owned).into();
            words.extend([
                format!("--namespace={}", pod.namespace),
                format!("--tail={}", options.tail),
                format!("--limit-bytes={BYTES}"),
            ]);
            words.extend(previous.then(|| "--previous".to_owned()));
            let file = format!("{folder}/logs/{name}{}.log", if previous { ".previous" } else { "" });
            texts.push(Text { file, words, is_rare: previous });
        }
    }
    let port = if is_controller { metrics_port(&pod.object) } else { Some(INSTANCE_METRICS) };
    if let Some(port) = port.filter(|_| pod.text("/status/phase") == "Running") {
        let path = format!("/api/v1/namespaces/{}/pods/{name}:{port}/proxy/metrics", pod.namespace);
        let words = ["get", "--raw", &path].map(str::to_owned).into();
        texts.push(Text { file: format!("{folder}/metrics/{name}.txt"), words, is_rare: false });
    }
    texts
}

/// The port of a controller's metrics; none if it serves them over HTTPS: the API server's proxy does not pass a token on.
fn metrics_port(pod: &Value) -> Option<u64> {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let ports: Vec<&Value> =
        containers.filter_map(|container| container.get("ports")?.as_array()).flatten().collect();
    let named = |name: &str| ports.iter().find(|port| port.get("name").is_some_and(|n| n == name));
    let plain = named("http-metrics").and_then(|port| port.get("containerPort")?.as_u64());
    named("https-metrics").is_none().then(|| plain.unwrap_or(CONTROLLER_METRICS))
}

fn readme(gaps: &str, instance_logs: bool) -> String {
    let logs = if instance_logs {
        "Logs of instances are included; what they say of messages is included as well."
    } else {
        "Logs of instances are left out (--instance-logs includes them)."
    };
    format!(
        "# Report of kubectl fmesh {}\n\n\
        `versions.json` has the releases, `controllers/` the controllers with logs and metrics, and a folder for each namespace the \
        objects, what belongs to them, and Events, with the metrics of the instances.\n\n\
        Secrets and ConfigMaps were not read. Values of environment variables, of the configuration of programs, connectors and \
        plugins, command lines and foreign annotations are replaced by `<removed>`, credentials in other texts by `<redacted>`, and \
        removed values also where logs and Events quote them. {logs}\n\n\
        ## Not read\n\n{gaps}\n",
        version::CLIENT
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_of_controllers_are_read_where_they_are_served_over_http() {
        let pod =
            |ports: Value| serde_json::json!({"spec": {"containers": [{"name": "x"}, {"ports": ports}]}});
        let plain = serde_json::json!({"name": "http-metrics", "containerPort": 9090});
        let secure = serde_json::json!({"name": "https-metrics", "containerPort": 8443});
        assert_eq!(metrics_port(&pod(serde_json::json!([]))), Some(8080));
        assert_eq!(metrics_port(&pod(serde_json::json!([plain]))), Some(9090));
        assert_eq!(metrics_port(&pod(serde_json::json!([plain, secure]))), None);
    }

    #[test]
    fn files_have_the_plural_of_the_kind() {
        assert_eq!(plural_of("FunctionMesh"), "functionmeshes");
        assert_eq!(plural_of("StatefulSet"), "statefulsets");
    }
}
