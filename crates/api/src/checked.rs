//! Bounds of the fields that the `spec` of a BackendConfig contributes to pods. Without them, invalid content would be noticed
//! only when the API server refuses the pods of all objects that it applies to.

use crate::limits;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// The value of a label.
const LABEL_VALUE: &str = "^(|[A-Za-z0-9]|[A-Za-z0-9][-A-Za-z0-9_.]{0,61}[A-Za-z0-9])$";
/// The name of a service account; empty means none.
const ACCOUNT: &str = r"^(|([a-z0-9]|[a-z0-9][-a-z0-9]*[a-z0-9])(\.([a-z0-9]|[a-z0-9][-a-z0-9]*[a-z0-9]))*)$";
/// Maximum user and group ID of a pod.
const MAX_ID: f64 = 2_147_483_647.0;

/// Adds the bounds to the schema of the `spec`.
pub(crate) fn backend_config(spec: &mut JSONSchemaProps) {
    if let Some(env) = field(spec, "env") {
        env.max_properties = Some(limits::VARIABLES);
    }
    let Some(pod) = field(spec, "pod") else { return };
    for name in ["labels", "annotations", "nodeSelector"] {
        let Some(map) = field(pod, name) else { continue };
        map.max_properties = Some(limits::VARIABLES);
        if let Some(JSONSchemaPropsOrBool::Schema(value)) =
            map.additional_properties.as_mut().filter(|_| name != "annotations")
        {
            value.pattern = Some(LABEL_VALUE.to_owned());
        }
    }
    if let Some(account) = field(pod, "serviceAccountName") {
        account.max_length = Some(253);
        account.pattern = Some(ACCOUNT.to_owned());
    }
    if let Some(context) = field(pod, "securityContext") {
        for name in ["runAsUser", "runAsGroup", "fsGroup"] {
            if let Some(id) = field(context, name) {
                (id.minimum, id.maximum) = (Some(0.0), Some(MAX_ID));
            }
        }
    }
    let tolerations = field(pod, "tolerations").and_then(|list| list.items.as_mut());
    if let Some(JSONSchemaPropsOrArray::Schema(toleration)) = tolerations {
        one_of(toleration, "operator", &["", "Equal", "Exists", "Gt", "Lt"]);
        one_of(toleration, "effect", &["", "NoExecute", "NoSchedule", "PreferNoSchedule"]);
    }
}

fn field<'a>(schema: &'a mut JSONSchemaProps, name: &str) -> Option<&'a mut JSONSchemaProps> {
    schema.properties.as_mut()?.get_mut(name)
}

fn one_of(schema: &mut JSONSchemaProps, name: &str, values: &[&str]) {
    if let Some(field) = field(schema, name) {
        field.enum_ = Some(values.iter().map(|&value| JSON(value.into())).collect());
    }
}
