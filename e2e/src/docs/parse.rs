//! Shell blocks of a page, and how they are tested.

use anyhow::{Result, bail};

/// Languages of blocks that a reader types.
const SHELL: [&str; 4] = ["sh", "bash", "shell", "console"];
const OPEN: &str = "<!-- test:";
/// The value of a mark that is no placeholder.
const EXIT: &str = "exit";

/// How a block is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Executed on an API server without nodes, and on a cluster.
    Api,
    /// Executed on a cluster only.
    Cluster,
    /// Not executed, for a reason.
    None(String),
    /// The content of a file of this name.
    File(String),
}

/// Where hidden commands run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On an API server and on a cluster.
    Everywhere,
    /// On an API server without nodes only.
    Api,
    /// On a cluster only.
    Cluster,
}

/// What a page says, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A block, with the line on which it begins.
    Block {
        /// Line of the fence.
        line: usize,
        /// How it is tested.
        mark: Mark,
        /// Whether lines that begin with `$ ` are commands and the others are output.
        console: bool,
        /// Exit status of each command.
        exit: i32,
        /// Text, with placeholders replaced.
        text: String,
    },
    /// Commands that no reader sees.
    Setup {
        /// Line of the comment.
        line: usize,
        /// Where they run.
        scope: Scope,
        /// Commands.
        text: String,
    },
    /// The controllers begin to run (true) or end.
    Controllers(bool),
}

impl Step {
    /// Whether this is a block of the page that a test executes.
    pub fn is_executed(&self) -> bool {
        matches!(self, Self::Block { mark: Mark::Api | Mark::Cluster, .. })
    }

    /// Whether there is something to do on an API server without nodes.
    pub fn is_for_api(&self) -> bool {
        matches!(self, Self::Block { mark: Mark::Api, .. })
    }
}

/// A command of a block, and the output that the page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// One or more lines of shell.
    pub script: String,
    /// Lines of output; nothing is compared when there are none.
    pub output: Vec<String>,
}

/// A mark with its replacements.
struct Pending {
    mark: Mark,
    values: Vec<(String, String)>,
    exit: i32,
}

/// Reads a page.
///
/// # Errors
/// With all lines that are wrong: shell blocks without a mark, unknown marks, marks without a block.
pub(super) fn steps(text: &str) -> Result<Vec<Step>> {
    let (mut steps, mut wrong) = (Vec::new(), Vec::new());
    let mut pending: Option<Pending> = None;
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        if let Some(rest) = line.trim_start().strip_prefix(OPEN) {
            let rest = rest.trim();
            if let Some(words) = rest.strip_prefix("setup") {
                let indent = line.len() - line.trim_start().len();
                let body: Vec<&str> = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| line.trim() != "-->")
                    .map(|line| line.get(indent..).unwrap_or_default())
                    .collect();
                match scope(words.trim()) {
                    Some(scope) => steps.push(Step::Setup { line: number, scope, text: body.join("\n") }),
                    None => wrong.push(format!("{number}: unknown scope {words:?}")),
                }
                continue;
            }
            let Some(rest) = rest.strip_suffix("-->").map(str::trim) else {
                wrong.push(format!("{number}: the mark does not end on its line"));
                continue;
            };
            match rest {
                "controllers start" => steps.push(Step::Controllers(true)),
                "controllers stop" => steps.push(Step::Controllers(false)),
                _ => match mark(rest) {
                    Some(found) => pending = Some(found),
                    None => wrong.push(format!("{number}: unknown mark {rest:?}")),
                },
            }
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let Some(fence) = line.trim_start().strip_prefix("```") else {
            if pending.take().is_some() && !line.trim().is_empty() {
                wrong.push(format!("{number}: a mark stands before something that is not a block"));
            }
            continue;
        };
        let language = fence.trim().to_owned();
        // A block in a list is indented as a whole.
        let strip = |line: &str| line.get(indent..).map_or_else(String::new, str::to_owned);
        let body: Vec<String> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").map(strip).collect();
        let (shell, found) = (SHELL.contains(&language.as_str()), pending.take());
        match found {
            Some(Pending { mark, values, exit }) => {
                if !shell && !matches!(mark, Mark::File(_)) {
                    wrong.push(format!("{number}: a block of {language:?} cannot be executed"));
                }
                let text = replace(&(body.join("\n") + "\n"), &values);
                steps.push(Step::Block { line: number, mark, console: language == "console", exit, text });
            }
            None if shell => {
                wrong.push(format!("{number}: a shell block without a mark, see e2e/src/docs.rs"));
            }
            None => {}
        }
    }
    if wrong.is_empty() { Ok(steps) } else { bail!("line {}", wrong.join("\nline ")) }
}

fn scope(words: &str) -> Option<Scope> {
    match words {
        "" => Some(Scope::Everywhere),
        "api" => Some(Scope::Api),
        "cluster" => Some(Scope::Cluster),
        _ => None,
    }
}

fn mark(text: &str) -> Option<Pending> {
    if let Some(reason) = text.strip_prefix("none:") {
        let reason = reason.trim();
        return (!reason.is_empty()).then(|| Pending {
            mark: Mark::None(reason.to_owned()),
            values: Vec::new(),
            exit: 0,
        });
    }
    let mut words = text.split_whitespace();
    let mark = match words.next()? {
        "api" => Mark::Api,
        "cluster" => Mark::Cluster,
        "file" => Mark::File(words.next()?.to_owned()),
        _ => return None,
    };
    let pair = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut values = words.map(pair).collect::<Option<Vec<_>>>()?;
    let exit = match values.iter().position(|(name, _)| name == EXIT) {
        Some(index) => values.remove(index).1.parse().ok()?,
        None => 0,
    };
    Some(Pending { mark, values, exit })
}

/// Replaces whole words.
fn replace(text: &str, values: &[(String, String)]) -> String {
    let mut result = text.to_owned();
    for (name, value) in values {
        let (mut done, mut rest) = (String::new(), result.as_str());
        while let Some((before, after)) = rest.split_once(name.as_str()) {
            let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let whole = !before.ends_with(part) && !after.starts_with(part);
            done.push_str(before);
            done.push_str(if whole { value } else { name });
            rest = after;
        }
        done.push_str(rest);
        result = done;
    }
    result
}

/// The commands of a block with output.
pub(super) fn console(text: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(Command { script: command.to_owned(), output: Vec::new() });
            open = command.ends_with('\\');
        } else if let Some(last) = commands.last_mut() {
            if open {
                last.script.push('\n');
                last.script.push_str(line);
                open = line.ends_with('\\');
            } else {
                last.output.push(line.to_owned());
            }
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(step: &Step) -> (&Mark, &str) {
        match step {
            Step::Block { mark, text, .. } => (mark, text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_shell_block_needs_a_mark() {
        let error = steps("a\n\n```sh\nls\n```\n").unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("without a mark"), "{error}");
        assert!(steps("```yaml\na: b\n```\n").unwrap().is_empty());
    }

    #[test]
    fn marks_are_read() {
        let text = "<!-- test: api NAME=f -->\n```sh\nget NAME NAMESPACE\n```\n<!-- test: none: needs Docker -->\n```sh\nx\n```\n\
            <!-- test: file a.yaml -->\n```yaml\na: b\n```\n";
        let steps = steps(text).unwrap();
        let read: Vec<_> = steps.iter().map(block).collect();
        assert_eq!(read[0], (&Mark::Api, "get f NAMESPACE\n"));
        assert_eq!(read[1], (&Mark::None("needs Docker".to_owned()), "x\n"));
        assert_eq!(read[2], (&Mark::File("a.yaml".to_owned()), "a: b\n"));
    }

    #[test]
    fn a_block_can_have_another_exit_status() {
        let text = "<!-- test: api NAME=f exit=2 -->\n```sh\nplan NAME exit\n```\n";
        let steps = steps(text).unwrap();
        assert_eq!(block(&steps[0]), (&Mark::Api, "plan f exit\n"));
        assert!(matches!(&steps[0], Step::Block { exit: 2, .. }));
    }

    #[test]
    fn what_is_not_a_mark_is_refused() {
        for text in [
            "<!-- test: sometimes -->\n```sh\nx\n```\n",
            "<!-- test: none: -->\n```sh\nx\n```\n",
            "<!-- test: api -->\ntext\n",
            "<!-- test: api exit=some -->\n```sh\nx\n```\n",
            "<!-- test: api -->\n```yaml\na: b\n```\n",
            "<!-- test: setup here\nx\n-->\n",
        ] {
            assert!(steps(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hidden_commands_and_controllers_are_steps() {
        let text = "<!-- test: setup api\na\nb\n-->\n<!-- test: controllers start -->\n";
        let expected =
            [Step::Setup { line: 1, scope: Scope::Api, text: "a\nb".to_owned() }, Step::Controllers(true)];
        assert_eq!(steps(text).unwrap(), expected);
    }

    #[test]
    fn a_block_in_a_list_loses_its_indent() {
        let steps = steps("1. a\n\n   <!-- test: api -->\n   ```sh\n   ls\n     -l\n   ```\n").unwrap();
        assert_eq!(block(&steps[0]), (&Mark::Api, "ls\n  -l\n"));
    }

    #[test]
    fn commands_and_output_are_told_apart() {
        let commands = console("$ a \\\n  b\nout\n$ c\n");
        assert_eq!(commands[0], Command { script: "a \\\n  b".to_owned(), output: vec!["out".to_owned()] });
        assert_eq!(commands[1], Command { script: "c".to_owned(), output: vec![] });
    }
}
