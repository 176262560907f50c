//! `kubectl fmesh version`: releases of the plugin, of the CustomResourceDefinitions and of the controllers.

use crate::cluster::controllers::{Controller, Make};
use crate::cluster::kubectl::Connection;
use crate::cluster::parallel::each;
use crate::definitions::{missing_fields, names};
use crate::output::Format;
use crate::terminal::{fitted, plural, print};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the version of the plugin alone, without a request.
    #[arg(long)]
    client: bool,
    /// Output format; text by default.
    #[arg(short, long)]
    output: Option<Format>,
    #[command(flatten)]
    cluster: Connection,
}

/// This release.
pub(crate) const CLIENT: &str = env!("CARGO_PKG_VERSION");

impl Options {
    /// Runs the command.
    ///
    /// # Errors
    /// Never because of the cluster: what cannot be read is said.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let versions =
            if self.client { json!({"client": {"version": CLIENT}}) } else { versions(&self.cluster) };
        match self.output {
            Some(format) => print(&format.text(&versions)?)?,
            None => print(text(&versions).trim_end())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// All versions, as JSON. What cannot be read has an `error` in its place.
pub(crate) fn versions(cluster: &Connection) -> Value {
    let names = names();
    let definitions: Vec<&str> = std::iter::once("customresourcedefinitions.apiextensions.k8s.io")
        .chain(names.iter().map(String::as_str))
        .collect();
    let calls = [definitions, vec!["deployments.apps", "--all-namespaces"]];
    let mut answers = each(&calls, calls.len(), |words| cluster.existing(words)).into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Ok(Vec::new()));
    let definitions = match next() {
        Ok(found) => names.iter().map(|name| definition(name, &found)).collect(),
        Err(error) => json!({"error": format!("{error:#}")}),
    };
    let controllers = match next() {
        Ok(found) => found.iter().filter_map(controller).collect(),
        Err(error) => json!({"error": format!("{error:#}")}),
    };
    let server = match cluster.raw("/version") {
        Ok(answer) => serde_json::from_str::<Value>(&answer)
            .ok()
            .and_then(|mut version| version.get_mut("gitVersion").map(Value::take))
            .unwrap_or_default(),
        Err(error) => json!({"error": format!("{error:#}")}),
    };
    json!({"client": {"version": CLIENT}, "kubernetes": server, "definitions": definitions, "controllers": controllers})
}

fn definition(name: &str, found: &[Value]) -> Value {
    let installed = found.iter().find(|d| d.pointer("/metadata/name").and_then(Value::as_str) == Some(name));
    let missing = installed.map(missing_fields);
    json!({"name": name, "installed": installed.is_some(), "missingFields": missing})
}

fn controller(deployment: &Value) -> Option<Value> {
    let controller = Controller::of(deployment)?;
    let label =
        deployment.pointer("/metadata/labels").and_then(|l| l.get("app.kubernetes.io/version")?.as_str());
    // The image is what runs; the label is of the chart.
    let path = controller.image.split('@').next().unwrap_or_default();
    let tag = path.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(_, tag)| tag);
    let ready = deployment.pointer("/status/readyReplicas").and_then(Value::as_i64).unwrap_or_default();
    let operator = if controller.make == Make::Go { "Go" } else { "Rust" };
    Some(
        json!({"namespace": controller.namespace, "name": controller.name, "operator": operator, "image": controller.image,
        "version": tag.or(label), "chart": label, "replicas": controller.replicas, "readyReplicas": ready}),
    )
}

fn text(versions: &Value) -> String {
    let mut text = format!("Plugin       {CLIENT}\n");
    let list = |field: &str| versions.get(field).and_then(Value::as_array);
    if let Some(server) = versions.get("kubernetes") {
        let _ = writeln!(text, "Kubernetes   {}", text_of(server));
    }
    match list("definitions") {
        Some(definitions) => {
            for definition in definitions {
                let state = match definition["missingFields"].as_array() {
                    None => "not installed".to_owned(),
                    Some(missing) if missing.is_empty() => "has all fields of this release".to_owned(),
                    Some(missing) => format!("older: lacks {}", plural(missing.len(), "field")),
                };
                let _ = writeln!(
                    text,
                    "CRD          {} {state}",
                    definition["name"].as_str().unwrap_or_default()
                );
            }
        }
        None => text.push_str(&unknown("CRDs", versions.get("definitions"))),
    }
    match list("controllers") {
        Some(controllers) if controllers.is_empty() => text.push_str("Controllers  none\n"),
        Some(controllers) => {
            for one in controllers {
                let word = |field: &str| one[field].as_str().unwrap_or("unknown");
                let go = if one["operator"] == "Go" { ", the Go operator" } else { "" };
                let _ = writeln!(
                    text,
                    "Controller   {}/{} {} ({}/{} ready{go})",
                    word("namespace"),
                    word("name"),
                    word("version"),
                    one["readyReplicas"],
                    one["replicas"]
                );
            }
        }
        None => text.push_str(&unknown("Controllers", versions.get("controllers"))),
    }
    text
}

fn unknown(what: &str, value: Option<&Value>) -> String {
    value.map(|value| fitted(&format!("{what:12} {}", text_of(value))) + "\n").unwrap_or_default()
}

fn text_of(value: &Value) -> String {
    match value.get("error").and_then(Value::as_str) {
        Some(error) => format!("unknown: {}", error.lines().next().unwrap_or_default()),
        None => value.as_str().unwrap_or("unknown").to_owned(),
    }
}
