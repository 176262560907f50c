//! The rules that the API server checks.

use crate::definitions::*;
use functionmesh_api::constants;
use serde_json::Value;

/// The fields with problems, for each kind.
const RULED: &[(&str, &str)] = &[
    ("spec.sourceConfig", "o"),
    ("spec.sinkConfig", "i"),
    ("spec must have exactly one", "f"),
    ("spec.java must be set", "oi"),
    ("spec.java.jar", "foi"),
    ("spec.java.jarLocation", "foi"),
    ("spec.className", "foi"),
    ("spec.python.py", "f"),
    ("spec.python.pyLocation", "f"),
    ("spec.golang.go", "f"),
    ("spec.golang.goLocation", "f"),
    ("spec.replicas", "foi"),
    ("spec.minReplicas", "foi"),
    ("spec.maxReplicas", "foi"),
    ("spec.pod.vpa must", "foi"),
    ("spec.pod.vpa.resourcePolicy", "foi"),
    ("spec.resources", "foi"),
    ("spec.timeout", "fi"),
    ("spec.maxMessageRetry", "fi"),
    ("spec.deadLetterTopic", "fi"),
    ("spec.retainKeyOrdering", "f"),
    ("spec.input must", "fi"),
    ("spec.input.topics", "fi"),
    ("spec.input.topicPattern", "fi"),
    ("spec.input.sourceSpecs", "fi"),
    ("spec.output.topic", "fo"),
    ("spec.output.producerConf.cryptoConfig.cryptoKeyReaderClassName", "fo"),
    ("spec.output.producerConf.cryptoConfig.encryptionKeys", "fo"),
    ("spec.logTopic", "f"),
    ("spec.statefulConfig must", "f"),
    ("spec.statefulConfig.pulsar.serviceUrl", "f"),
    ("spec.windowConfig", "f"),
    ("spec.pulsar.pulsarConfig", "foi"),
    ("spec.pulsarPackageService.pulsarConfig", "foi"),
    ("spec.pod.builtinAutoscaler", "f"),
    ("spec.pod.labels", "foi"),
    ("spec.pod.startupProbe", "foi"),
    ("spec.pod.liveness.successThreshold", "foi"),
    ("the probes of spec.pod.initContainers and spec.pod.sidecars", "foi"),
];

#[test]
fn rules_name_the_field_and_what_to_do() {
    let rules = |kind: &str, path: &str| -> Vec<Value> {
        let crd = definition(kind);
        let schema = if path.is_empty() { root(crd).clone() } else { at(crd, path).clone() };
        schema["x-kubernetes-validations"].as_array().cloned().unwrap_or_default()
    };
    for (kind, letter) in COMPONENTS.into_iter().zip(['f', 'o', 'i']) {
        let limit = format!("(self.metadata.name.size() <= {})", constants::MAX_NAME_LENGTH);
        assert!(rules(kind, "")[0]["rule"].as_str().unwrap().starts_with(&limit));
        let found = rules(kind, "spec");
        let messages: Vec<&str> = found.iter().map(|rule| rule["message"].as_str().unwrap()).collect();
        for (start, kinds) in RULED {
            let there = messages.iter().any(|message| message.starts_with(start));
            assert_eq!(there, kinds.contains(letter), "{kind}: {start}");
        }
        for rule in &found {
            let message = rule["message"].as_str().unwrap();
            assert!(message.contains("spec"), "{message}");
            // Stored content never prevents an edit of other fields.
            assert_eq!(rule["optionalOldSelf"], true, "{message}");
            assert!(rule["reason"].is_string(), "{message}");
            let whole = message.starts_with("spec must");
            assert_eq!(rule.get("fieldPath").is_none(), whole, "{message}");
        }
    }
    for (kind, names) in [("FunctionMesh", 1), ("BackendConfig", 0)] {
        assert!(rules(kind, "").len() == names, "{kind}");
    }
    assert!(rules("FunctionMesh", "spec").is_empty());
    for rule in rules("BackendConfig", "spec") {
        let (message, field) = (rule["message"].as_str().unwrap(), rule["fieldPath"].as_str().unwrap());
        assert!(message.starts_with(&format!("spec{field} ")), "{field}: {message}");
        assert_eq!(rule["optionalOldSelf"], true, "{message}");
    }
}
