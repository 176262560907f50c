//! One row of the table.

use crate::kind::Kind;
use crate::settings::when::When;
use serde_json::Value;
use std::fmt;

/// The Pulsar instance that runs the user's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// Pulsar's Java instance, which also runs Sources and Sinks.
    Java,
    /// Pulsar's Python instance.
    Python,
    /// A Go program with Pulsar's SDK in it.
    Go,
    /// A program in another language, which receives every setting; how it uses them is not known.
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
        Self::ALL.into_iter().find(|runtime| When::IsSet(runtime.field()).holds(spec))
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
    /// It works as described.
    Works,
    /// It works under a condition that the operator cannot check; the condition and what to do.
    Limited(&'static str),
    /// No effect; the reason and what to do.
    Nothing(&'static str),
    /// Dangerous; the reason and what to do.
    Dangerous(&'static str),
}

/// How the effect is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The instance was run.
    Run,
    /// Its source or byte code was read.
    Read,
    /// The operator's own rendering determines the effect.
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

/// The Pulsar version that the evidence refers to. For Go it refers to the SDK as of April 2026.
pub const LINE: &str = "4.0";

/// One setting, or some of its values.
#[derive(Debug)]
pub struct Setting {
    /// As a user writes it, below `spec`.
    pub name: &'static str,
    /// The field that documents it; `*` stands for any key.
    pub field: &'static str,
    /// The kinds that have it.
    pub kinds: &'static [Kind],
    /// The condition under which an object has it.
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
    /// The base of a row of the table: a setting of Functions with the same effect in every runtime and the most common
    /// evidence.
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
