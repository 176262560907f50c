//! A page of the reference.

/// One page.
pub(super) struct Page {
    /// Name below `docs/reference`.
    pub(super) file: String,
    pub(super) title: String,
    /// One sentence for the index.
    pub(super) summary: String,
    /// Everything after the title.
    pub(super) body: String,
}
