//! What to write: the items against the components that are there. Pure.

use crate::children::Seen;
use crate::items::{Wanted, contained};

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Make a component that was not seen.
    Create(Wanted),
    /// Bring a component back to its item.
    Update(Wanted),
    /// Remove a component that left the mesh.
    Delete(String),
}

impl Step {
    /// The component that is written.
    pub fn written(&self) -> Option<&str> {
        match self {
            Self::Create(item) | Self::Update(item) => Some(&item.name),
            Self::Delete(_) => None,
        }
    }
}

/// What to do for one mesh.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<(crate::items::Kind, Step)>,
    /// Components whose name is taken by an object of somebody else.
    pub conflicts: Vec<String>,
}

/// Compares. A component that did not change is never touched; one of somebody else neither.
pub fn plan(wanted: &[Wanted], seen: &[Seen], mesh_uid: &str) -> Plan {
    let mut plan = Plan::default();
    for item in wanted {
        let live = seen.iter().find(|s| s.kind == item.kind && s.name == item.name);
        let step = match live {
            None => Step::Create(item.clone()),
            // Deleted by somebody: made again once it is gone.
            Some(live) if live.leaving => continue,
            Some(live) if live.controller.as_deref() != Some(mesh_uid) => {
                plan.conflicts.push(format!("{} {}", item.kind.name(), item.name));
                continue;
            }
            Some(live)
                if live.hash.as_ref() == Some(&item.hash)
                    // What cannot be read cannot be compared: it was written by another field manager, whose fields
                    // another write of the item would not remove. The component's own status reports it.
                    && (live.spec.is_null() || contained(&item.spec, &live.spec)) =>
            {
                continue;
            }
            Some(_) => Step::Update(item.clone()),
        };
        plan.steps.push((item.kind, step));
    }
    let ours = seen.iter().filter(|s| s.controller.as_deref() == Some(mesh_uid) && !s.leaving);
    for live in ours.filter(|s| !wanted.iter().any(|w| w.kind == s.kind && w.name == s.name)) {
        plan.steps.push((live.kind, Step::Delete(live.name.clone())));
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::{Kind, items};
    use serde_json::json;

    fn live(wanted: &Wanted, controller: &str) -> Seen {
        Seen {
            kind: wanted.kind,
            name: wanted.name.clone(),
            controller: Some(controller.to_owned()),
            leaving: false,
            hash: Some(wanted.hash.clone()),
            spec: wanted.spec.clone().into(),
            ready: None,
            progressing: None,
        }
    }

    #[test]
    fn only_what_changed_is_touched() {
        let spec = json!({"functions": [{"name": "a"}, {"name": "b", "className": "B"}, {"name": "c"}, {"name": "d"}]});
        let (wanted, _) = items("m", &spec);
        let mut edited = live(&wanted[1], "uid");
        edited.spec["className"] = json!("Other");
        let mut old = live(&wanted[2], "uid");
        old.hash = Some("of an older item".to_owned());
        let mut gone = live(&wanted[0], "uid");
        gone.name = "m-z".to_owned();
        let seen = [live(&wanted[0], "uid"), edited, old, gone];
        let plan = plan(&wanted, &seen, "uid");
        let want = [
            (Kind::Function, Step::Update(wanted[1].clone())),
            (Kind::Function, Step::Update(wanted[2].clone())),
            (Kind::Function, Step::Create(wanted[3].clone())),
            (Kind::Function, Step::Delete("m-z".to_owned())),
        ];
        assert_eq!(plan.steps, want);
        assert!(plan.conflicts.is_empty());
    }

    #[test]
    fn a_component_that_cannot_be_read_is_written_once() {
        let (wanted, _) = items("m", &json!({"sinks": [{"name": "a"}]}));
        let mut unreadable = live(&wanted[0], "uid");
        unreadable.spec = serde_json::Value::Null;
        assert!(plan(&wanted, &[unreadable.clone()], "uid").steps.is_empty());
        unreadable.hash = Some("of an older item".to_owned());
        assert_eq!(plan(&wanted, &[unreadable], "uid").steps.len(), 1);
    }

    #[test]
    fn objects_of_others_are_left_alone() {
        let (wanted, _) = items("m", &json!({"sinks": [{"name": "a"}]}));
        let mut foreign = live(&wanted[0], "other");
        foreign.hash = None;
        let plan_of = |seen: &[Seen]| plan(&wanted, seen, "uid");
        assert_eq!(plan_of(&[foreign.clone()]).conflicts, ["Sink m-a"]);
        assert!(plan_of(&[foreign]).steps.is_empty());
        assert!(plan(&[], &[live(&wanted[0], "other")], "uid").steps.is_empty());
        let mut leaving = live(&wanted[0], "uid");
        leaving.leaving = true;
        assert_eq!(plan_of(&[leaving]), Plan::default());
    }
}
