//! Plans the writes of a mesh: desired components against observed ones. Pure.

use crate::children::{LiveSpec, ObservedComponent, Owner};
use crate::items::{DesiredComponent, Kind};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Create a component that was not observed.
    Create(DesiredComponent),
    /// Apply the item to its component.
    Update(DesiredComponent),
    /// Change the field ownership of a component that matches its item.
    Settle(DesiredComponent),
    /// Delete a component that is no longer in the mesh.
    Delete(String),
}

impl Step {
    /// The component that is written.
    pub(crate) fn written(&self) -> Option<&str> {
        match self {
            Self::Create(item) | Self::Update(item) | Self::Settle(item) => Some(&item.name),
            Self::Delete(_) => None,
        }
    }
}

/// The plan for one mesh.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// The steps, in this order.
    pub(crate) steps: Vec<(Kind, Step)>,
    /// Components whose name is taken by an object of another owner.
    pub(crate) conflicts: Vec<String>,
    /// Components without an item that are kept because some items do not decode: one of those may be theirs.
    pub(crate) kept: Vec<String>,
}

/// Compares the components. An unchanged component is not written, nor one of another owner. Every component has to carry
/// `labels`. `complete` is true if every item decodes: otherwise nothing is deleted.
pub(crate) fn plan(
    desired: &[DesiredComponent],
    observed: &[ObservedComponent],
    labels: &BTreeMap<String, String>,
    complete: bool,
) -> Plan {
    let mut plan = Plan::default();
    let by_name: HashMap<_, _> =
        observed.iter().map(|live| ((live.kind, live.name.as_str()), live)).collect();
    for item in desired {
        let step = match by_name.get(&(item.kind, item.name.as_str())) {
            None => Step::Create(item.clone()),
            Some(live) => match live.owner {
                Owner::Foreign => {
                    plan.conflicts.push(format!("{} {}", item.kind.name(), item.name));
                    continue;
                }
                // Recreated after its deletion.
                Owner::Predecessor => continue,
                Owner::Ours | Owner::Orphan if live.terminating => continue,
                Owner::Ours if is_current(live, labels) => {
                    if live.spec == LiveSpec::Unreadable || item.is_settled(live.owners) {
                        continue;
                    }
                    Step::Settle(item.clone())
                }
                Owner::Ours | Owner::Orphan => Step::Update(item.clone()),
            },
        };
        plan.steps.push((item.kind, step));
    }
    let ours = observed.iter().filter(|s| s.owner == Owner::Ours && !s.terminating);
    let wanted: HashSet<_> = desired.iter().map(|item| (item.kind, item.name.as_str())).collect();
    for live in ours.filter(|live| !wanted.contains(&(live.kind, live.name.as_str()))) {
        if complete {
            plan.steps.push((live.kind, Step::Delete(live.name.clone())));
        } else {
            plan.kept.push(format!("{} {}", live.kind.name(), live.name));
        }
    }
    plan
}

/// Whether a component does not have to be written: its spec is that of its item, as far as it can be read, and it has its labels.
fn is_current(live: &ObservedComponent, labels: &BTreeMap<String, String>) -> bool {
    live.spec != LiveSpec::Different && labels.iter().all(|(key, value)| live.labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::items;
    use functionmesh_objects::managed_fields::Owners;
    use serde_json::json;

    fn live(desired: &DesiredComponent, owner: Owner) -> ObservedComponent {
        ObservedComponent {
            kind: desired.kind,
            name: desired.name.clone(),
            owner,
            terminating: false,
            spec: LiveSpec::Current,
            labels: BTreeMap::new(),
            owners: Owners::default(),
            ready: None,
            progressing: None,
            was_ready: false,
        }
    }

    fn plan_of(desired: &[DesiredComponent], observed: &[ObservedComponent]) -> Plan {
        plan(desired, observed, &BTreeMap::new(), true)
    }

    #[test]
    fn only_what_changed_is_touched() {
        let spec = json!({"functions": [{"name": "a"}, {"name": "b", "className": "B"}, {"name": "c"}, {"name": "d"}]});
        let (desired, _) = items("m", &spec);
        let mut edited = live(&desired[1], Owner::Ours);
        edited.spec = LiveSpec::Different;
        let mut gone = live(&desired[0], Owner::Ours);
        gone.name = "m-z".to_owned();
        let observed = [live(&desired[0], Owner::Ours), edited, live(&desired[2], Owner::Ours), gone];
        let want = [
            (Kind::Function, Step::Update(desired[1].clone())),
            (Kind::Function, Step::Create(desired[3].clone())),
            (Kind::Function, Step::Delete("m-z".to_owned())),
        ];
        let plan = plan_of(&desired, &observed);
        assert_eq!(plan, Plan { steps: want.to_vec(), ..Plan::default() });
    }

    #[test]
    fn nothing_is_deleted_while_an_item_cannot_be_read() {
        let spec = json!({"functions": [{"name": "a"}, {"name": "b"}]});
        let (desired, _) = items("m", &spec);
        let observed = [live(&desired[0], Owner::Ours), live(&desired[1], Owner::Ours)];
        let (fewer, invalid) = items("m", &json!({"functions": [{"name": "a"}, {"name": ""}]}));
        assert_eq!(invalid.len(), 1);
        let plan = plan(&fewer, &observed, &BTreeMap::new(), false);
        assert_eq!(plan, Plan { kept: vec!["Function m-b".to_owned()], ..Plan::default() });
        assert_eq!(plan_of(&fewer, &observed).steps, [(Kind::Function, Step::Delete("m-b".to_owned()))]);
    }

    #[test]
    fn a_component_that_cannot_be_read_is_written_once() {
        let (desired, _) = items("m", &json!({"sinks": [{"name": "a", "className": "A"}]}));
        let mut unreadable = live(&desired[0], Owner::Ours);
        unreadable.spec = LiveSpec::Unreadable;
        assert_eq!(plan_of(&desired, &[unreadable.clone()]), Plan::default());
        unreadable.spec = LiveSpec::Different;
        assert_eq!(plan_of(&desired, &[unreadable]).steps.len(), 1, "its item changed");
    }

    #[test]
    fn owners_are_settled_when_nothing_else_differs() {
        let spec = json!({"functions": [{"name": "a", "replicas": 1}, {"name": "b", "replicas": 1, "maxReplicas": 3}, {"name": "c"}]});
        let (desired, _) = items("m", &spec);
        let steps = |owners: Owners| {
            let observed: Vec<_> =
                desired.iter().map(|w| ObservedComponent { owners, ..live(w, Owner::Ours) }).collect();
            let steps = plan_of(&desired, &observed).steps.into_iter();
            steps.map(|(_, step)| step).collect::<Vec<_>>()
        };
        let settle =
            |items: &[usize]| items.iter().map(|i| Step::Settle(desired[*i].clone())).collect::<Vec<_>>();
        assert_eq!(steps(Owners::default()), []);
        assert_eq!(steps(Owners { replicas_chosen: true, ..Owners::default() }), []);
        assert_eq!(steps(Owners { shared: true, ..Owners::default() }), settle(&[0, 1, 2]));
        assert_eq!(steps(Owners { mesh_owns_replicas: true, ..Owners::default() }), settle(&[1, 2]));
    }

    #[test]
    fn objects_of_others_are_not_touched() {
        let (desired, _) = items("m", &json!({"sinks": [{"name": "a"}]}));
        let foreign = live(&desired[0], Owner::Foreign);
        let conflict = Plan { conflicts: vec!["Sink m-a".to_owned()], ..Plan::default() };
        assert_eq!(plan_of(&desired, std::slice::from_ref(&foreign)), conflict);
        assert_eq!(plan_of(&[], &[foreign]), Plan::default());
        for owner in [Owner::Ours, Owner::Orphan] {
            let terminating = ObservedComponent { terminating: true, ..live(&desired[0], owner) };
            assert_eq!(plan_of(&desired, &[terminating]), Plan::default(), "{owner:?}");
        }
        assert_eq!(plan_of(&desired, &[live(&desired[0], Owner::Predecessor)]), Plan::default());
    }

    #[test]
    fn an_orphan_is_adopted_if_desired_and_never_deleted() {
        let (desired, _) = items("m", &json!({"sinks": [{"name": "a"}]}));
        let orphan = live(&desired[0], Owner::Orphan);
        let adopted = (Kind::Sink, Step::Update(desired[0].clone()));
        assert_eq!(plan_of(&desired, std::slice::from_ref(&orphan)).steps, [adopted]);
        assert_eq!(plan_of(&[], &[orphan]), Plan::default());
    }

    #[test]
    fn a_component_without_the_label_of_its_shard_is_written() {
        let (desired, _) = items("m", &json!({"sinks": [{"name": "a"}]}));
        let shard = BTreeMap::from([("shard".to_owned(), "a".to_owned())]);
        let mut live = live(&desired[0], Owner::Ours);
        live.labels = BTreeMap::from([("other".to_owned(), "x".to_owned())]);
        assert_eq!(plan(&desired, &[live.clone()], &shard, true).steps.len(), 1);
        live.labels.extend(shard.clone());
        assert_eq!(plan(&desired, &[live], &shard, true), Plan::default());
    }
}
