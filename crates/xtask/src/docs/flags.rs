//! The page on flags, from the command lines themselves.

use super::markdown::{Table, code};
use super::page::Page;
use clap::{Arg, Args, Command, CommandFactory};
use functionmesh_controller::ComponentArgs;
use functionmesh_runtime::args::{ProcessArgs, WatchArgs};
use std::fmt::Write;

/// The page.
pub(super) fn page() -> Page {
    let watch = arguments::<WatchArgs>();
    let mut render = arguments::<ComponentArgs>();
    render.retain(|argument| watch.iter().all(|other| other.get_id() != argument.get_id()));
    let sections = [
        (
            "Every controller",
            "`function-controller`, `source-controller`, `sink-controller` and `mesh-controller`: the process and its \
             Lease.",
            table(&arguments::<ProcessArgs>()),
        ),
        ("Watched objects", "Every controller: which objects it reconciles.", table(&watch)),
        (
            "Rendering",
            "`function-controller`, `source-controller` and `sink-controller`, and `kubectl fmesh render`, which renders \
             offline with the same flags.",
            table(&render),
        ),
        (
            "kubectl fmesh render",
            "Besides the flags for rendering: input and output.",
            table(&offline(&render)),
        ),
    ];
    let mut body = "Each flag can also be set by an environment variable; the flag takes precedence. The Helm chart sets the \
                    variables. Boolean flags take a value, as in `--leader-elect=false`; without one they are true. Outside of \
                    a cluster, the API server is taken from `KUBECONFIG`.\n"
        .to_owned();
    for (heading, intro, table) in sections {
        let _ = write!(body, "\n## {heading}\n\n{intro}\n\n{table}");
    }
    Page {
        file: "flags.md".to_owned(),
        title: "Flags".to_owned(),
        summary: "Flags and environment variables of the controllers and of `kubectl fmesh render`."
            .to_owned(),
        body,
    }
}

/// The arguments of a group, in the order of `--help`.
fn arguments<A: Args>() -> Vec<Arg> {
    A::augment_args(Command::new("")).get_arguments().cloned().collect()
}

/// The arguments of `kubectl fmesh render` that the controllers do not have.
fn offline(shared: &[Arg]) -> Vec<Arg> {
    let cli = kubectl_fmesh::Cli::command();
    let own = cli.find_subcommand("render").into_iter().flat_map(Command::get_arguments);
    own.filter(|argument| shared.iter().all(|other| other.get_id() != argument.get_id())).cloned().collect()
}

fn table(arguments: &[Arg]) -> Table {
    let mut table = Table::new(&["Flag", "Environment variable", "Default", "Description"]);
    for argument in arguments {
        let names = argument.get_long().into_iter().map(str::to_owned);
        let names =
            names.chain(argument.get_visible_aliases().unwrap_or_default().into_iter().map(str::to_owned));
        let names: Vec<String> = names.map(|name| code(&format!("--{name}"))).collect();
        let variable = argument.get_env().map(|name| code(&name.to_string_lossy())).unwrap_or_default();
        let defaults: Vec<String> = argument
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy().into_owned())
            .filter(|value| !value.is_empty())
            .map(|value| code(&value))
            .collect();
        let mut meaning = argument.get_help().map(ToString::to_string).unwrap_or_default();
        if !meaning.ends_with('.') {
            meaning.push('.');
        }
        let values: Vec<String> =
            argument.get_possible_values().iter().map(|value| code(value.get_name())).collect();
        if !values.is_empty() && values != ["`true`", "`false`"] {
            let _ = write!(meaning, " One of {}.", values.join(", "));
        }
        table.row([names.join(", "), variable, defaults.join(", "), meaning]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use functionmesh_render::RenderArgs;

    #[test]
    fn every_flag_of_every_group_has_a_row() {
        let body = page().body;
        let groups = [arguments::<ProcessArgs>(), arguments::<ComponentArgs>(), arguments::<RenderArgs>()];
        for argument in groups.iter().flatten() {
            let start = format!("| `--{}`", argument.get_long().unwrap());
            assert_eq!(body.lines().filter(|line| line.starts_with(&start)).count(), 1, "{start}");
            assert!(argument.get_env().is_some(), "{start}: no environment variable");
        }
        let row = "| `--lease-duration` | `LEASE_DURATION` | `15` |";
        assert!(body.contains(row), "{body}");
        assert!(body.contains("One of `json`, `text`."));
    }
}
