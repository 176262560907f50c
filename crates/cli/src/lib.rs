//! `kubectl fmesh`: shows what an object becomes, before it is applied and without a cluster.

mod documents;
mod render;

use clap::{Parser, Subcommand, ValueEnum};
use functionmesh_render::args::RenderArgs;
use std::io::Write;
use std::path::PathBuf;
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
    /// BackendConfigs among the input count as they do in the cluster: the global one by its name and namespace, the
    /// others for the objects of their namespace.
    Render {
        /// File with one or more objects; `-` reads standard input. May be given several times.
        #[arg(short, long = "filename", required = true)]
        file: Vec<PathBuf>,
        /// Form of the output.
        #[arg(short, long, default_value = "yaml")]
        output: Output,
        /// Print the Job as well that removes subscriptions once an object is deleted. Do not apply it before.
        #[arg(long)]
        include_cleanup: bool,
        /// What the controllers are started with.
        #[command(flatten)]
        operator: RenderArgs,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// One document for each object.
    Yaml,
    /// One List.
    Json,
}

/// Runs the command: 0 when all is well, 1 when an object is invalid, 2 when the input cannot be read.
pub fn run(cli: Cli) -> ExitCode {
    let Command::Render { file, output, include_cleanup, operator } = cli.command;
    let input = documents::read(&file).and_then(|documents| Ok((documents, operator.environment()?)));
    let (documents, environment) = match input {
        Ok(input) => input,
        Err(error) => return failed(&error),
    };
    let renderer = render::Renderer { environment, operator: &operator, include_cleanup };
    let objects = match renderer.all(&documents) {
        Ok(objects) => objects,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            return ExitCode::from(1);
        }
    };
    let text = match output {
        Output::Yaml => documents::yaml(&objects),
        Output::Json => documents::json(&objects),
    };
    match text.and_then(|text| Ok(std::io::stdout().write_all(text.as_bytes())?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("{error:#}");
    ExitCode::from(2)
}
