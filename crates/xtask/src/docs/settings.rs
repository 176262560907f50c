//! The page on settings that a runtime does not take.

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
        summary: "Which settings have no effect in a runtime, and which are refused.".to_owned(),
        body: format!(
            "Each setting *works*, has *no effect* or is *refused* in a runtime. What is not in this table works in every \
             runtime as its description says. A setting that has no effect is accepted, as the Go operator accepts it, and \
             `kubectl apply` prints a warning. A setting is refused where it would publish in plain text what was to be \
             encrypted, lose messages, or run an instance that can only end: when an object is created, and when that part of \
             it changes. An object that was stored with such a setting before keeps running, stays editable elsewhere, and has \
             the condition `UnsafeSettings` ([conditions](conditions.md)). The same holds for the items of a FunctionMesh.\n\n\
             The policies `functionmesh-settings`, `functionmesh-warnings`, `functionmesh-mesh-settings` and \
             `functionmesh-mesh-warnings` do this inside the API server. They are installed with the CRDs.\n\n\
             *Known by*: the real instance was *run*, its source was *read*, or what the operator *rendered* decides; with \
             instances of Pulsar {LINE}. Sources and Sinks are Java programs. Of Go, the SDK was read as it was up to April \
             2026 and was not run. Programs of the generic runtime are given every setting; what they do with it is not known \
             here.\n\n{table}"
        ),
    }
}

/// Whether another row says it already: the field is that of another runtime, or the setting without conditions does not work.
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
        Effect::Nothing(text) => format!("no effect: {text}"),
        Effect::Dangerous(text) => format!("refused: {text}"),
    }
}
