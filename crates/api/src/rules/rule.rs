//! One rule, and the expressions that rules are made of.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;

/// Why a value is rejected, in the classification of the API server.
#[derive(Clone, Copy)]
enum Cause {
    /// A value is missing.
    Required,
    /// A value is invalid.
    Invalid,
}

/// One rule.
#[derive(Clone)]
pub(crate) struct Rule {
    expression: String,
    /// An exception for updates; `self` is the new `spec` and `o` the stored one.
    unless: Option<&'static str>,
    /// The field, the problem and what to do.
    message: &'static str,
    /// The field to report, relative to `@`, if the schema knows it.
    field: Option<&'static str>,
    cause: Cause,
}

impl Rule {
    /// A rule that requires a value.
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

    /// A rule that rejects a value.
    pub(crate) fn invalid(field: &'static str, expression: impl Into<String>, message: &'static str) -> Self {
        Self { cause: Cause::Invalid, ..Self::required(field, expression, message) }
    }

    /// Adds an exception for updates.
    pub(crate) fn unless(self, unless: &'static str) -> Self {
        Self { unless: Some(unless), ..self }
    }

    /// Reports no field, for a rule about the whole object.
    pub(crate) fn of_the_whole(self) -> Self {
        Self { field: None, ..self }
    }

    /// The rule in the form of a schema.
    pub(crate) fn to_validation(&self) -> ValidationRule {
        let on = |variable: &str| self.expression.replace('@', variable);
        let unless = self.unless.map(|unless| format!(" || ({unless})")).unwrap_or_default();
        ValidationRule {
            // A list of one or none instead of an optional, of whose content the API server does not know the size,
            // which its cost estimate needs.
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

/// An expression: the field and all its parents are set and not `null`.
pub(crate) fn given(path: &str) -> String {
    such(path, "")
}

/// An expression: the string is set and not empty.
pub(crate) fn text(path: &str) -> String {
    such(path, " != ''")
}

/// An expression: the boolean is true.
pub(crate) fn on(path: &str) -> String {
    such(path, " == true")
}

/// An expression: the field is set, not `null`, and satisfies a condition, which may be empty.
///
/// Each field is looked up once and bound in a list of one or none, because for each lookup in the `spec` the API
/// server builds a map of all its fields. With `has(a) && a != null`, which is two lookups, these maps were half of the
/// work of a status write.
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

/// An expression: the field is unset or satisfies a condition.
pub(crate) fn if_given(path: &str, condition: &str) -> String {
    format!("!{} || {condition}", given(path))
}
