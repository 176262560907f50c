//! What the API server checks before an object is stored: rules in the Common Expression Language, on create and on
//! update.
//!
//! A rule never makes a stored object impossible to edit: if the stored object breaks a rule, an update may keep
//! breaking it. (The Go operator validated on creation only, so there may be such objects.) What a rule cannot check,
//! such as other objects or quantities written as fractions, the controller checks and reports in a condition.
//!
//! In expressions, `@` stands for the object or its `spec`; each is used twice, for the new object and, negated, for
//! the stored one. A field that is `null` is treated as unset.

mod backend;
mod pods;
mod program;
pub(crate) mod rule;
mod scale;
mod streams;

use crate::rules::rule::{Rule, given};

/// The rules of one kind.
#[derive(Default)]
pub(crate) struct Rules {
    /// Rules of the whole object.
    pub(crate) object: Vec<Rule>,
    /// Rules of its `spec`.
    pub(crate) spec: Vec<Rule>,
}

/// 63 characters of a label, less `-function`, a dash and the ten characters of a revision.
fn name_length() -> Rule {
    Rule::invalid(
        "",
        "@.metadata.name.size() <= 43",
        "metadata.name must be at most 43 characters, as the labels of the pods are made from it; choose a shorter name",
    )
    .of_the_whole()
}

/// The name of a Service is a DNS label that starts with a letter, and it starts with the name of the object.
fn name_form() -> Rule {
    Rule::invalid(
        "",
        "@.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name must begin with a letter and have only lower-case letters, digits and '-', as the name of a \
         Service is made from it; choose another name",
    )
    .of_the_whole()
}

/// For FunctionMeshes.
pub(crate) fn mesh() -> Rules {
    Rules { object: vec![name_form()], ..Rules::default() }
}

/// For Functions.
pub(crate) fn function() -> Rules {
    let spec = [
        program::services(),
        program::function(),
        scale::rules(),
        scale::builtin_rules(),
        pods::rules(),
        streams::input(Some("sourceConfig")),
        streams::retries(),
        streams::ordering(),
        streams::output(Some("sinkConfig")),
        streams::output_is_input(),
        streams::log_topic(),
        streams::window(),
    ];
    Rules { object: vec![name_length(), name_form()], spec: spec.concat() }
}

/// For Sources.
pub(crate) fn source() -> Rules {
    let config = Rule::required(
        ".sourceConfig",
        given("sourceConfig"),
        "spec.sourceConfig must be set: it is the configuration of the connector; {} if it needs none",
    );
    let spec = [
        program::services(),
        program::connector(),
        vec![config],
        scale::rules(),
        pods::rules(),
        streams::output(None),
    ];
    Rules { object: vec![name_length(), name_form()], spec: spec.concat() }
}

/// For Sinks.
pub(crate) fn sink() -> Rules {
    let config = Rule::required(
        ".sinkConfig",
        given("sinkConfig"),
        "spec.sinkConfig must be set: it is the configuration of the connector; {} if it needs none",
    );
    let spec = [
        program::services(),
        program::connector(),
        vec![config],
        scale::rules(),
        pods::rules(),
        streams::input(None),
        streams::retries(),
    ];
    Rules { object: vec![name_length(), name_form()], spec: spec.concat() }
}

/// For BackendConfigs.
pub(crate) fn backend_config() -> Rules {
    Rules { spec: backend::rules(), ..Rules::default() }
}
