//! The `CustomResourceDefinition`s to install.

use crate::backend_config::BackendConfig;
use crate::checked;
use crate::function::Function;
use crate::kind::Kind;
use crate::mesh::FunctionMesh;
use crate::rules::{self, Rules};
use crate::schema;
use crate::settings;
use crate::sink::Sink;
use crate::size;
use crate::source::Source;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

/// The definitions of all five kinds, ready to apply, in the order Function, Source, Sink, FunctionMesh,
/// BackendConfig.
pub fn crds() -> Vec<CustomResourceDefinition> {
    KINDS.into_iter().filter_map(crd).collect()
}

/// The kinds, in the order of [`crds`].
const KINDS: [&str; 5] = ["Function", "Source", "Sink", "FunctionMesh", "BackendConfig"];

/// The definition of a kind, if it belongs to Function Mesh.
pub fn crd(kind: &str) -> Option<CustomResourceDefinition> {
    Some(match kind {
        "Function" => scalable(finished(Function::crd(), true, &rules::function())),
        "Source" => scalable(finished(Source::crd(), true, &rules::source())),
        "Sink" => scalable(finished(Sink::crd(), true, &rules::sink())),
        "FunctionMesh" => named_items(finished(FunctionMesh::crd(), false, &rules::mesh())),
        "BackendConfig" => finished(BackendConfig::crd(), true, &rules::backend_config()),
        _ => return None,
    })
}

/// Completes a derived definition. `keep_unknown`: the Go operator keeps unknown fields beside `spec` and `status`.
fn finished(
    mut definition: CustomResourceDefinition,
    keep_unknown: bool,
    rules: &Rules,
) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        let Some(root) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) else {
            continue;
        };
        schema::finish(root);
        if definition.spec.names.kind == "FunctionMesh" {
            size::mesh_items(root);
        }
        root.x_kubernetes_preserve_unknown_fields = keep_unknown.then_some(true);
        schema::add_rules(root, &rules.object);
        if let Some(spec) = root.properties.as_mut().and_then(|p| p.get_mut("spec")) {
            if definition.spec.names.kind == "BackendConfig" {
                checked::backend_config(spec);
            }
            if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == definition.spec.names.kind) {
                settings::describe(kind, spec);
            }
            schema::add_rules(spec, &rules.spec);
        }
    }
    definition
}

/// A DNS label that is short enough: the name of a component consists of the mesh's name, a dash and this name, and has at most
/// 43 characters, like that of any component.
const ITEM_NAME: &str = "^[a-z0-9]([-a-z0-9]{0,39}[a-z0-9])?$";

/// Requires a name for each item of a mesh that can be a part of its component's name.
fn named_items(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let roots = definition.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    for root in roots.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        let spec = root.properties.as_mut().and_then(|fields| fields.get_mut("spec"));
        for list in spec.into_iter().flat_map(|spec| spec.properties.iter_mut().flatten()) {
            let Some(JSONSchemaPropsOrArray::Schema(item)) = &mut list.1.items else { continue };
            item.required.get_or_insert_default().push("name".to_owned());
            if let Some(name) = item.properties.as_mut().and_then(|fields| fields.get_mut("name")) {
                name.nullable = None;
                name.pattern = Some(ITEM_NAME.to_owned());
            }
        }
    }
    definition
}

/// Gives `spec.replicas` a default, as in a Deployment: the scale subresource requires a number, and the API server also fills it
/// in for stored objects without one. An item of a mesh has no default, or every item would state a number.
fn scalable(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        let root = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut());
        let spec = root.and_then(|root| root.properties.as_mut()?.get_mut("spec"));
        if let Some(replicas) = spec.and_then(|spec| spec.properties.as_mut()?.get_mut("replicas")) {
            replicas.default = Some(JSON(1.into()));
        }
    }
    definition
}
