//! What a rendered `StatefulSet` says about its own making, so that nothing is written twice (design section 5).

use k8s_openapi::api::apps::v1::StatefulSet;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Annotation with the hash of the object as rendered.
pub const RENDERED_HASH: &str = "compute.functionmesh.io/rendered-hash";
/// Annotation with the version of the renderer.
pub const RENDERER_VERSION_ANNOTATION: &str = "compute.functionmesh.io/renderer-version";
/// Version of this renderer; goes up when the same input renders to other bytes.
pub const RENDERER_VERSION: &str = "1";

/// The hash that a rendered `StatefulSet` carries, if it carries one.
pub fn rendered_hash(stateful_set: &StatefulSet) -> Option<&str> {
    stateful_set.metadata.annotations.as_ref()?.get(RENDERED_HASH).map(String::as_str)
}

/// Stamps the object with the hash of its own bytes.
pub(crate) fn stamp(stateful_set: &mut StatefulSet) {
    // Maps with string keys only: encoding cannot fail.
    let bytes = serde_json::to_vec(&stateful_set).unwrap_or_default();
    let mut hash = String::with_capacity(32);
    for byte in Sha256::digest(&bytes).iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(hash, "{byte:02x}");
    }
    let annotations = stateful_set.metadata.annotations.get_or_insert_default();
    annotations.insert(RENDERED_HASH.to_owned(), hash);
    annotations.insert(RENDERER_VERSION_ANNOTATION.to_owned(), RENDERER_VERSION.to_owned());
}
