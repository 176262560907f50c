//! `kubectl fmesh graph` and `check`: the flow of topics through components, and what is suspicious in it.

mod check;
mod draw;
mod flow;

use crate::cluster::kubectl::Connection;
use crate::cluster::target::{self, Scope};
use crate::input::Input;
use crate::render::{function_details, with_components};
use crate::terminal::print;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use flow::Component;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

/// Exit code when there are warnings.
const WARNED: u8 = 2;

/// Where the components come from: files, or the cluster.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    input: Input,
    /// Names of FunctionMeshes in the cluster; without files and names, all objects of the namespace.
    #[arg(value_name = "MESH", conflicts_with = "input")]
    meshes: Vec<String>,
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    cluster: Connection,
}

/// Form of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// <https://mermaid.js.org>, which GitHub and GitLab draw in Markdown.
    Mermaid,
    /// Graphviz.
    Dot,
    /// A picture, by the program `dot` of Graphviz.
    Svg,
}

impl Options {
    /// Prints the drawing on standard output and the warnings on standard error.
    ///
    /// # Errors
    /// When the input cannot be read or is invalid, or `dot` is missing.
    pub(crate) fn draw(&self, format: Format) -> Result<ExitCode> {
        let components = self.components()?;
        for warning in check::warnings(&components) {
            eprintln!("Warning: {warning}");
        }
        let text = match format {
            Format::Mermaid => draw::mermaid(&components),
            Format::Dot => draw::dot(&components),
            Format::Svg => svg(&draw::dot(&components))?,
        };
        print(text.trim_end())?;
        Ok(ExitCode::SUCCESS)
    }

    /// Prints the warnings alone: 0 when there are none, 2 when there are some.
    ///
    /// # Errors
    /// When the input cannot be read or is invalid.
    pub(crate) fn check(&self) -> Result<ExitCode> {
        let warnings = check::warnings(&self.components()?);
        for warning in &warnings {
            print(warning)?;
        }
        Ok(if warnings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(WARNED) })
    }

    fn components(&self) -> Result<Vec<Component>> {
        let (mut components, mut problems) = (Vec::new(), Vec::new());
        for object in self.objects()? {
            match function_details(&object) {
                Ok(Some(details)) => components.push(Component::of(&object, &details)),
                Ok(None) => {}
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            bail!("{}", problems.join("\n"));
        }
        Ok(components)
    }

    /// Functions, Sources and Sinks, those of meshes included.
    fn objects(&self) -> Result<Vec<Value>> {
        if self.input.is_given() {
            let namespace = self.scope.namespace.as_deref().unwrap_or("default");
            return Ok(self
                .input
                .objects()?
                .into_iter()
                .flat_map(|object| with_components(object, namespace))
                .collect());
        }
        let kinds = if self.meshes.is_empty() {
            target::component_kinds()
        } else {
            target::resource("functionmesh")?
        };
        let mut words = vec![kinds.as_str()];
        words.extend(self.meshes.iter().map(String::as_str));
        words.extend(self.scope.words());
        let found = self.cluster.objects(&words)?;
        Ok(found.into_iter().flat_map(|object| with_components(object, "default")).collect())
    }
}

/// Has `dot` make a picture.
fn svg(graph: &str) -> Result<String> {
    let mut dot = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run `dot`; install Graphviz, or use --output mermaid")?;
    if let Some(mut stdin) = dot.stdin.take() {
        stdin.write_all(graph.as_bytes())?;
    }
    let done = dot.wait_with_output()?;
    if !done.status.success() {
        bail!("dot failed: {}", done.status);
    }
    String::from_utf8(done.stdout).context("dot printed no UTF-8")
}
