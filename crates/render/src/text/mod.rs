//! Text formats that other programs read: shell words, Go's JSON, Kubernetes quantities.

pub(crate) mod go_json;
pub(crate) mod quantity;
pub(crate) mod shell;
