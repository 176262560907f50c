//! `kubectl fmesh`: shows what an object becomes, before it is applied and without a cluster.

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

/// Looks at Function Mesh objects.
#[derive(Parser)]
#[command(name = "kubectl-fmesh", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print every object that Functions, Sources, Sinks and FunctionMeshes become, in the order in which they are applied.
    ///
    /// Manifests are read as kubectl reads them, and compared with the schemas of the kinds. Objects of other kinds are passed
    /// over. BackendConfigs among the input count as they do in the cluster: the global one by its name and namespace, the
    /// others for the objects of their namespace.
    #[command(after_help = EXAMPLES)]
    Render {
        #[command(flatten)]
        input: Input,
        /// Namespace of objects that name none.
        #[arg(short, long, default_value = "default")]
        namespace: String,
        /// What happens to fields that no schema has: `strict` refuses them as kubectl does, `warn` and `ignore` drop them.
        #[arg(long, default_value = "strict")]
        validate: Validation,
        /// Form of the output.
        #[arg(short, long, default_value = "yaml")]
        output: Output,
        /// Print objects of other kinds as well, as they are.
        #[arg(long)]
        show_others: bool,
        /// Print the Job as well that removes subscriptions once an object is deleted. Do not apply it before.
        #[arg(long)]
        include_cleanup: bool,
        /// What the controllers are started with.
        #[command(flatten)]
        operator: RenderArgs,
    },
}

const EXAMPLES: &str = "Examples:
  # What a file becomes
  kubectl fmesh render -f function.yaml

  # All manifests of a folder, in the namespace in which they will be applied
  kubectl fmesh render -f manifests/ -R -n production

  # A kustomization
  kubectl fmesh render -k overlays/production

  # The images that would run
  kubectl fmesh render -f function.yaml -o json | jq -r '.items[].spec.template.spec.containers[]?.image'";

/// Runs the command: 0 when all is well, 1 when an object is invalid, 2 when the input cannot be read.
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
