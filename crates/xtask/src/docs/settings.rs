//! The page on settings that a runtime does not support.

use super::markdown::{Table, code};
use super::page::Page;
use functionmesh_api::Kind;
use functionmesh_api::settings::{Effect, LINE, Runtime, Setting, settings};

/// The page.
pub(super) fn page() -> Page {
    let mut table = Table::new(&["Setting", "Kinds", "Java", "Python", "Go", "generic", "Known by"]);
    for setting in settings() {
        let [java, python, go, generic] = Runtime::ALL.map(|runtime| cell(setting, runtime));
        let kinds: Vec<&str> = setting.kinds.iter().map(|kind| kind.name()).collect();
        let [of_java, of_python, of_go] = setting.evidence;
        let evidence = if setting.kinds.contains(&Kind::Function) {
            format!("Java {of_java}, Python {of_python}, Go {of_go}")
        } else {
            format!("Java {of_java}")
        };
        table.row([code(setting.name), kinds.join(", "), java, python, go, generic, evidence]);
    }
    Page {
        file: "settings.md".to_owned(),
        title: "Settings by runtime".to_owned(),
        summary: "Which settings have no effect in a runtime, which are limited, and which are refused."
            .to_owned(),
        body: format!(
            "In each runtime a setting *works*, is *limited*, has *no effect* or is *refused*. Settings that are not in this table work in every \
             runtime as described. A setting that has no effect, or works only under a condition outside of the object, is accepted, as by the \
             Go operator, and `kubectl apply` prints a warning. A setting is refused if it would publish in plain text what should be encrypted, lose messages, or run an \
             instance that can only fail: when an object is created, and when that part of it changes. An object that already \
             has such a setting keeps running, stays editable, and has the condition `UnsafeSettings` \
             ([conditions](conditions.md)). The same applies to the items of a FunctionMesh.\n\n\
             The admission policies `functionmesh-settings`, `functionmesh-warnings`, `functionmesh-mesh-settings` and \
             `functionmesh-mesh-warnings` enforce this in the API server. They are installed with the CRDs.\n\n\
             *Known by*: the instance was *run*, its source was *read*, or the operator's own *rendered* output decides; with \
             instances of Pulsar {LINE}. Sources and Sinks are Java programs. The Go SDK was read as of April 2026 and not run. \
             Programs of the generic runtime receive every setting; how they use it is not known.\n\n{table}"
        ),
    }
}

/// Whether another row covers it: the field belongs to another runtime, or the setting without conditions does not work.
fn is_elsewhere(setting: &Setting, runtime: Runtime) -> bool {
    let of_another = [("python.", Runtime::Python), ("golang.", Runtime::Go)]
        .into_iter()
        .any(|(field, of)| setting.field.starts_with(field) && runtime != of);
    let wider = settings().any(|other| {
        other.effect(runtime) != Effect::Works
            && other.name != setting.name
            && (setting.name.starts_with(other.name)
                || (setting.name.contains(other.name) && other.name == other.field))
    });
    of_another || wider
}

fn cell(setting: &Setting, runtime: Runtime) -> String {
    if runtime != Runtime::Java && !setting.kinds.contains(&Kind::Function) {
        return String::new();
    }
    match setting.effect(runtime) {
        Effect::Works if is_elsewhere(setting, runtime) => String::new(),
        Effect::Works => "works".to_owned(),
        Effect::Limited(text) => format!("limited: {text}"),
        Effect::Nothing(text) => format!("no effect: {text}"),
        Effect::Dangerous(text) => format!("refused: {text}"),
    }
}
