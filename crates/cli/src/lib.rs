//! `kubectl fmesh`: renders objects offline, before they are applied.

mod input;
mod output;
mod render;
mod schema;

use clap::{Parser, Subcommand};
use functionmesh_render::RenderArgs;
use input::Input;
use output::Output;
use render::Rendered;
use schema::Validation;
use std::io::Write;
use std::process::ExitCode;

/// Inspect Function Mesh objects.
#[derive(Parser)]
#[command(name = "kubectl-fmesh", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Render Functions, Sources, Sinks and FunctionMeshes to the Kubernetes objects that the controllers would apply.
    ///
    /// Manifests are read as by kubectl and validated against the schemas of the kinds. Objects of other kinds are
    /// ignored. BackendConfigs in the input apply as in the cluster: the global one by its name and namespace, the
    /// others to the objects in their namespace.
    #[command(after_help = EXAMPLES)]
    Render {
        #[command(flatten)]
        input: Input,
        /// Namespace for objects that do not set one.
        #[arg(short, long, default_value = "default")]
        namespace: String,
        /// How to treat unknown fields: `strict` rejects them as kubectl does, `warn` and `ignore` drop them.
        #[arg(long, default_value = "strict")]
        validate: Validation,
        /// Output format.
        #[arg(short, long, default_value = "yaml")]
        output: Output,
        /// Also print objects of other kinds, unchanged.
        #[arg(long)]
        show_others: bool,
        /// Also print the Job that removes subscriptions when an object is deleted. Do not apply it.
        #[arg(long)]
        include_cleanup: bool,
        /// Flags of the controllers that affect rendering.
        #[command(flatten)]
        operator: RenderArgs,
    },
}

const EXAMPLES: &str = "Examples:
  # Render a file
  kubectl fmesh render -f function.yaml

  # Render all manifests in a directory tree for a namespace
  kubectl fmesh render -f manifests/ -R -n production

  # Render a kustomization
  kubectl fmesh render -k overlays/production

  # List the images that would run
  kubectl fmesh render -f function.yaml -o json | jq -r '.items[].spec.template.spec.containers[]?.image'";

/// Runs the command. Exit codes: 0 for success, 1 for an invalid object, 2 for unreadable input.
pub fn run(cli: Cli) -> ExitCode {
    let Command::Render { input, namespace, validate, output, show_others, include_cleanup, operator } =
        cli.command;
    let read = input.objects().and_then(|objects| Ok((objects, operator.environment()?)));
    let (documents, environment) = match read {
        Ok(read) => read,
        Err(error) => return failed(&error),
    };
    let renderer = render::Renderer {
        environment,
        operator: &operator,
        include_cleanup,
        namespace,
        validate,
        show_others,
    };
    let Rendered { objects, notes, problems } = renderer.all(documents);
    for line in notes.iter().chain(&problems) {
        eprintln!("{line}");
    }
    if !problems.is_empty() {
        return ExitCode::from(1);
    }
    match output.text(&objects).and_then(|text| Ok(std::io::stdout().write_all(text.as_bytes())?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("{error:#}");
    ExitCode::from(2)
}
