//! CustomResourceDefinitions that are missing or older than this release.

use super::finding::{Findings, Severity};
use super::snapshot::Snapshot;
use crate::definitions::{missing_fields, names};
use functionmesh_api::constants::VERSION;
use serde_json::Value;
use std::collections::BTreeMap;

/// Fields that a message names.
const SHOWN: usize = 5;

/// Compares the schemas of the cluster with those of this plugin's release.
pub(crate) fn check(snapshot: &Snapshot, findings: &mut Findings) {
    let Some(definitions) = &snapshot.definitions else { return };
    let installed: BTreeMap<&str, &Value> =
        definitions.iter().filter_map(|d| Some((d.pointer("/metadata/name")?.as_str()?, d))).collect();
    for name in names() {
        let title = format!("CustomResourceDefinition {name}");
        let Some(installed) = installed.get(name.as_str()) else {
            let remedy = "install the chart function-mesh-crds";
            findings.add(Severity::Error, "Definitions", title, "is not installed", remedy);
            continue;
        };
        let Some(missing) = missing_fields(installed) else {
            let text = format!("does not serve the version {VERSION}");
            findings.add(Severity::Error, "Definitions", title, text, "upgrade the chart function-mesh-crds");
            continue;
        };
        if missing.is_empty() {
            continue;
        }
        let shown = missing.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = match missing.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!(
            "lacks fields that release {} has, so the API server drops them: {shown}{more}",
            env!("CARGO_PKG_VERSION")
        );
        let remedy = "upgrade the chart function-mesh-crds; Helm does not do it with the operator's chart";
        findings.add(Severity::Warning, "Definitions", title, text, remedy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use functionmesh_api::crds;
    #[test]
    fn what_is_not_installed_or_older_is_found() {
        let definitions: Vec<Value> =
            crds().iter().filter_map(|crd| serde_json::to_value(crd).ok()).take(4).collect();
        let mut snapshot = Snapshot { definitions: Some(definitions), ..Snapshot::default() };
        let mut findings = Findings::default();
        check(&snapshot, &mut findings);
        let found = findings.of("Definitions");
        assert!(found.len() == 1 && found[0].2 == "is not installed", "{found:?}");

        let fields = snapshot.definitions.as_mut().unwrap()[0]
            .pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties");
        fields.unwrap().as_object_mut().unwrap().remove("className");
        let mut findings = Findings::default();
        check(&snapshot, &mut findings);
        let found = findings.of("Definitions");
        assert!(found.iter().any(|(_, _, text)| text.ends_with("spec.className")), "{found:?}");
    }
}
