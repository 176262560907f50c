//! What the API server checks before an object is stored: rules in the Common Expression Language, on create and on
//! update (behaviour reference 5.2 and 5.3, design section 3).
//!
//! A rule never makes an object that is there already impossible to edit: where the stored object breaks a rule, an edit
//! may leave that as it is. (The original checked on create only, so there may be such objects.) What a rule cannot see
//! is a condition of the controller: other objects, and amounts that may be written as fractions.
//!
//! Expressions are written with `@` for the object or its `spec`, and are used twice: for the new one and, negated, for
//! the stored one. A field that is `null` counts as left out.

mod backend;
mod pods;
mod program;
mod scale;
mod streams;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;

/// Why a value is refused, as the API server classifies it.
#[derive(Clone, Copy)]
enum Cause {
    /// Something has to be there.
    Required,
    /// Something is there and wrong.
    Invalid,
}

/// One rule.
#[derive(Clone)]
pub(crate) struct Rule {
    expression: String,
    /// What is allowed besides on an update; `self` is the new `spec` and `o` the stored one.
    unless: Option<&'static str>,
    /// Names the field, says what is wrong and what to do.
    message: &'static str,
    /// The field to report, relative to `@`, if the schema knows it.
    field: Option<&'static str>,
    cause: Cause,
}

impl Rule {
    /// Something that has to be there.
    fn required(field: &'static str, expression: impl Into<String>, message: &'static str) -> Self {
        Self {
            expression: expression.into(),
            unless: None,
            message,
            field: Some(field),
            cause: Cause::Required,
        }
    }

    /// Something that must not be as it is.
    fn invalid(field: &'static str, expression: impl Into<String>, message: &'static str) -> Self {
        Self { cause: Cause::Invalid, ..Self::required(field, expression, message) }
    }

    /// Allows what `unless` says on an update.
    fn unless(self, unless: &'static str) -> Self {
        Self { unless: Some(unless), ..self }
    }

    /// Reports no field, where the rule is about the whole.
    fn of_the_whole(self) -> Self {
        Self { field: None, ..self }
    }

    /// The rule as a schema holds it.
    pub(crate) fn to_validation(&self) -> ValidationRule {
        let on = |variable: &str| self.expression.replace('@', variable);
        let unless = self.unless.map(|unless| format!(" || ({unless})")).unwrap_or_default();
        ValidationRule {
            // A list of one or none, as the API server knows the size of what is inside, which it forgets of an optional.
            rule: format!("({}) || [?oldSelf].exists(o, !({}){unless})", on("self"), on("o")),
            optional_old_self: Some(true),
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

/// Whether a field is there and not `null`, and all above it.
fn given(path: &str) -> String {
    such(path, "")
}

/// Whether a text is there and not empty.
fn text(path: &str) -> String {
    such(path, " != ''")
}

/// Whether a switch is on.
fn on(path: &str) -> String {
    such(path, " == true")
}

/// Whether a field is there and not `null`, and is such; empty when nothing more is asked of it.
///
/// Each field is looked up once, and what is found has a name in a list of one or none: for each lookup in the `spec` the API
/// server makes a map of all its fields, which were half of its work when a status was written (`has(a) && a != null` are two
/// lookups, and four where there is a field below).
fn such(path: &str, is: &str) -> String {
    let steps: Vec<&str> = path.split('.').collect();
    let (mut open, mut under) = (String::new(), "@".to_owned());
    for (depth, step) in steps.iter().enumerate() {
        let name = format!("v{depth}");
        let and = if depth == 0 { "" } else { " && " };
        open = format!("{open}{and}[?{under}.?{step}].exists({name}, dyn({name}) != null");
        under = name;
    }
    let condition = if is.is_empty() { String::new() } else { format!(" && {under}{is}") };
    format!("{open}{condition}{}", ")".repeat(steps.len()))
}

/// Whether a field, where it is there, satisfies a condition.
fn if_given(path: &str, condition: &str) -> String {
    format!("!{} || {condition}", given(path))
}

/// What one kind has to satisfy.
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

/// The name of a Service is a DNS label that begins with a letter, and begins with that of the object.
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
