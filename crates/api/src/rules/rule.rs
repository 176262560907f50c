//! One rule, and the expressions that rules are made of.

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
    pub(crate) fn required(
        field: &'static str,
        expression: impl Into<String>,
        message: &'static str,
    ) -> Self {
        Self {
            expression: expression.into(),
            unless: None,
            message,
            field: Some(field),
            cause: Cause::Required,
        }
    }

    /// Something that must not be as it is.
    pub(crate) fn invalid(field: &'static str, expression: impl Into<String>, message: &'static str) -> Self {
        Self { cause: Cause::Invalid, ..Self::required(field, expression, message) }
    }

    /// Allows what `unless` says on an update.
    pub(crate) fn unless(self, unless: &'static str) -> Self {
        Self { unless: Some(unless), ..self }
    }

    /// Reports no field, where the rule is about the whole.
    pub(crate) fn of_the_whole(self) -> Self {
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
pub(crate) fn given(path: &str) -> String {
    such(path, "")
}

/// Whether a text is there and not empty.
pub(crate) fn text(path: &str) -> String {
    such(path, " != ''")
}

/// Whether a switch is on.
pub(crate) fn on(path: &str) -> String {
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
pub(crate) fn if_given(path: &str, condition: &str) -> String {
    format!("!{} || {condition}", given(path))
}
