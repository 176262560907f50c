//! Valid objects as a starting point.

use crate::case::{Case, Kind};
use serde_json::Value;
use std::sync::LazyLock;

static BASES: LazyLock<Vec<(String, Case)>> = LazyLock::new(|| {
    let read = |document: &Value| {
        let text = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == text("kind")).unwrap();
        let mut case = Case::new(kind, document["spec"].clone());
        case.init_containers = document["initContainers"] == true;
        for (into, from) in
            case.backend_configs.iter_mut().zip(document["backendConfigs"].as_array().into_iter().flatten())
        {
            *into = from.clone();
        }
        (text("base"), case)
    };
    let documents: Vec<Value> = serde_yaml::from_str(include_str!("bases.yaml")).unwrap();
    documents.iter().map(read).collect()
});

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    BASES.iter().map(|(_, case)| case)
}

/// Those that are not named.
pub(crate) fn all_but(names: &[&str]) -> impl Iterator<Item = &'static Case> {
    BASES.iter().filter(|(name, _)| !names.contains(&name.as_str())).map(|(_, case)| case)
}

/// The one of this name.
pub(crate) fn named(name: &str) -> Case {
    BASES.iter().find(|(known, _)| known == name).unwrap().1.clone()
}

#[test]
fn the_bases_are_valid() {
    let refused: Vec<String> = BASES
        .iter()
        .filter_map(|(name, case)| Some(format!("{name}: {}", case.outcome().unwrap().err()?)))
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
