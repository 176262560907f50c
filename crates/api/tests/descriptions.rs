//! What `kubectl explain` says about the fields of Function Mesh.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use functionmesh_api::crds;
use serde_json::Value;

/// Fields of Function Mesh that have a Kubernetes type, which `kubectl explain pod.spec` describes.
const EMBEDDED: [&str; 17] = [
    "affinity",
    "autoScalingBehavior",
    "autoScalingMetrics",
    "conditions",
    "env",
    "imagePullSecrets",
    "initContainers",
    "maxAllowed",
    "minAllowed",
    "resources",
    "securityContext",
    "sidecars",
    "startupProbe",
    "tolerations",
    "volumeClaimTemplates",
    "volumeMounts",
    "volumes",
];

/// Every field of Function Mesh as kind and path, with its description.
fn fields() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for crd in crds() {
        let crd = serde_json::to_value(crd).unwrap();
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        let root = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        for part in ["spec", "status"] {
            collect(&root[part], &format!("{kind}.{part}"), &mut found);
        }
    }
    found
}

fn collect(schema: &Value, path: &str, found: &mut Vec<(String, String)>) {
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            collect(&schema[inner], path, found);
        }
    }
    for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{field}");
        found.push((path.clone(), inner["description"].as_str().unwrap_or_default().to_owned()));
        // Items of a mesh have the descriptions of their kinds, shortened.
        let item = path.starts_with("FunctionMesh.spec.");
        if !EMBEDDED.contains(&field.as_str()) && !item {
            collect(inner, &path, found);
        }
    }
}

#[test]
fn every_description_says_more_than_the_name_of_the_field() {
    let letters = |text: &str| {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    let fields = fields();
    for kind in ["Function", "Source", "Sink", "BackendConfig"] {
        let count = fields.iter().filter(|(path, _)| path.starts_with(&format!("{kind}."))).count();
        assert!(count > 30, "{kind}: {count} fields only");
    }
    for (path, text) in fields {
        assert!(text.ends_with('.'), "{path}: {text:?} is no sentence");
        let name = path.rsplit('.').next().unwrap();
        let says = letters(&text);
        let article = says.strip_prefix("the").unwrap_or(&says);
        assert!(article != letters(name), "{path}: {text:?} says nothing");
    }
}

#[test]
fn what_has_no_effect_is_described_so() {
    let mut fields = fields();
    fields.retain(|(_, text)| text.starts_with("Not used"));
    let unused: Vec<&str> = fields.iter().map(|(path, _)| path.as_str()).collect();
    for path in [
        "Function.spec.golang.log.format",
        "Function.spec.golang.log.javaLog4JConfigFileType",
        "Function.spec.golang.log.rotatePolicy",
        "Function.spec.sinkConfig.typeClassName",
        "Function.spec.sourceConfig.batchSourceConfig",
        "Function.spec.sourceConfig.typeClassName",
        "Function.spec.statefulConfig.pulsar.javaProvider.config",
        "Function.spec.windowConfig.actualWindowFunctionClassName",
        "Function.spec.python.log.javaLog4JConfigFileType",
        "Source.spec.golang",
        "Source.spec.sourceType",
        "Source.spec.statefulConfig.pulsar.javaProvider.config",
        "Sink.spec.sinkType",
        "Sink.spec.statefulConfig.pulsar.javaProvider.config",
        "BackendConfig.spec.name",
        "BackendConfig.spec.pod.autoScalingBehavior",
        "BackendConfig.spec.pod.autoScalingMetrics",
        "BackendConfig.spec.pod.builtinAutoscaler",
        "BackendConfig.spec.pod.disableDefaultAffinity",
        "BackendConfig.spec.pod.env",
        "BackendConfig.spec.pod.initContainers",
        "BackendConfig.spec.pod.sidecars",
        "BackendConfig.spec.pod.volumes",
        "BackendConfig.spec.pod.vpa",
    ] {
        assert!(unused.contains(&path), "{path} is not described as unused");
    }
    // The same type where the field has an effect.
    for path in [
        "Function.spec.golang",
        "Function.spec.java.log.format",
        "Function.spec.pod.vpa",
        "Source.spec.batchSourceConfig",
    ] {
        assert!(!unused.contains(&path), "{path} is described as unused");
    }
}
