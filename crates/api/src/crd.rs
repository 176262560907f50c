//! The `CustomResourceDefinition`s, as they are installed.

use crate::rules::{self, Rules};
use crate::schema;
use crate::size;
use crate::{BackendConfig, Function, FunctionMesh, Sink, Source};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The definitions of all five kinds, ready to apply, in the order Function, Source, Sink, FunctionMesh,
/// BackendConfig.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        finished(Function::crd(), true, &rules::function()),
        finished(Source::crd(), true, &rules::source()),
        finished(Sink::crd(), true, &rules::sink()),
        finished(FunctionMesh::crd(), false, &rules::mesh()),
        finished(BackendConfig::crd(), true, &Rules::default()),
    ]
}

/// Completes a derived definition. `keep_unknown`: the original keeps unknown fields beside `spec` and `status`
/// (behaviour reference 1.1).
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
            schema::add_rules(spec, &rules.spec);
        }
    }
    definition
}
