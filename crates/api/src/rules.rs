//! What the API server checks before an object is stored: rules in the Common Expression Language, on create and on
//! update (behaviour reference 5.2, design section 3).
//!
//! A rule fails only for objects that can never run, so that no object the original accepted becomes impossible to
//! edit. What a rule cannot see (other objects, the grammar of topic names) is a condition of the controller.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;

/// Why a value is refused, as the API server classifies it.
#[derive(Clone, Copy)]
enum Cause {
    /// Something has to be there.
    Required,
    /// Something is there and wrong.
    Invalid,
}

/// One rule. `self` is the object for rules of the object and its `spec` for rules of the spec.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    expression: &'static str,
    /// Names the field, says what is wrong and what to do.
    message: &'static str,
    /// The field to report, relative to `self`, if the schema knows it.
    field: Option<&'static str>,
    cause: Cause,
}

impl Rule {
    /// The rule as a schema holds it.
    pub(crate) fn to_validation(self) -> ValidationRule {
        ValidationRule {
            rule: self.expression.to_owned(),
            message: Some(self.message.to_owned()),
            field_path: self.field.map(str::to_owned),
            reason: Some(
                match self.cause {
                    Cause::Required => "FieldValueRequired",
                    Cause::Invalid => "FieldValueInvalid",
                }
                .to_owned(),
            ),
            ..ValidationRule::default()
        }
    }
}

/// 63 characters of a label, less `-function`, a dash and the ten characters of a revision.
const NAME_LENGTH: Rule = Rule {
    expression: "self.metadata.name.size() <= 43",
    message: "metadata.name must be at most 43 characters, as the labels of the pods are made from it; \
              choose a shorter name",
    field: None,
    cause: Cause::Invalid,
};
const PULSAR_CONFIG: Rule = Rule {
    expression: "has(self.pulsar) && has(self.pulsar.pulsarConfig) && self.pulsar.pulsarConfig.size() > 0",
    message: "spec.pulsar.pulsarConfig must name the ConfigMap with webServiceURL and brokerServiceURL of \
              the Pulsar cluster",
    field: Some(".pulsar"),
    cause: Cause::Required,
};
const PACKAGE_SERVICE: Rule = Rule {
    expression: "!has(self.pulsarPackageService) || \
           (has(self.pulsarPackageService.pulsarConfig) && self.pulsarPackageService.pulsarConfig.size() > 0)",
    message: "spec.pulsarPackageService.pulsarConfig must name the ConfigMap with the addresses of the \
              package service; set it or remove spec.pulsarPackageService",
    field: Some(".pulsarPackageService"),
    cause: Cause::Required,
};
const JAVA_ONLY: Rule = Rule {
    expression: "has(self.java)",
    message: "spec.java must be set, as sources and sinks run as Java programs; set spec.java.jar to the \
              path of the connector in the container",
    field: Some(".java"),
    cause: Cause::Required,
};
const JAVA_JAR: Rule = Rule {
    expression: "!has(self.java) || self.java.jar.size() > 0",
    message: "spec.java.jar must be the path of the package in the container; it is empty",
    field: Some(".java.jar"),
    cause: Cause::Required,
};
const CLASS_NAME: Rule = Rule {
    expression: "!has(self.java) || (has(self.className) && self.className.size() > 0)",
    message: "spec.className must name the class to run when spec.java is set",
    field: Some(".className"),
    cause: Cause::Required,
};
const ANY_RUNTIME: Rule = Rule {
    expression: "has(self.java) || has(self.python) || has(self.golang) || has(self.genericRuntime)",
    message: "spec must have exactly one of java, python, golang and genericRuntime; set the one of your \
              function",
    field: None,
    cause: Cause::Required,
};
/// The original lets `genericRuntime` stand beside one of the others and then ignores it.
const ONE_RUNTIME: Rule = Rule {
    expression: "(has(self.java) ? 1 : 0) + (has(self.python) ? 1 : 0) + (has(self.golang) ? 1 : 0) <= 1",
    message: "spec must have exactly one of java, python, golang and genericRuntime; remove all but the one \
              of your function",
    field: None,
    cause: Cause::Invalid,
};
const REPLICA_RANGE: Rule = Rule {
    expression: "!has(self.maxReplicas) || !has(self.minReplicas) || self.maxReplicas >= self.minReplicas",
    message: "spec.maxReplicas must not be below spec.minReplicas, which is 1 unless set; raise one or lower \
               the other",
    field: Some(".maxReplicas"),
    cause: Cause::Invalid,
};

/// What one kind has to satisfy.
pub(crate) struct Rules {
    /// Rules of the whole object.
    pub(crate) object: &'static [Rule],
    /// Rules of its `spec`.
    pub(crate) spec: &'static [Rule],
}

/// For Functions.
pub(crate) const FUNCTION: Rules = Rules {
    object: &[NAME_LENGTH],
    spec: &[PULSAR_CONFIG, PACKAGE_SERVICE, ANY_RUNTIME, ONE_RUNTIME, JAVA_JAR, CLASS_NAME, REPLICA_RANGE],
};
/// For Sources and Sinks.
pub(crate) const CONNECTOR: Rules = Rules {
    object: &[NAME_LENGTH],
    spec: &[PULSAR_CONFIG, PACKAGE_SERVICE, JAVA_ONLY, JAVA_JAR, CLASS_NAME, REPLICA_RANGE],
};
/// For meshes, whose components are checked when they are created, one by one; and for a BackendConfig, where
/// everything is optional.
pub(crate) const NONE: Rules = Rules { object: &[], spec: &[] };
