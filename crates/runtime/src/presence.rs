//! Whether a cluster has a kind.

/// Why a kind cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The cluster does not have it.
    Missing,
    /// The controller may not list or watch it; as reported by the API server.
    Forbidden(String),
    /// The API server does not answer the lookup.
    Unavailable,
}

/// Whether a kind exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Not known yet.
    Unknown,
    /// It exists and its cache was filled.
    Present,
    /// It does not exist or cannot be used.
    Absent(Absence),
}
