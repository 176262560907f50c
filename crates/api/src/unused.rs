//! Fields that have an effect in one place of the API and none in another, because their type is shared: in the latter, their
//! description states it.

use schemars::Schema;
use serde_json::Map;

/// `spec.pod` of a BackendConfig: the fields that are not used as defaults.
pub(crate) fn in_backend_config(schema: &mut Schema) {
    let ignored = [
        "autoScalingBehavior",
        "autoScalingMetrics",
        "builtinAutoscaler",
        "disableDefaultAffinity",
        "env",
        "initContainers",
        "sidecars",
        "volumes",
        "vpa",
    ];
    mark(schema, &ignored, "Not used in a BackendConfig.");
}

/// `spec.golang.log`: everything but the level, and a `logConfig`, with which the level is not set.
pub(crate) fn in_go_log(schema: &mut Schema) {
    let ignored = ["format", "javaLog4JConfigFileType", "rotatePolicy"];
    mark(schema, &ignored, "Not used by Go programs.");
    describe(schema, "logConfig", "If set, `level` is not passed to the program. Nothing is mounted.");
    for field in ["name", "key"] {
        describe_at(
            schema,
            &["logConfig", field],
            "Not used by Go programs: they only check whether `logConfig` is set.",
        );
    }
}

/// `spec.python.log`.
pub(crate) fn in_python_log(schema: &mut Schema) {
    mark(schema, &["javaLog4JConfigFileType"], "Not used by Python programs.");
}

/// `spec` of a Source or Sink: what is different for connectors, which are Java programs.
pub(crate) fn in_connectors(schema: &mut Schema) {
    describe(schema, "className", "Fully qualified class of the connector. Required.");
    describe(schema, "java", "The program of the connector. Required.");
    let log = "What sends the log to `logTopic`: a sidecar container. With `runtime`, the log is not sent. Defaults to `sidecar`.";
    describe(schema, "logTopicAgent", log);
    mark(schema, &["golang", "genericRuntime"], "Not used: connectors are Java programs.");
    describe(
        schema,
        "python",
        "Connectors are Java programs; of this field only `log.logConfig` is used, which is mounted.",
    );
    for path in [
        &["python", "py"][..],
        &["python", "pyLocation"],
        &["python", "installDependencies"],
        &["python", "log", "format"],
        &["python", "log", "javaLog4JConfigFileType"],
        &["python", "log", "level"],
        &["python", "log", "rotatePolicy"],
    ] {
        describe_at(schema, path, "Not used: connectors are Java programs.");
    }
    // Only the output of a Function has it; a Sink has no output.
    describe_at(schema, &["output", "customSchemaSinks"], "Not used by sources.");
}

/// `spec.pulsarPackageService`.
pub(crate) fn in_package_service(schema: &mut Schema) {
    mark(schema, &["cleanupAuthConfig"], "Not used: nothing is cleaned up in the package service.");
}

/// Replaces the descriptions of fields by a text.
fn mark(schema: &mut Schema, fields: &[&str], text: &str) {
    for field in fields {
        describe(schema, field, text);
    }
}

fn describe(schema: &mut Schema, field: &str, text: &str) {
    describe_at(schema, &[field], text);
}

/// Replaces the description of a nested field by a text.
fn describe_at(schema: &mut Schema, path: &[&str], text: &str) {
    let Some(object) = schema.as_object_mut() else { return };
    let field = path.iter().try_fold(object, |object, step| -> Option<&mut Map<_, _>> {
        object.get_mut("properties")?.as_object_mut()?.get_mut(*step)?.as_object_mut()
    });
    if let Some(field) = field {
        field.insert("description".to_owned(), text.into());
    }
}
