//! No object, kind or namespace holds up another.

mod depth;
mod namespaces;
mod optional;
