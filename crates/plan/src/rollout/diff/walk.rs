//! Walks through the two objects side by side.

use crate::rollout::diff::change::{Change, Fate, Place};
use crate::rollout::diff::held::Held;
use crate::rollout::diff::same::{absent, given, is_default, owned, same};
use crate::rollout::diff::shape::{self, Items, Shape};

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The operator's own annotations: they record the origin of the object, not its content.
const OURS: &str = "compute.functionmesh.io/";

/// A field of both objects, and which part of the live one would be removed.
struct Pair<'a> {
    desired: Option<&'a Value>,
    live: Option<&'a Value>,
    held: Held<'a>,
}

impl<'a> Pair<'a> {
    fn field(&self, name: &str) -> Self {
        let of = |value: Option<&'a Value>| given(name, value.and_then(|value| value.get(name)));
        let desired = of(self.desired);
        Self { desired, live: of(self.live), held: owned(name, desired, self.held.field(name)) }
    }

    /// Names of the fields of both, sorted.
    fn names(&self) -> BTreeSet<&'a String> {
        let objects = [self.desired, self.live].into_iter().flatten().filter_map(Value::as_object);
        objects.flat_map(Map::keys).collect()
    }

    fn same(&self, name: &str) -> bool {
        same(name, self.desired, self.live, &self.held)
    }

    /// The change of a differing value.
    fn fate(&self) -> Fate {
        match (self.desired, self.live) {
            (_, None) => Fate::Added,
            (None, Some(_)) => Fate::Removed,
            (Some(_), Some(_)) => Fate::Changed,
        }
    }
}

/// The differences found so far.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) changes: Vec<Change>,
}

impl Walk {
    /// The `StatefulSet` without its pod template.
    pub(super) fn set(&mut self, desired: &Value, live: &Value, held: &Held) {
        let root = Pair { desired: Some(desired), live: Some(live), held: held.clone() };
        self.fields(&Place::Set, "", &root.field("metadata"), shape::metadata);
        self.fields(&Place::Set, "", &root.field("spec"), shape::set);
    }

    /// The pod template.
    pub(super) fn pods(&mut self, desired: Option<&Value>, live: Option<&Value>, held: &Held) {
        let template = Pair { desired, live, held: held.clone() };
        let spec = template.field("spec");
        self.containers(&spec.field("containers"), Place::Container, "container order");
        self.containers(&spec.field("initContainers"), Place::InitContainer, "init container order");
        self.fields(&Place::Pod, "", &template.field("metadata"), shape::pod_metadata);
        self.fields(&Place::Pod, "", &spec, shape::pod);
    }

    fn found(&mut self, place: &Place, item: String, fate: Fate) {
        self.changes.push(Change { place: place.clone(), item, fate });
    }

    /// Containers in their order, then removed ones, then changes of the order.
    fn containers(&mut self, pair: &Pair, place: fn(String) -> Place, order: &str) {
        let name = |container: &Value| key(container, &["/name"]);
        let (desired, live) = (items(pair.desired), items(pair.live));
        for container in desired {
            let here = place(name(container));
            match live.iter().find(|other| name(other) == name(container)) {
                None => self.found(&here, String::new(), Fate::Added),
                Some(other) => {
                    let held = pair.held.item(other);
                    let both = Pair { desired: Some(container), live: Some(other), held };
                    self.fields(&here, "", &both, shape::container);
                }
            }
        }
        let wanted: BTreeSet<String> = desired.iter().map(name).collect();
        for other in
            live.iter().filter(|other| !wanted.contains(&name(other)) && pair.held.item(other).goes())
        {
            self.found(&place(name(other)), String::new(), Fate::Removed);
        }
        if reordered(
            &desired.iter().map(name).collect::<Vec<_>>(),
            &live.iter().map(name).collect::<Vec<_>>(),
        ) {
            self.found(&Place::Pod, order.to_owned(), Fate::Changed);
        }
    }

    /// The fields of an object, each compared by its shape.
    fn fields(&mut self, place: &Place, prefix: &str, pair: &Pair, shape: fn(&str) -> Shape) {
        for name in pair.names() {
            let (below, item) = (pair.field(name), format!("{prefix}{name}"));
            match shape(name) {
                Shape::Skipped => {}
                Shape::Fields(shape) => self.fields(place, &format!("{item}."), &below, shape),
                Shape::Map(word) => self.entries(place, word, &below),
                Shape::List(kind) => self.list(place, name, kind, &below),
                Shape::Whole | Shape::Shown if below.same(name) => {}
                Shape::Whole => self.found(place, item, below.fate()),
                Shape::Shown => self.found(place, item, shown(name, &below).unwrap_or_else(|| below.fate())),
            }
        }
    }

    /// The entries of a map of strings.
    fn entries(&mut self, place: &Place, word: &str, pair: &Pair) {
        for name in pair.names() {
            // Not by `Pair::field`: an empty label counts.
            let of = |value: Option<&Value>| value.and_then(|value| value.get(name)).cloned();
            let (desired, live) = (of(pair.desired), of(pair.live));
            let kept = desired.is_none() && !pair.held.field(name).goes();
            let ours = *place == Place::Set && word == "annotation" && name.starts_with(OURS);
            if desired != live && !kept && !ours {
                let both = Pair { desired: desired.as_ref(), live: live.as_ref(), held: Held::Nothing };
                self.found(place, format!("{word} {name}"), both.fate());
            }
        }
    }

    /// The items of a list, matched by their keys.
    fn list(&mut self, place: &Place, field: &str, kind: Items, pair: &Pair) {
        let (desired, live) = (keyed(pair.desired, kind.key), keyed(pair.live, kind.key));
        let keys: BTreeSet<&String> = desired.keys().chain(live.keys()).collect();
        for key in keys {
            let desired = desired.get(key).map(Vec::as_slice).unwrap_or_default();
            let live = live.get(key).map(Vec::as_slice).unwrap_or_default();
            let goes = |item: &&Value| pair.held.item(item).goes() && !is_default("", item);
            let fate = match (desired.is_empty(), live.is_empty()) {
                (_, true) => Fate::Added,
                (true, false) if live.iter().any(goes) => Fate::Removed,
                (true, false) => continue,
                (false, false) => {
                    let stays = |(desired, live): (&&Value, &&Value)| {
                        same("", Some(desired), Some(live), &pair.held.item(live))
                    };
                    // Objects that were never applied may have several items with one key.
                    if desired.len() == live.len() && desired.iter().zip(live).all(stays) {
                        continue;
                    }
                    Fate::Changed
                }
            };
            self.found(place, format!("{} {key}", kind.word), fate);
        }
        let order = |value| items(value).iter().map(|item| key(item, kind.key)).collect::<Vec<_>>();
        if kind.ordered && reordered(&order(pair.desired), &order(pair.live)) {
            self.found(place, format!("{field} order"), Fate::Changed);
        }
    }
}

/// Values that are not secret: numbers, booleans and names of images.
fn shown(field: &str, pair: &Pair) -> Option<Fate> {
    let harmless = |value: Value| match value {
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::String(text) => (field == "image").then_some(text),
        _ => None,
    };
    let of = |value: Option<&Value>| harmless(value.cloned().or_else(|| absent(field))?);
    Some(Fate::Became(of(pair.live)?, of(pair.desired)?))
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The key of an item as text. A port without a protocol is a TCP port, and its protocol is not shown.
fn key(item: &Value, key: &[&str]) -> String {
    let part = |path: &&str| match item.pointer(path)? {
        Value::String(text) if *path == "/protocol" && text == "TCP" => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    key.iter().filter_map(part).collect::<Vec<_>>().join("/")
}

fn keyed<'a>(list: Option<&'a Value>, by: &[&str]) -> BTreeMap<String, Vec<&'a Value>> {
    let mut keyed = BTreeMap::<_, Vec<_>>::new();
    for item in items(list) {
        keyed.entry(key(item, by)).or_default().push(item);
    }
    keyed
}

/// Whether the items in both lists have another order.
fn reordered(desired: &[String], live: &[String]) -> bool {
    let common = |these: &[String], others: &[String]| -> Vec<String> {
        these.iter().filter(|name| others.contains(name)).cloned().collect()
    };
    common(desired, live) != common(live, desired)
}
