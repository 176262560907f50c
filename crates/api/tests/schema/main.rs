//! The `CustomResourceDefinition`s have everything that those of the Go operator have, and rules of their own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod definitions;
mod rules;

use definitions::*;
use functionmesh_api::constants;
use serde_json::{Value, json};

#[test]
fn names_scope_and_subresources() {
    let expected = [
        ("Function", "functions", "fn"),
        ("Source", "sources", "src"),
        ("Sink", "sinks", "snk"),
        ("FunctionMesh", "functionmeshes", "fmesh"),
        ("BackendConfig", "backendconfigs", "becfg"),
    ];
    assert_eq!(definitions().len(), expected.len());
    for (kind, plural, short) in expected {
        let crd = definition(kind);
        assert_eq!(crd["metadata"], json!({"name": format!("{plural}.{}", constants::GROUP)}));
        assert_eq!(crd["spec"]["scope"], "Namespaced");
        let names = &crd["spec"]["names"];
        assert_eq!((&names["plural"], &names["singular"]), (&json!(plural), &json!(kind.to_lowercase())));
        assert_eq!(
            (&names["shortNames"], &names["categories"]),
            (&json!([short]), &json!(["function-mesh"]))
        );
        let version = &crd["spec"]["versions"][0];
        assert_eq!(version["name"], constants::VERSION);
        assert_eq!((&version["served"], &version["storage"]), (&json!(true), &json!(true)));
        let scale = json!({"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                           "labelSelectorPath": ".status.selector"});
        let scalable = COMPONENTS.contains(&kind);
        let subresources =
            if scalable { json!({"status": {}, "scale": scale}) } else { json!({"status": {}}) };
        assert_eq!(version["subresources"], subresources, "{kind}");
        let keeps = root(crd)["x-kubernetes-preserve-unknown-fields"] == true;
        assert_eq!(keeps, kind != "FunctionMesh", "{kind}");
    }
}

/// kubectl replaces a category by all kinds of it before it looks for a kind: `kubectl delete functionmesh a` would be about all.
#[test]
fn no_category_is_the_name_of_a_kind() {
    let texts = |value: &Value| -> Vec<String> {
        let one = value.as_str().into_iter().map(str::to_owned);
        one.chain(value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned))
            .collect()
    };
    for crd in definitions() {
        for category in texts(&crd["spec"]["names"]["categories"]) {
            for other in definitions() {
                let names = &other["spec"]["names"];
                let taken =
                    ["plural", "singular", "shortNames"].into_iter().flat_map(|key| texts(&names[key]));
                assert!(taken.into_iter().all(|name| name != category), "{category}");
            }
        }
    }
}

#[test]
fn printer_columns() {
    let columns = |kind: &str| -> Vec<String> {
        let crd = definition(kind);
        let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap().clone();
        let text = |c: &Value| {
            let wide = if c["priority"] == 1 { " (wide)" } else { "" };
            format!("{}{wide}", c["name"].as_str().unwrap())
        };
        columns.iter().map(text).collect()
    };
    for kind in COMPONENTS {
        let expected =
            ["Ready", "Reason", "Desired", "Replicas ready", "Age", "Image (wide)", "Message (wide)"];
        assert_eq!(columns(kind), expected, "{kind}");
    }
    let expected = ["Ready", "Reason", "Components ready", "Age", "Components (wide)", "Message (wide)"];
    assert_eq!(columns("FunctionMesh"), expected);
}

#[test]
fn shared_fields_are_flat_and_specs_keep_nothing_unknown() {
    for kind in COMPONENTS {
        let crd = definition(kind);
        for field in ["className", "image", "imageHasGet", "java", "pulsar", "statefulConfig"] {
            at(crd, &format!("spec.{field}"));
        }
        let spec = at(crd, "spec");
        assert!(spec.get("x-kubernetes-preserve-unknown-fields").is_none(), "{kind}");
        assert!(spec.get("additionalProperties").is_none() && spec.get("allOf").is_none(), "{kind}");
    }
    at(definition("Function"), "spec.input.sourceSpecs.[].serdeClassname");
    at(definition("Sink"), "spec.subscriptionPosition");
}

#[test]
fn the_items_of_a_mesh_are_the_specs_of_the_components() {
    let mesh = definition("FunctionMesh");
    for (kind, list) in COMPONENTS.into_iter().zip(["functions", "sources", "sinks"]) {
        let crd = definition(kind);
        let mut spec = at(crd, "spec").clone();
        // Validated when the component is created.
        spec.as_object_mut().unwrap().remove("x-kubernetes-validations");
        // Otherwise every item would state a number.
        spec["properties"]["replicas"].as_object_mut().unwrap().remove("default");
        let mut item = at(mesh, &format!("spec.{list}.[]")).clone();
        // Shortened, so that the definition fits into the annotation of a client-side apply.
        remove_descriptions(&mut spec);
        remove_descriptions(&mut item);
        // An item has a name, which becomes a part of the component's.
        assert!(item["properties"]["name"]["pattern"].is_string(), "{kind}");
        item["properties"]["name"] = spec["properties"]["name"].clone();
        assert_eq!(item.as_object_mut().unwrap().remove("required"), Some(json!(["name"])), "{kind}");
        assert!(item == spec, "{kind}");
        for path in ["className", "java", "java.jar", "pod.env", "pulsar.authSecret"] {
            let full = at(crd, &format!("spec.{path}"))["description"].as_str().unwrap();
            let short = at(mesh, &format!("spec.{list}.[].{path}"))["description"].as_str().unwrap();
            let short = short.trim_end_matches('.');
            assert!(short.len() > 3 && full.starts_with(short), "{kind} {path}: {short}");
        }
    }
}

fn remove_descriptions(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // A field may have that name as well.
            fields.retain(|name, value| name != "description" || !value.is_string());
            fields.values_mut().for_each(remove_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_descriptions),
        _ => {}
    }
}

#[test]
fn defaults_bounds_and_required_fields_are_those_of_the_go_operator() {
    for kind in COMPONENTS {
        let crd = definition(kind);
        let mut defaults = Vec::new();
        let mut bounds = Vec::new();
        let mut required = Vec::new();
        walk(root(crd), "", &mut |path, schema| {
            if let Some(default) = schema.get("default") {
                defaults.push(format!("{path}={default}"));
            }
            // Quantities are not negative.
            let amount = path.starts_with(".spec.resources.");
            if !amount && (schema.get("minimum").is_some() || schema.get("maximum").is_some()) {
                bounds.push(format!("{path}: {} {}", schema["minimum"], schema["maximum"]));
            }
            for field in schema["required"].as_array().into_iter().flatten() {
                required.push(format!("{path}.{}", field.as_str().unwrap()));
            }
        });
        defaults.retain(|d| !d.ends_with("protocol=\"TCP\"") && !d.contains("actualWindowFunctionClassName"));
        // The Go operator's webhook filled in the number of replicas; a schema default also applies to stored objects. An object
        // that no controller has observed is not complete.
        let ours = [".spec.minReplicas=1", ".spec.replicas=1", ".status={\"observedGeneration\":-1}"];
        assert_eq!(defaults, ours, "{kind}");
        assert_eq!(bounds, [".spec.minReplicas: 0.0 null", ".spec.replicas: 0.0 null"], "{kind}");
        // Nothing directly below `spec`, and without `spec` no rule would be checked.
        assert!(required.contains(&".spec".to_owned()), "{kind}");
        assert!(
            !required.iter().any(|path| path.starts_with(".spec.") && path.matches('.').count() == 2),
            "{kind}"
        );
        for field in [
            ".java.jar",
            ".python.py",
            ".golang.go",
            ".genericRuntime.functionFile",
            ".genericRuntime.language",
            ".java.log.logConfig.name",
            ".java.log.logConfig.key",
            ".statefulConfig.pulsar.serviceUrl",
            ".statefulConfig.pulsar.javaProvider.className",
            ".pulsar.authConfig.oauth2Config.audience",
            ".pulsar.authConfig.oauth2Config.issuerUrl",
            ".pulsar.authConfig.oauth2Config.keySecretName",
            ".pulsar.authConfig.oauth2Config.keySecretKey",
            ".pulsar.authConfig.genericAuth.clientAuthenticationPlugin",
            ".pulsar.authConfig.genericAuth.clientAuthenticationParameters",
        ] {
            assert!(required.contains(&format!(".spec{field}")), "{kind}{field}");
        }
        let demanded = |path: &String| path.starts_with(".status.") && path.matches('.').count() == 2;
        assert!(!required.iter().any(demanded), "{kind}: {required:?}");
    }
}

#[test]
fn enumerations_have_the_values_of_the_go_operator() {
    let function = definition("Function");
    let log = "spec.java.log";
    for (path, values) in [
        ("spec.logTopicAgent", "runtime sidecar"),
        ("spec.processingGuarantee", "atleast_once atmost_once effectively_once manual"),
        ("spec.subscriptionPosition", "latest earliest"),
        ("spec.output.producerConf.compressionType", "NONE LZ4 ZLIB ZSTD SNAPPY"),
        ("spec.windowConfig.processingGuarantees", "ATLEAST_ONCE ATMOST_ONCE"),
        ("spec.pod.vpa.updatePolicy.updateMode", "Off Initial Recreate Auto"),
        ("spec.pod.vpa.resourcePolicy.containerPolicies.[].mode", "Auto Off"),
        (
            "spec.pod.vpa.resourcePolicy.containerPolicies.[].controlledValues",
            "RequestsAndLimits RequestsOnly",
        ),
        (&format!("{log}.level"), "off trace debug info warn error fatal all panic"),
        (&format!("{log}.format"), "json text"),
        (&format!("{log}.javaLog4JConfigFileType"), "yaml xml ini"),
        (
            &format!("{log}.rotatePolicy"),
            "TimedPolicyWithDaily TimedPolicyWithWeekly TimedPolicyWithMonthly SizedPolicyWith10MB \
             SizedPolicyWith50MB SizedPolicyWith100MB",
        ),
    ] {
        let schema = at(function, path);
        let expected: Vec<&str> = values.split_whitespace().collect();
        assert_eq!(schema["enum"], json!(expected), "{path}");
        assert_eq!(schema["type"], "string", "{path}");
        // `null` is not a value, so it has to be removed first.
        assert!(schema.get("nullable").is_none(), "{path}");
    }
}

#[test]
fn free_form_objects_keep_everything() {
    for (kind, path) in [
        ("Function", "spec.funcConfig"),
        ("Function", "spec.sourceConfig.configs"),
        ("Function", "spec.sinkConfig.configs"),
        ("Source", "spec.sourceConfig"),
        ("Source", "spec.batchSourceConfig.discoveryTriggererConfig"),
        ("Sink", "spec.sinkConfig"),
    ] {
        let crd = definition(kind);
        let schema = at(crd, path);
        assert_eq!(schema["type"], "object", "{kind} {path}");
        assert_eq!(schema["x-kubernetes-preserve-unknown-fields"], true, "{kind} {path}");
    }
}

#[test]
fn core_types_are_typed_slim_and_merged_by_key() {
    let function = definition("Function");
    let memory = at(function, "spec.resources.limits.memory");
    assert_eq!(memory["x-kubernetes-int-or-string"], true);
    assert_eq!(memory.get("anyOf"), None);
    // May be a fraction; other resources are kept.
    let cpu = at(function, "spec.resources.requests.cpu");
    assert_eq!((cpu.get("type"), &cpu["x-kubernetes-preserve-unknown-fields"]), (None, &json!(true)));
    for amount in [memory, cpu] {
        assert!(amount["pattern"].is_string() && amount["minimum"] == 0.0);
    }
    let limits = at(function, "spec.resources.limits");
    assert_eq!(limits["x-kubernetes-preserve-unknown-fields"], true);
    let sidecar = at(function, "spec.pod.sidecars.[].resources.limits.[]");
    assert_eq!(sidecar["x-kubernetes-int-or-string"], true);
    let port = at(function, "spec.pod.startupProbe.httpGet.port");
    assert_eq!((&port["x-kubernetes-int-or-string"], port.get("pattern")), (&json!(true), None));

    let metadata = at(function, "spec.volumeClaimTemplates.[].metadata");
    let fields: Vec<&String> = metadata["properties"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["annotations", "finalizers", "labels", "name", "namespace"]);

    for (path, keys) in [
        ("spec.pod.initContainers", json!(["name"])),
        ("spec.pod.sidecars", json!(["name"])),
        ("spec.pod.volumes", json!(["name"])),
        ("spec.pod.sidecars.[].env", json!(["name"])),
        ("spec.pod.sidecars.[].ports", json!(["containerPort", "protocol"])),
        ("spec.pod.sidecars.[].volumeMounts", json!(["mountPath"])),
        ("spec.volumeMounts", json!(["mountPath"])),
        ("spec.resources.claims", json!(["name"])),
        ("status.conditions", json!(["type"])),
    ] {
        let list = at(function, path);
        assert_eq!(list["x-kubernetes-list-type"], "map", "{path}");
        assert_eq!(list["x-kubernetes-list-map-keys"], keys, "{path}");
    }
    // A variable may be set twice.
    for path in ["spec.pod.env", "spec.pod.tolerations", "spec.pod.imagePullSecrets"] {
        assert!(at(function, path).get("x-kubernetes-list-type").is_none(), "{path}");
    }
}

/// A field without a description, and everything below it, belongs to an embedded type.
fn check(kind: &str, path: &str, schema: &Value, ours: bool) {
    for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
        let described = inner.get("description").is_some();
        let path = format!("{path}.{field}");
        assert!(ours || !described, "{kind}{path}: the description of an embedded type");
        check(kind, &path, inner, described);
    }
    for inner in ["items", "additionalProperties"].iter().filter_map(|inner| schema.get(inner)) {
        check(kind, path, inner, ours);
    }
}

#[test]
fn only_fields_of_function_mesh_are_described() {
    for crd in definitions() {
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
        if kind != "FunctionMesh" {
            check(&kind, ".spec", &root(crd)["properties"]["spec"], true);
        }
        check(&kind, ".status", &root(crd)["properties"]["status"], true);
        walk(root(crd), "", &mut |path, schema| {
            let text = schema["description"].as_str().unwrap_or_default();
            // The description ends with the effects in each runtime.
            assert!(text.len() < 600 && !text.contains('\n'), "{kind}{path}: {text}");
            assert!(schema.get("title").is_none(), "{kind}{path}");
            if path.starts_with(".status") {
                assert!(schema.get("nullable").is_none(), "{kind}{path}");
            }
        });
        let spec = root(crd)["properties"]["spec"]["properties"].as_object().unwrap();
        assert!(spec.values().all(|field| field["description"].is_string()), "{kind}");
    }
}

/// Go encodes what `kubectl apply` stores in an annotation, and escapes the characters of HTML.
fn size_in_an_annotation(crd: &Value) -> usize {
    let text = crd.to_string();
    text.len() + 1 + 5 * text.matches(['<', '>', '&']).count()
}

/// An annotation holds 262,144 bytes including its name. Future fields and rules need room.
#[test]
fn each_definition_fits_into_the_annotation_of_a_client_side_apply() {
    let sizes = definitions().iter().map(|crd| (&crd["spec"]["names"]["plural"], size_in_an_annotation(crd)));
    let too_large: Vec<_> = sizes.filter(|(_, size)| *size > 225_000).collect();
    assert!(
        too_large.is_empty(),
        "{too_large:?} bytes; see `size.rs` for what can be left out, or write shorter descriptions"
    );
    // The storage limit of the API server.
    let size: usize = definitions().iter().map(|crd| crd.to_string().len()).sum();
    assert!(size < 1_000_000, "{size} bytes");
}

#[test]
fn the_keys_of_lists_are_always_there() {
    for crd in definitions() {
        walk(root(crd), "", &mut |path, schema| {
            for key in schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten() {
                let items = &schema["items"];
                let required = items["required"].as_array().is_some_and(|required| required.contains(key));
                let default = items["properties"][key.as_str().unwrap()].get("default");
                assert!(required || default.is_some(), "{path}: {key}");
            }
        });
    }
}
