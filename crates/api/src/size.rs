//! Keeps the definitions small enough for a client-side `kubectl apply`, which stores the whole definition in an annotation of at
//! most 262,144 bytes. The definition of a mesh contains the schemas of three kinds.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use std::collections::BTreeMap;

/// Volumes of drivers that Kubernetes has removed or replaced by CSI drivers. Their fields are not spelled out: a wrong one is
/// reported when the API server refuses the StatefulSet, not at `kubectl apply`.
const OLD_VOLUMES: &[&str] = &[
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];

/// Fields of an item of a mesh that are nested more deeply have no description there.
const DESCRIBED_DEPTH: usize = 2;

/// An object with arbitrary fields, instead of one with declared fields.
fn any_object() -> JSONSchemaProps {
    JSONSchemaProps {
        type_: Some("object".to_owned()),
        x_kubernetes_preserve_unknown_fields: Some(true),
        ..JSONSchemaProps::default()
    }
}

/// Removes everything that the API server does not need for validation from a part of a schema that has a Kubernetes type.
pub(crate) fn embedded(schema: &mut JSONSchemaProps, name: &str) {
    let closed: &[&str] = match name {
        "volumes" => OLD_VOLUMES,
        // Written by a controller, and by Go clients as an empty object.
        "volumeClaimTemplates" => &["status"],
        _ => return,
    };
    let fields = schema.properties.iter_mut().flatten();
    for (_, field) in fields.filter(|(field, _)| closed.contains(&field.as_str())) {
        *field = any_object();
    }
}

/// Removes a format that the type implies: integers have 64 bits.
pub(crate) fn format(schema: &mut JSONSchemaProps) {
    if schema.type_.as_deref() == Some("integer") && schema.format.as_deref() == Some("int64") {
        schema.format = None;
    }
}

/// Shortens the descriptions inside the items of a mesh to their first sentence, and removes those of more deeply nested fields:
/// they repeat the descriptions of Function, Source and Sink.
pub(crate) fn mesh_items(root: &mut JSONSchemaProps) {
    let spec = root.properties.as_mut().and_then(|fields| fields.get_mut("spec"));
    for list in spec.and_then(|spec| spec.properties.as_mut()).into_iter().flat_map(BTreeMap::values_mut) {
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &mut list.items {
            shorten(item, 0);
        }
    }
}

fn shorten(schema: &mut JSONSchemaProps, depth: usize) {
    schema.description =
        schema.description.take().filter(|_| depth <= DESCRIBED_DEPTH).map(|text| first_sentence(&text));
    for field in schema.properties.iter_mut().flat_map(BTreeMap::values_mut) {
        shorten(field, depth + 1);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        shorten(items, depth);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        shorten(values, depth);
    }
}

/// The text up to the first punctuation mark that ends a sentence or clause, outside of code.
fn first_sentence(text: &str) -> String {
    let mut in_code = false;
    let end = text.char_indices().find_map(|(at, c)| {
        in_code ^= c == '`';
        let ends = !in_code && ['.', ';', ':'].contains(&c) && text.get(at + 1..)?.starts_with(' ');
        ends.then_some(at)
    });
    end.and_then(|end| text.get(..end)).map_or_else(|| text.to_owned(), |sentence| format!("{sentence}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_ends_outside_of_code() {
        for (text, first) in [
            ("Number of pods; 0 stops the component. With more.", "Number of pods."),
            ("Where from: `http://` or so.", "Where from."),
            ("Path, such as `{a: b}. c`. More.", "Path, such as `{a: b}. c`."),
            ("One only, in `v1.2`.", "One only, in `v1.2`."),
        ] {
            assert_eq!(first_sentence(text), first);
        }
    }
}
