//! The texts of `--help`: all of them, as they are printed.

use clap::CommandFactory;
use std::fmt::Write as _;

#[test]
fn every_command_has_examples_and_its_text_is_reviewed() {
    let mut root = kubectl_fmesh::Cli::command();
    root.build();
    let mut text = format!("{}\n", root.render_long_help());
    let names: Vec<String> = root
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for name in names.iter().filter(|name| *name != "help") {
        let help = root.find_subcommand_mut(name).unwrap().render_long_help().to_string();
        assert!(help.contains("Examples:\n  # "), "{name} has no examples");
        for line in help.lines() {
            assert!(!line.ends_with(' ') || line.trim().is_empty(), "{name}: {line:?}");
        }
        write!(text, "\n==== kubectl fmesh {name} --help ====\n\n{help}\n").unwrap();
    }
    insta::assert_snapshot!(text);
}
