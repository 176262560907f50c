//! The items of a FunctionMesh, and the names of the components that they become.

use crate::constants::MAX_NAME_LENGTH;
use crate::kind::Kind;
use functionmesh_objects::hash::hash_of;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// An item that becomes a component.
#[derive(Clone, Debug, PartialEq)]
pub struct MeshItem {
    /// Kind of the component.
    pub kind: Kind,
    /// Name of the component.
    pub name: String,
    /// Name in the mesh.
    pub item: String,
    /// The item: the `spec` of the component.
    pub spec: Map<String, Value>,
}

/// The value of the label that names the mesh of a component: its name, or a hash of a name that is longer than a label can be.
pub fn mesh_label(mesh: &str) -> String {
    if mesh.len() <= 63 { mesh.to_owned() } else { hash_of(mesh.as_bytes()) }
}

/// The items of the mesh with this name and `spec`, and what is wrong with others. A wrong one does not stop the rest; nor does
/// it mean that its component is not desired: while there is one, no component is deleted.
pub fn mesh_items(mesh: &str, spec: &Value) -> (Vec<MeshItem>, Vec<String>) {
    let (mut items, mut problems) = (Vec::new(), Vec::new());
    for kind in Kind::ALL {
        let mut names = BTreeSet::new();
        let list = match spec.get(kind.plural()) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(list)) => list,
            Some(_) => {
                problems.push(format!("spec.{}: must be a list", kind.plural()));
                continue;
            }
        };
        for (i, item) in list.iter().enumerate() {
            let field = format!("spec.{}[{i}].name", kind.plural());
            let spec = item.as_object().cloned().unwrap_or_default();
            let Some(item) = spec.get("name").and_then(Value::as_str).filter(|n| !n.is_empty()) else {
                problems.push(format!("{field}: must be set: it becomes part of the component's name"));
                continue;
            };
            let (item, name) = (item.to_owned(), format!("{mesh}-{item}"));
            if name.len() > MAX_NAME_LENGTH {
                problems.push(format!(
                    "{field}: the component's name {name:?} would have {} characters, at most {MAX_NAME_LENGTH} are possible; \
                     shorten this name or that of the mesh",
                    name.len()
                ));
            } else if !is_dns_label(&item) {
                problems.push(format!(
                    "{field}: must be lowercase letters, digits and dashes, with a letter or digit at both ends, \
                     is {item:?}"
                ));
            } else if !names.insert(name.clone()) {
                problems.push(format!("{field}: {item:?} is used twice; the first one counts"));
            } else {
                items.push(MeshItem { kind, name, item, spec });
            }
        }
    }
    (items, problems)
}

fn is_dns_label(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(plain) && name.ends_with(plain) && name.chars().all(|c| plain(c) || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_at_most_63_characters() {
        assert_eq!(mesh_label(&"m".repeat(63)), "m".repeat(63));
        let long = mesh_label(&"m".repeat(64));
        assert!(long.len() <= 63 && long != mesh_label(&"n".repeat(64)), "{long}");
    }
}
