//! What the API server says about the StatefulSets of a plan: it may refuse one, and only it knows its defaults.

use super::entry::{Entry, Fate};
use crate::cluster::kubectl::Connection;
use anyhow::Result;
use functionmesh_plan::forecast::Forecast;
use functionmesh_plan::health::reason::Reason;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A StatefulSet that the controllers would write.
pub(super) struct Trial {
    /// Index of its entry.
    pub(super) at: usize,
    /// As it would be applied.
    pub(super) set: Value,
    /// As it is, if it exists.
    pub(super) live: Option<Value>,
    /// Whether the fields of all others are taken over before.
    pub(super) is_taken: bool,
    /// Field manager of the controller.
    pub(super) manager: String,
}

/// Corrects the forecasts of the entries by what the API server answers to dry runs.
pub(super) fn confirm(trials: Vec<Trial>, entries: &mut [Entry], cluster: &Connection) {
    let mut alike: BTreeMap<(bool, String), Vec<Trial>> = BTreeMap::new();
    for trial in trials {
        alike.entry((trial.is_taken, trial.manager.clone())).or_default().push(trial);
    }
    let mut is_untried = false;
    for ((is_taken, manager), trials) in alike {
        let manager = format!("--field-manager={manager}");
        let (words, sets): (Vec<&str>, Vec<Value>) = if is_taken {
            // When the fields of all others are taken over first, a new StatefulSet shows what is left.
            let words = vec!["create", "--dry-run=server", "--filename=-"];
            (words, trials.iter().map(|trial| unnamed(&trial.set)).collect())
        } else {
            let words = vec![
                "apply",
                "--dry-run=server",
                "--show-managed-fields",
                "--filename=-",
                "--server-side",
                "--force-conflicts",
                &manager,
            ];
            (words, trials.iter().map(|trial| with_kind(&trial.set)).collect())
        };
        for (trial, answer) in trials.iter().zip(cluster.json_of_each(&words, &sets)) {
            let is_of_caller = answer.as_ref().err().is_some_and(is_of_caller);
            if let (true, Err(error)) = (is_of_caller && !is_untried, &answer) {
                is_untried = true;
                eprintln!(
                    "Warning: you may not write StatefulSets, so whether the API server takes them is not known: {error:#}"
                );
            }
            if let (Some(Entry { fate: Fate::Forecast(forecast), .. }), false) =
                (entries.get_mut(trial.at), is_of_caller)
            {
                *forecast = confirmed(forecast.clone(), answer, trial);
            }
        }
    }
}

/// The forecast after the answer of the API server.
fn confirmed(forecast: Forecast, answer: Result<Value>, trial: &Trial) -> Forecast {
    let stored = match answer {
        Ok(stored) => stored,
        Err(error) => return Forecast::Refused(Reason::ApplyFailed, format!("{error:#}")),
    };
    let Some(live) = &trial.live else { return forecast };
    let differs = |pointer| live.pointer(pointer) != stored.pointer(pointer);
    match forecast {
        Forecast::Restarts { changes, .. } | Forecast::Changes(changes) => {
            if differs("/spec/template") {
                let pods = live.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
                Forecast::Restarts { pods, changes, recreates: false }
            } else if trial.is_taken || differs("/metadata/generation") {
                Forecast::Changes(changes)
            } else {
                Forecast::Unchanged
            }
        }
        forecast => forecast,
    }
}

/// Rendered objects name neither their kind nor their version.
fn with_kind(set: &Value) -> Value {
    let mut set = set.clone();
    if let Some(fields) = set.as_object_mut() {
        fields.insert("apiVersion".to_owned(), json!("apps/v1"));
        fields.insert("kind".to_owned(), json!("StatefulSet"));
    }
    set
}

/// The same as another object, which the API server names.
fn unnamed(set: &Value) -> Value {
    let mut set = with_kind(set);
    if let Some(metadata) = set.get_mut("metadata").and_then(Value::as_object_mut)
        && let Some(Value::String(name)) = metadata.remove("name")
    {
        metadata.insert("generateName".to_owned(), Value::String(name + "-"));
    }
    set
}

/// Whether the API server refused the caller, and not the object.
fn is_of_caller(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    text.contains("(Forbidden)") && text.contains("cannot ")
}
