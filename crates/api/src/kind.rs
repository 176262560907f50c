//! The kinds that run pods.

use std::fmt;

/// A kind that runs as a StatefulSet of Pulsar instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Consumes messages, processes them, and produces results.
    Function,
    /// Imports messages into Pulsar.
    Source,
    /// Exports messages from Pulsar.
    Sink,
}

impl Kind {
    /// All kinds, in the order in which a FunctionMesh creates its components.
    pub const ALL: [Self; 3] = [Self::Function, Self::Source, Self::Sink];

    /// The kind, as in an object.
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "Function",
            Self::Source => "Source",
            Self::Sink => "Sink",
        }
    }

    /// The singular name of the resource, also used in names, labels and container names.
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
