//! One row of the table.

use crate::kind::Kind;
use crate::settings::when::When;
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
    pub(crate) fn field(self) -> &'static str {
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
    /// What a row of the table begins with: a setting of Functions with the same effect in every runtime, known as most are.
    pub(crate) const fn everywhere(effect: Effect) -> Self {
        Self {
            name: "",
            field: "",
            kinds: &[Kind::Function],
            when: When::All(&[]),
            java: effect,
            python: effect,
            go: effect,
            generic: effect,
            evidence: [Evidence::Run, Evidence::Run, Evidence::Read],
        }
    }

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

/// A row of a setting that works in every runtime.
pub(crate) const WORKS: Setting = Setting::everywhere(Effect::Works);
/// Why a crypto failure action that Pulsar does not have is dangerous.
pub(crate) const UNKNOWN_ACTION: &str =
    "the instance supports no other value and would treat it as FAIL, or exit; use one of these";
