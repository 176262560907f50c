//! `kubectl fmesh status`: meshes, components, their StatefulSets, pods and autoscalers, and what is wrong with them.

mod children;
mod node;
mod tree;

use crate::cluster::item::Item;
use crate::cluster::kubectl::Connection;
use crate::cluster::target::{self, Scope, components_of};
use crate::output;
use crate::terminal::plural;
use anyhow::{Result, bail};
use children::Children;
use clap::{Args, ValueEnum};
use node::Node;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tree::tree;

/// Exit code while something is not ready.
const NOT_READY: u8 = 3;
/// Time between two looks with --watch.
const INTERVAL: Duration = Duration::from_secs(2);

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct Options {
    /// Kind of the objects (function, source, sink, functionmesh, or a short name); all kinds by default.
    kind: Option<String>,
    /// Name of the object; its whole tree is shown.
    name: Option<String>,
    /// Label selector.
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "name")]
    selector: Option<String>,
    #[command(flatten)]
    scope: Scope,
    /// Redraw until interrupted.
    #[arg(short, long)]
    watch: bool,
    /// Output format; a tree for a named object, else a line for each object.
    #[arg(short, long)]
    output: Option<Format>,
    #[command(flatten)]
    cluster: Connection,
}

/// Formats besides text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The whole tree of each object.
    Wide,
    /// One JSON document.
    Json,
    /// The same as YAML.
    Yaml,
}

impl Format {
    /// The format of the report for programs, if that is wanted.
    fn report(self) -> Option<output::Format> {
        match self {
            Self::Wide => None,
            Self::Json => Some(output::Format::Json),
            Self::Yaml => Some(output::Format::Yaml),
        }
    }
}

impl Options {
    /// Runs the command: 0 when everything that is shown is ready, 3 when something is not.
    ///
    /// # Errors
    /// When kubectl is missing or fails.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        loop {
            let objects = self.read()?;
            let text = self.text(&objects)?;
            crate::terminal::progress("");
            let mut stdout = std::io::stdout();
            if self.watch && stdout.is_terminal() {
                // From the first line and column, without what was there.
                write!(stdout, "\x1b[H\x1b[2J")?;
            }
            stdout.write_all(text.as_bytes())?;
            stdout.flush()?;
            if !self.watch {
                let is_ready = objects.iter().all(|(item, _)| item.is_ready());
                return Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::from(NOT_READY) });
            }
            std::thread::sleep(INTERVAL);
        }
    }

    /// The objects that are asked for, each with the components that are shown below it.
    fn read(&self) -> Result<Vec<(Item, Vec<Item>)>> {
        let kinds = match &self.kind {
            Some(kind) if kind.contains('/') => bail!("{kind:?}: write the kind and the name as two words"),
            Some(kind) => kind.split(',').map(target::resource).collect::<Result<Vec<_>>>()?.join(","),
            None => target::all_kinds(),
        };
        let selector = self.selector.as_ref().map(|labels| format!("--selector={labels}"));
        let mut words = vec![kinds.as_str()];
        words.extend(self.name.as_deref());
        words.extend(self.scope.words());
        words.extend(selector.as_deref());
        let found: Vec<Item> = self.cluster.objects(&words)?.into_iter().map(Item::of).collect();
        let meshes: Vec<&Item> = found.iter().filter(|item| item.is_mesh()).collect();
        let mut below: Vec<(Item, Vec<Item>)> = Vec::new();
        for item in &found {
            if item.is_mesh() && self.name.is_some() {
                below.push((item.clone(), components_of(item, &self.cluster)?));
            } else if item.is_mesh() {
                let owned = found.iter().filter(|other| item.owns(&other.object));
                below.push((item.clone(), owned.cloned().collect()));
            } else if !meshes.iter().any(|mesh| mesh.owns(&item.object)) {
                below.push((item.clone(), Vec::new()));
            }
        }
        Ok(below)
    }

    fn text(&self, objects: &[(Item, Vec<Item>)]) -> Result<String> {
        let report = self.output.and_then(Format::report);
        if objects.is_empty() && report.is_none() {
            eprintln!("No Function, Source, Sink or FunctionMesh found.");
            return Ok(String::new());
        }
        let is_deep = self.name.is_some() || self.output.is_some();
        let children = if is_deep { self.children(objects)? } else { Children::default() };
        let trees: Vec<Node> = objects.iter().map(|(item, below)| tree(item, below, &children)).collect();
        if let Some(format) = report {
            let items: Vec<Value> = trees.iter().map(Node::json).collect();
            let document =
                json!({"apiVersion": "cli.functionmesh.io/v1", "kind": "StatusReport", "items": items});
            return Ok(format.text(&document)? + "\n");
        }
        let mut text: String = trees
            .iter()
            .map(|tree| tree.text(is_deep))
            .collect::<Vec<_>>()
            .join(if is_deep { "\n" } else { "" });
        if self.name.is_none() {
            let ready = objects.iter().filter(|(item, _)| item.is_ready()).count();
            writeln!(text, "\n{ready} of {} ready", plural(objects.len(), "object"))?;
        }
        Ok(text)
    }

    /// What belongs to the objects, read at once.
    fn children(&self, objects: &[(Item, Vec<Item>)]) -> Result<Children> {
        let mut words = vec!["statefulsets.apps,pods,horizontalpodautoscalers.autoscaling"];
        let namespace = objects.first().map(|(item, _)| item.namespace.clone()).unwrap_or_default();
        if self.scope.all_namespaces {
            words.push("--all-namespaces");
        } else {
            words.extend(["--namespace", namespace.as_str()]);
        }
        let one = objects.first().filter(|(item, _)| objects.len() == 1 && !item.is_mesh());
        let label = match one {
            Some((item, _)) => {
                format!("--selector={}={}", functionmesh_api::constants::LABEL_NAME, item.name)
            }
            None => format!("--selector={}", functionmesh_api::constants::LABEL_NAME),
        };
        words.push(&label);
        Ok(Children::new(self.cluster.objects(&words)?))
    }
}
