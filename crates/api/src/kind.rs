//! The kinds that run pods.

use std::fmt;

/// A kind that runs as a StatefulSet of Pulsar instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Consumes, computes, produces.
    Function,
    /// Brings messages into Pulsar.
    Source,
    /// Takes messages out of Pulsar.
    Sink,
}

impl Kind {
    /// All of them, in the order in which a FunctionMesh creates its components.
    pub const ALL: [Self; 3] = [Self::Function, Self::Source, Self::Sink];

    /// The kind as objects spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "Function",
            Self::Source => "Source",
            Self::Sink => "Sink",
        }
    }

    /// The singular name of the resource, also the word in names, labels and container names.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }

    /// The plural name of the resource, also the list in the `spec` of a FunctionMesh.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Function => "functions",
            Self::Source => "sources",
            Self::Sink => "sinks",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
