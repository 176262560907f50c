//! The `CustomResourceDefinition`s, as they are installed.

use crate::schema;
use crate::{BackendConfig, Function, FunctionMesh, Sink, Source};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// All five, ready to apply.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        schema::finished(Function::crd(), &schema::FUNCTION),
        schema::finished(Source::crd(), &schema::SOURCE),
        schema::finished(Sink::crd(), &schema::SINK),
        schema::finished(FunctionMesh::crd(), &schema::MESH),
        schema::finished(BackendConfig::crd(), &schema::BACKEND_CONFIG),
    ]
}
