//! Appends the effects in the table to the descriptions of fields.

use crate::kind::Kind;
use crate::settings::setting::{Effect, Runtime, Setting};
use crate::settings::table::settings;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// Appends to the descriptions of the fields of a kind's `spec` in which runtimes they have no effect, are limited or are
/// refused.
pub(crate) fn describe(kind: Kind, spec: &mut JSONSchemaProps) {
    for setting in settings().filter(|setting| setting.kinds.contains(&kind)) {
        let said = sentences(kind, setting);
        let Some(field) = at(spec, setting.field).filter(|_| !said.is_empty()) else { continue };
        let description = field.description.take().unwrap_or_default();
        field.description = Some(format!("{description} {said}"));
    }
}

fn sentences(kind: Kind, setting: &Setting) -> String {
    let sentence = |verb: &str, of: fn(Effect) -> bool| {
        let runtimes: Vec<String> = Runtime::ALL
            .into_iter()
            .filter(|runtime| of(setting.effect(*runtime)))
            .filter(|runtime| kind == Kind::Function || *runtime == Runtime::Java)
            .map(|runtime| runtime.to_string())
            .collect();
        let subject = if setting.name == setting.field {
            let (first, rest) = verb.split_at(1);
            format!("{}{rest}", first.to_uppercase())
        } else {
            let is = if verb.starts_with("no") { "has" } else { "is" };
            format!("`{}` {is} {verb}", setting.name)
        };
        let all = kind != Kind::Function || runtimes.len() == Runtime::ALL.len();
        let programs = if all { String::new() } else { format!(" in {} programs", list(&runtimes)) };
        (!runtimes.is_empty()).then(|| format!("{subject}{programs}."))
    };
    let refused = sentence("refused", |effect| matches!(effect, Effect::Dangerous(_)));
    let limited = sentence("limited", |effect| matches!(effect, Effect::Limited(_)));
    let nothing = sentence("no effect", |effect| matches!(effect, Effect::Nothing(_)));
    refused.into_iter().chain(limited).chain(nothing).collect::<Vec<_>>().join(" ")
}

/// `a, b and c`.
fn list(items: &[String]) -> String {
    match items.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => items.concat(),
    }
}

fn at<'a>(schema: &'a mut JSONSchemaProps, path: &str) -> Option<&'a mut JSONSchemaProps> {
    path.split('.').try_fold(schema, |schema, step| match step {
        "*" => match (&mut schema.additional_properties, &mut schema.items) {
            (Some(JSONSchemaPropsOrBool::Schema(values)), _) => Some(values.as_mut()),
            (_, Some(JSONSchemaPropsOrArray::Schema(items))) => Some(items.as_mut()),
            _ => None,
        },
        field => schema.properties.as_mut()?.get_mut(field),
    })
}
