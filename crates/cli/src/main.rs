//! `kubectl fmesh`: shows what an object becomes, before it is applied and without a cluster.

mod documents;
mod render;

use clap::{Parser, Subcommand, ValueEnum};
use functionmesh_render::Environment;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Looks at Function Mesh objects.
#[derive(Parser)]
#[command(name = "kubectl-fmesh", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print every object that Functions, Sources, Sinks and FunctionMeshes become, in the order in which they are applied.
    Render {
        /// File with one or more objects; `-` reads standard input. May be given several times.
        #[arg(short, long = "filename", required = true)]
        file: Vec<PathBuf>,
        /// Form of the output.
        #[arg(short, long, default_value = "yaml")]
        output: Output,
        /// As the controllers' flag of this name.
        #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
        add_default_affinity: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// One document for each object.
    Yaml,
    /// One List.
    Json,
}

/// 0 when all is well, 1 when an object is invalid, 2 when the input cannot be read.
fn main() -> ExitCode {
    let Command::Render { file, output, add_default_affinity } = Cli::parse().command;
    let documents = match documents::read(&file) {
        Ok(documents) => documents,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(2);
        }
    };
    let environment = Environment { add_default_affinity, ..Environment::default() };
    let mut objects = Vec::new();
    let mut problems = Vec::new();
    for document in &documents {
        match render::render(document, &environment) {
            Ok(rendered) => objects.extend(rendered),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        for problem in problems {
            eprintln!("{problem}");
        }
        return ExitCode::from(1);
    }
    let text = match output {
        Output::Yaml => documents::yaml(&objects),
        Output::Json => documents::json(&objects),
    };
    match text.and_then(|text| Ok(std::io::stdout().write_all(text.as_bytes())?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}
