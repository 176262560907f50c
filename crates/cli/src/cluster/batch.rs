//! Many objects with few calls of kubectl, whose start costs more than a request.

use super::item::Item;
use super::kubectl::Connection;
use super::parallel::{AT_ONCE, each};
use crate::terminal::progress;
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most objects of a call: when one of them is refused, kubectl prints nothing about the others, which have to be sent
/// again. kubectl also slows itself down beyond some hundred requests.
const MOST: usize = 25;
/// Objects of a call after one that failed.
const FEW: usize = 5;

/// Kind, namespace and name of an object.
pub(crate) type Key = (String, String, String);

/// The key of an object that kubectl printed.
pub(crate) fn key(object: &Value) -> Key {
    let Item { kind, namespace, name, .. } = Item::of(object.clone());
    (kind, namespace, name)
}

impl Connection {
    /// Runs kubectl for each object as its standard input, many at a time: what it prints about each, in their order, or
    /// why it fails.
    pub(crate) fn json_of_each(&self, words: &[&str], objects: &[Value]) -> Vec<Result<Value>> {
        let done = AtomicUsize::new(0);
        let chunks: Vec<&[Value]> = objects.chunks(MOST).collect();
        let answers = each(&chunks, AT_ONCE, |chunk| {
            let answers = self.chunk(words, chunk);
            let number = done.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len();
            progress(&format!("{number} of {} objects tried", objects.len()));
            answers
        });
        answers.into_iter().flatten().collect()
    }

    /// The same with one call, or with several after a failure.
    fn chunk(&self, words: &[&str], objects: &[Value]) -> Vec<Result<Value>> {
        let list = match objects {
            [object] => return vec![self.json_of(words, object)],
            _ => json!({"apiVersion": "v1", "kind": "List", "items": objects}),
        };
        match self.stream_of(words, &list) {
            Ok(answers) if answers.len() == objects.len() => answers.into_iter().map(Ok).collect(),
            Err(error) if concerns_all(&error) => objects.iter().map(|_| Err(anyhow!("{error:#}"))).collect(),
            _ => {
                let then = if objects.len() > FEW { FEW } else { 1 };
                objects.chunks(then).flat_map(|few| self.chunk(words, few)).collect()
            }
        }
    }

    /// Those of the objects that exist, with `managedFields`, as the cluster has them. Only their kind, namespace and name
    /// are read.
    ///
    /// # Errors
    /// When kubectl is missing or fails, with its own words.
    pub(crate) fn live(&self, objects: &[Value]) -> Result<BTreeMap<Key, Value>> {
        let names: Vec<Value> = objects
            .iter()
            .map(|object| {
                let (_, namespace, name) = key(object);
                json!({"apiVersion": object.get("apiVersion"), "kind": object.get("kind"),
                    "metadata": {"name": name, "namespace": namespace}})
            })
            .collect();
        let chunks: Vec<&[Value]> = names.chunks(MOST * 4).collect();
        let words = ["get", "--ignore-not-found", "--show-managed-fields", "--filename=-"];
        let found = each(&chunks, AT_ONCE, |chunk| {
            self.stream_of(&words, &json!({"apiVersion": "v1", "kind": "List", "items": chunk}))
        });
        let found = found.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(found.into_iter().flatten().map(|object| (key(&object), object)).collect())
    }

    /// What kubectl prints with a list as its input: one list, or one object after the other.
    fn stream_of(&self, words: &[&str], list: &Value) -> Result<Vec<Value>> {
        let text = self.text(&[words, &["--output=json"]].concat(), Some(list))?;
        let mut objects = Vec::new();
        for printed in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            let mut printed = printed.context("kubectl printed no JSON")?;
            match printed.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => objects.extend(items),
                Some(_) => bail!("kubectl printed a list without items"),
                None => objects.push(printed),
            }
        }
        Ok(objects)
    }
}

/// Whether an error has nothing to do with any of the objects.
fn concerns_all(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    ["Unable to connect", "The connection to the server", "You must be logged in", "cannot run kubectl"]
        .iter()
        .any(|words| text.contains(words))
}
