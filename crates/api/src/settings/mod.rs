//! What each runtime does with each setting: works, has no effect, or is dangerous.
//!
//! One table, from which come the admission policies, the warnings of `kubectl apply`, the condition of stored objects, the
//! descriptions of fields and the page in the reference. There is no fourth state: what is not in the table works in every
//! runtime as its description says.
//!
//! *Dangerous* is plaintext where encryption was asked for, messages that are lost, or an instance that can only end. It is
//! refused on creation and when that part of an object changes; an object that is stored so keeps running.

mod consuming;
mod describe;
mod producing;
mod program;
mod when;

pub(crate) use describe::describe;
pub use when::When;

use crate::Kind;
use serde_json::Value;
use std::fmt;

/// What runs a program of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// Pulsar's Java instance; that of sources and sinks always.
    Java,
    /// Pulsar's Python instance.
    Python,
    /// A Go program with Pulsar's SDK in it.
    Go,
    /// A program in another language; the operator passes every setting on, and what it does with it is its own affair.
    Generic,
}

impl Runtime {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Java, Self::Python, Self::Go, Self::Generic];

    /// Its field in the `spec`.
    fn field(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Python => "python",
            Self::Go => "golang",
            Self::Generic => "genericRuntime",
        }
    }

    /// The runtime of a spec.
    pub fn of(kind: Kind, spec: &Value) -> Option<Self> {
        if kind != Kind::Function {
            return Some(Self::Java);
        }
        Self::ALL.into_iter().find(|runtime| When::Given(runtime.field()).holds(spec))
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Java => "Java",
            Self::Python => "Python",
            Self::Go => "Go",
            Self::Generic => "generic",
        })
    }
}

/// What a runtime does with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What the field's description says.
    Works,
    /// Nothing; why, and what to do.
    Nothing(&'static str),
    /// Something that must not happen; what, and what to do.
    Dangerous(&'static str),
}

/// How it is known what a runtime does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The real instance was run.
    Run,
    /// Its source or byte code was read.
    Read,
    /// What the operator renders decides, whatever the instance does.
    Rendered,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "run",
            Self::Read => "read",
            Self::Rendered => "rendered",
        })
    }
}

/// The Pulsar line that an [`Evidence`] is of, unless the setting says otherwise. What is said of Go holds for its SDK up to
/// April 2026, which cannot be run here.
pub const LINE: &str = "4.0";

/// One setting, or some of its values.
#[derive(Debug)]
pub struct Setting {
    /// As a user writes it, below `spec`.
    pub name: &'static str,
    /// The field whose description says it; `*` stands for any key.
    pub field: &'static str,
    /// The kinds that have it.
    pub kinds: &'static [Kind],
    /// Whether an object has it.
    pub when: When,
    /// What the Java instance does.
    pub java: Effect,
    /// What the Python instance does.
    pub python: Effect,
    /// What a Go program does.
    pub go: Effect,
    /// What programs in other languages are known to do.
    pub generic: Effect,
    /// How that is known, for Java, Python and Go.
    pub evidence: [Evidence; 3],
}

impl Setting {
    /// What a runtime does with it.
    pub fn effect(&self, runtime: Runtime) -> Effect {
        match runtime {
            Runtime::Java => self.java,
            Runtime::Python => self.python,
            Runtime::Go => self.go,
            Runtime::Generic => self.generic,
        }
    }
}

/// Every setting that does not work in every runtime.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    program::SETTINGS.iter().chain(consuming::SETTINGS).chain(producing::SETTINGS)
}

/// A setting in the runtimes that do the same with it, which is not what it says.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The setting.
    pub setting: &'static Setting,
    /// The runtimes.
    pub runtimes: Vec<Runtime>,
    /// Whether it is refused; else there is a warning.
    pub refused: bool,
    text: &'static str,
}

impl Rule {
    /// What a user reads.
    pub fn message(&self) -> String {
        let (name, text) = (self.setting.name, self.text);
        if self.refused {
            return format!("spec.{name}: {text}");
        }
        let runtimes: Vec<String> = self.runtimes.iter().map(ToString::to_string).collect();
        let of = match self.runtimes.len() {
            4 => String::new(),
            _ => format!(" in {} programs", runtimes.join(" and ")),
        };
        format!("spec.{name} has no effect{of}: {text}")
    }

    /// Whether it is about an object.
    pub fn applies(&self, kind: Kind, spec: &Value) -> bool {
        self.setting.kinds.contains(&kind)
            && Runtime::of(kind, spec).is_some_and(|runtime| self.runtimes.contains(&runtime))
            && self.setting.when.holds(spec)
    }

    /// The same as an expression about the `spec` of a kind; `None` for another kind.
    pub fn expression(&self, kind: Kind, spec: &str) -> Option<String> {
        let of_kind = self.setting.kinds.contains(&kind)
            && (kind == Kind::Function || self.runtimes.contains(&Runtime::Java));
        of_kind.then(|| {
            let when = self.setting.when.expression(spec);
            if kind != Kind::Function || self.runtimes.len() == Runtime::ALL.len() {
                return when;
            }
            let given = |runtime: &Runtime| match runtime {
                Runtime::Generic => [Runtime::Java, Runtime::Python, Runtime::Go]
                    .map(|other| format!("!{}", When::Given(other.field()).expression(spec)))
                    .join(" && "),
                runtime => When::Given(runtime.field()).expression(spec),
            };
            let runtimes: Vec<String> = self.runtimes.iter().map(given).collect();
            format!("({}) && {when}", runtimes.join(" || "))
        })
    }

    /// An expression for the part of a `spec` that it is about: equal in two objects when nothing of it changed.
    pub fn part(&self, spec: &str) -> String {
        let mut paths = Vec::new();
        self.setting.when.paths(&mut paths);
        paths.sort_unstable();
        paths.dedup();
        let parts: Vec<String> =
            paths.iter().map(|path| format!("dyn({})", when::value(spec, path))).collect();
        format!("[{}]", parts.join(", "))
    }
}

/// All rules, in the order of the table.
pub fn rules() -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for setting in settings() {
        let first = rules.len();
        for runtime in Runtime::ALL {
            let (refused, text) = match setting.effect(runtime) {
                Effect::Works => continue,
                Effect::Nothing(text) => (false, text),
                Effect::Dangerous(text) => (true, text),
            };
            let same = |rule: &&mut Rule| (rule.refused, rule.text) == (refused, text);
            match rules.iter_mut().skip(first).find(same) {
                Some(rule) => rule.runtimes.push(runtime),
                None => rules.push(Rule { setting, runtimes: vec![runtime], refused, text }),
            }
        }
    }
    rules
}

/// What is dangerous in an object, each with its field.
pub fn refused(kind: Kind, spec: &Value) -> Vec<String> {
    found(kind, spec, true)
}

/// What has no effect in an object.
pub fn without_effect(kind: Kind, spec: &Value) -> Vec<String> {
    found(kind, spec, false)
}

fn found(kind: Kind, spec: &Value, refused: bool) -> Vec<String> {
    rules()
        .iter()
        .filter(|rule| rule.refused == refused && rule.applies(kind, spec))
        .map(Rule::message)
        .collect()
}
