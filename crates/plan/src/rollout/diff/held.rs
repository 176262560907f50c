//! Which fields of a live object would be removed if they were no longer applied.
//!
//! The API server lists the fields that each manager owns as a tree: `f:name` is a field, `k:{...}` the item of a list with these
//! keys, `v:...` an item of a set, and an empty object everything below.

use serde_json::Value;

/// The fields that would be removed.
#[derive(Clone, Debug)]
pub(super) enum Held<'a> {
    /// None: other managers own them.
    Nothing,
    /// All.
    All,
    /// Those that the operator owns and no other manager.
    Fields {
        /// What the operator applied.
        ours: Vec<&'a Value>,
        /// What all other managers own.
        others: Vec<&'a Value>,
    },
}

impl<'a> Held<'a> {
    /// The fields of an object that a manager applied; `None` if it never applied it.
    pub(super) fn by(manager: &str, live: &'a Value) -> Option<Self> {
        let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array)?;
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        for entry in entries {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let Some(fields) = entry.get("fieldsV1").filter(|_| text("subresource").is_empty()) else {
                continue;
            };
            let by_us = text("manager") == manager && text("operation") == "Apply";
            if by_us { ours.push(fields) } else { others.push(fields) }
        }
        (!ours.is_empty()).then_some(Self::Fields { ours, others })
    }

    /// The part below a field.
    pub(super) fn field(&self, name: &str) -> Self {
        let key = format!("f:{name}");
        self.below(|tree| tree.get(&key))
    }

    /// The part below an item of a list, found by the keys by which the list is merged.
    pub(super) fn item(&self, item: &Value) -> Self {
        self.below(|tree| {
            let entries = tree.as_object().into_iter().flatten();
            entries.into_iter().find(|(path, _)| names(path, item)).map(|(_, below)| below)
        })
    }

    /// Whether the field here would be removed.
    pub(super) fn goes(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Fields { others, .. } => others.is_empty(),
        }
    }

    fn below(&self, find: impl Fn(&'a Value) -> Option<&'a Value>) -> Self {
        let Self::Fields { ours, others } = self else { return self.clone() };
        let whole = |tree: &Value| tree.as_object().is_some_and(serde_json::Map::is_empty);
        let step = |trees: &[&'a Value]| -> Vec<&'a Value> {
            trees.iter().filter_map(|tree| if whole(tree) { Some(*tree) } else { find(tree) }).collect()
        };
        match (step(ours), step(others)) {
            (ours, _) if ours.is_empty() => Self::Nothing,
            (ours, others) => Self::Fields { ours, others },
        }
    }
}

/// Whether an element of a path denotes an item of a list.
fn names(path: &str, item: &Value) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    match path.split_once(':') {
        Some(("k", keys)) => parse(keys)
            .and_then(|keys| Some(keys.as_object()?.iter().all(|(key, value)| item.get(key) == Some(value))))
            .unwrap_or_default(),
        Some(("v", value)) => parse(value).as_ref() == Some(item),
        _ => false,
    }
}
