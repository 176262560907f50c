//! Labels and annotations of a cached child as one text.

use functionmesh_api::constants::LABEL_NAME;
use kube::core::ObjectMeta;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Labels and annotations while the child is in a cache (docs/decisions/0060-packed-children.md): a map of one entry takes as much
/// memory as one of eleven, 640 bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Packed(Box<str>);

/// The text is JSON.
#[derive(Serialize, Deserialize)]
struct Unpacked {
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

/// The labels of the text. None of them has a character that JSON escapes.
#[derive(Deserialize)]
struct Labels<'a> {
    #[serde(borrow)]
    labels: Option<BTreeMap<&'a str, &'a str>>,
    #[serde(rename = "annotations")]
    _annotations: IgnoredAny,
}

impl Packed {
    /// Takes them out of the metadata.
    pub(crate) fn take(metadata: &mut ObjectMeta) -> Self {
        let maps = Unpacked { labels: metadata.labels.take(), annotations: metadata.annotations.take() };
        Self(serde_json::to_string(&maps).unwrap_or_default().into_boxed_str())
    }

    /// Puts them back, if they were taken.
    pub(crate) fn put_back(&mut self, metadata: &mut ObjectMeta) {
        if let Ok(maps) = serde_json::from_str::<Unpacked>(&std::mem::take(self).0) {
            (metadata.labels, metadata.annotations) = (maps.labels, maps.annotations);
        }
    }

    fn owner(&self) -> Option<&str> {
        serde_json::from_str::<Labels>(&self.0).ok()?.labels?.remove(LABEL_NAME)
    }
}

/// The name of the object that a child belongs to, by the child's label.
pub(crate) fn owner<'a>(metadata: &'a ObjectMeta, packed: &'a Packed) -> Option<&'a str> {
    match &metadata.labels {
        Some(labels) => labels.get(LABEL_NAME).map(String::as_str),
        None => packed.owner(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_and_annotations_come_back_as_they_were() {
        for metadata in [
            json!({"name": "f", "labels": {LABEL_NAME: "owner", "b": "c"}, "annotations": {"d": "{\"e\":\"\\n\"}"}}),
            json!({"labels": {LABEL_NAME: "owner"}, "annotations": {}}),
            json!({"name": "f"}),
        ] {
            let before: ObjectMeta = serde_json::from_value(metadata).unwrap();
            let mut after = before.clone();
            let mut packed = Packed::take(&mut after);
            assert_eq!((&after.labels, &after.annotations), (&None, &None));
            assert_eq!(owner(&after, &packed), owner(&before, &Packed::default()));
            packed.put_back(&mut after);
            assert_eq!((after, packed), (before.clone(), Packed::default()));
            let mut unchanged = before.clone();
            Packed::default().put_back(&mut unchanged);
            assert_eq!(unchanged, before, "what was not packed stays");
        }
    }
}
