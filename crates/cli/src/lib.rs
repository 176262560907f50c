//! `kubectl fmesh`: renders objects offline, predicts what an apply restarts, and shows and approves what is in a cluster.

mod age;
mod cluster;
mod complete;
mod definitions;
mod doctor;
mod examples;
mod graph;
mod input;
mod logs;
mod output;
mod plan;
mod render;
mod report;
mod rollout;
mod schema;
mod status;
mod terminal;
mod top;
mod version;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use examples::{
    APPROVE, CHECK, COMPLETION, DOCTOR, GRAPH, LOGS, PAUSE, PLAN, RECREATE, RENDER, REPORT, RESTART, RESUME,
    STATUS, TOP, VERSION,
};
use functionmesh_render::RenderArgs;
use input::Input;
use output::Output;
use render::Rendered;
use rollout::Verb;
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
    #[command(after_help = RENDER)]
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
    /// Show which pods an apply will restart, and why, without changing anything.
    ///
    /// Exit code 0 when no pod restarts, 2 when some do, 1 when something is refused or on an error.
    #[command(after_help = PLAN)]
    Plan(plan::Options),
    /// Show whether objects are ready, why not, and what to do; a named object with its StatefulSet, pods and autoscaler.
    ///
    /// Exit code 0 when everything shown is ready, 3 when something is not, 1 on an error.
    #[command(after_help = STATUS)]
    Status(status::Options),
    /// Approve updates that wait, after showing what they change.
    #[command(after_help = APPROVE)]
    Approve(rollout::Options),
    /// Recreate StatefulSets for changes of fields that cannot change, after showing them. The pods keep running.
    #[command(after_help = RECREATE)]
    Recreate(rollout::Options),
    /// Pause rollouts that do not come from an object's own spec.
    #[command(after_help = PAUSE)]
    Pause(rollout::Options),
    /// Resume rollouts that were paused.
    #[command(after_help = RESUME)]
    Resume(rollout::Options),
    /// Restart the pods of objects, one after another in each StatefulSet. What waits for approval goes on waiting.
    #[command(after_help = RESTART)]
    Restart(rollout::Options),
    /// Find what is wrong, or will be soon, and does not show in a status.
    ///
    /// Examined are credentials that expire, ConfigMaps and Secrets that are missing or newer than the pods that read them, runner
    /// images of another Pulsar line than the broker, objects without a controller or with two, and CustomResourceDefinitions.
    ///
    /// Exit code 0 when nothing is found, 2 when something is, 1 on an error.
    #[command(after_help = DOCTOR)]
    Doctor(doctor::Options),
    /// Draw the flow of topics through components; warnings go to standard error.
    #[command(after_help = GRAPH)]
    Graph {
        #[command(flatten)]
        options: graph::Options,
        /// Output format.
        #[arg(short, long, default_value = "mermaid")]
        output: graph::Format,
    },
    /// Print what is suspicious in the flow of topics: cycles, misspelt topics, shared subscriptions.
    ///
    /// Exit code 0 without warnings, 2 with some, 1 on an error.
    #[command(after_help = CHECK)]
    Check(graph::Options),
    /// Print the logs of the instances, each line with the name of its pod.
    #[command(after_help = LOGS)]
    Logs(logs::Options),
    /// Show what the instances process: rates, latency, exceptions, last invocation, memory.
    ///
    /// The numbers come from the instances' own metrics, through the API server's proxy to their pods.
    #[command(after_help = TOP)]
    Top(top::Options),
    /// Collect what a bug report needs, without secrets.
    ///
    /// That are objects, pods, Events, controllers with logs and metrics, and versions.
    ///
    /// Secrets and ConfigMaps are not read. Values of environment variables, configuration of programs and connectors, and
    /// command lines are removed, also where logs and Events quote them.
    #[command(after_help = REPORT)]
    Report(report::Options),
    /// Print the releases of the plugin, of the CustomResourceDefinitions and of the controllers.
    #[command(after_help = VERSION)]
    Version(version::Options),
    /// Print the completion of `kubectl-fmesh` for a shell.
    #[command(after_help = COMPLETION)]
    Completion {
        /// The shell.
        shell: Shell,
    },
    /// Candidates for `kubectl fmesh`, as kubectl asks for them.
    #[command(name = "__complete", hide = true)]
    Complete {
        /// The words after `kubectl fmesh`; the last one is to be completed.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

/// Shells that complete words.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Runs the command. Exit codes: 0 for success, 1 for an invalid object, 2 for unreadable input.
pub fn run(cli: Cli) -> ExitCode {
    let Command::Render { input, namespace, validate, output, show_others, include_cleanup, operator } =
        cli.command
    else {
        return in_cluster(cli.command);
    };
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

/// The commands that look at a cluster.
fn in_cluster(command: Command) -> ExitCode {
    // The others print from the first moment on.
    if !matches!(command, Command::Logs(_) | Command::Completion { .. } | Command::Complete { .. }) {
        terminal::show_progress("waiting for the API server");
    }
    let done = match command {
        Command::Render { .. } => Ok(ExitCode::SUCCESS),
        Command::Plan(options) => options.run(),
        Command::Status(options) => options.run(),
        Command::Approve(options) => Verb::Approve.run(&options),
        Command::Recreate(options) => Verb::Recreate.run(&options),
        Command::Pause(options) => Verb::Pause.run(&options),
        Command::Resume(options) => Verb::Resume.run(&options),
        Command::Restart(options) => Verb::Restart.run(&options),
        Command::Doctor(options) => options.run(),
        Command::Graph { options, output } => options.draw(output),
        Command::Check(options) => options.check(),
        Command::Logs(options) => options.run(),
        Command::Top(options) => options.run(),
        Command::Report(options) => options.run(),
        Command::Version(options) => options.run(),
        Command::Completion { shell } => completion(shell),
        Command::Complete { words } => {
            terminal::print(complete::candidates(&words, &Cli::command()).trim_end())
                .map(|()| ExitCode::SUCCESS)
        }
    };
    terminal::progress("");
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Prints the script that completes the words after `kubectl-fmesh` in a shell.
fn completion(shell: Shell) -> anyhow::Result<ExitCode> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kubectl-fmesh", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("{error:#}");
    ExitCode::from(2)
}
