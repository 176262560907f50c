//! What a plan says, as text and as JSON.

use super::entry::{Deletion, Entry, Fate};
use super::takeover::Takeover;
use crate::terminal::{Colour, coloured, plural, wrapped};
use functionmesh_plan::forecast::{Forecast, Origin};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Columns of the names.
const NAME: usize = 44;
/// Exit code when pods restart.
const RESTARTS: u8 = 2;

/// An update that awaits approval.
struct Waits<'a> {
    hash: &'a str,
    message: &'a str,
    pods: i64,
    immutable: &'a [&'static str],
}

impl Entry {
    /// Pods that are replaced or deleted.
    fn pods(&self) -> i64 {
        match &self.fate {
            Fate::Forecast(Forecast::Restarts { pods, .. }) | Fate::Deleted(Deletion { pods, .. }) => *pods,
            _ => 0,
        }
    }

    /// Its update that awaits approval, if one does.
    fn waits(&self) -> Option<Waits<'_>> {
        let Fate::Forecast(Forecast::Waits { hash, message, pods, immutable, .. }) = &self.fate else {
            return None;
        };
        Some(Waits { hash, message, pods: *pods, immutable })
    }

    /// What comes before everything else that is done.
    fn taken(&self, then: &str) -> String {
        let is_taken = self.origin == Some(Origin::GoOperator);
        if is_taken { format!("taken over, {then}") } else { String::new() }
    }

    /// One word for programs, one for people, and what else there is to read.
    fn summary(&self) -> (&'static str, String, Vec<String>) {
        let pods = |number: i64| plural(usize::try_from(number).unwrap_or_default(), "pod");
        let changes = |changes: &[functionmesh_plan::rollout::diff::change::Change]| {
            changes.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        match &self.fate {
            Fate::Mesh => ("Mesh", "its components follow".to_owned(), Vec::new()),
            Fate::Config => ("BackendConfig", "its components follow".to_owned(), Vec::new()),
            Fate::Refused(message) => ("Refused", "refused".to_owned(), vec![message.clone()]),
            Fate::Absent => ("Absent", "not in the cluster".to_owned(), Vec::new()),
            Fate::Kept => (
                "Kept",
                "kept, although it left its mesh: the mesh has an invalid item".to_owned(),
                Vec::new(),
            ),
            Fate::Deleted(Deletion { pods: number, lines, hangs }) => {
                let what = match self.kind.as_str() {
                    "FunctionMesh" => "deleted; its components follow".to_owned(),
                    _ => format!("deleted with {}", pods(*number)),
                };
                let hangs = hangs.iter().map(|why| format!("the deletion hangs {why}"));
                ("Deleted", what, lines.iter().cloned().chain(hangs).collect())
            }
            Fate::Forecast(forecast) => match forecast {
                Forecast::Unmanaged => ("Unmanaged", "not managed".to_owned(), Vec::new()),
                Forecast::Invalid(message) => ("Invalid", "invalid".to_owned(), vec![message.clone()]),
                Forecast::Refused(reason, message) => {
                    ("Refused", format!("refused ({reason})"), vec![message.clone()])
                }
                Forecast::Creates(number) => {
                    ("Created", format!("created with {}", pods(*number)), Vec::new())
                }
                Forecast::Unchanged => ("Unchanged", "unchanged".to_owned(), Vec::new()),
                Forecast::Changes(all) => ("Changed", "changed without a restart".to_owned(), changes(all)),
                Forecast::Restarts { pods: number, changes: all, recreates } => {
                    let how = if *recreates { "recreates its StatefulSet and restarts" } else { "restarts" };
                    ("Restarts", format!("{}{how} {}", self.taken("then "), pods(*number)), changes(all))
                }
                Forecast::Waits { reason, hash, changes: all, immutable, .. } => {
                    let verb = if immutable.is_empty() { "approve" } else { "recreate" };
                    let mut lines = changes(all);
                    lines.push(format!(
                        "kubectl fmesh {verb} {} {} --namespace {} (hash {hash})",
                        self.kind.to_lowercase(),
                        self.name,
                        self.namespace
                    ));
                    let taken = self.taken("");
                    ("Waits", format!("{taken}unchanged; an update waits for approval ({reason})"), lines)
                }
            },
        }
    }
}

/// The plan of all objects.
pub(crate) struct Report(pub(crate) Vec<Entry>);

impl Report {
    /// For people: the totals come first.
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![self.totals()];
        lines.extend(Takeover::of(&self.0).iter().flat_map(Takeover::lines).map(|line| wrapped(&line, "")));
        for entry in &self.0 {
            let (_, what, details) = entry.summary();
            let name = format!("{} {}/{}", entry.kind.to_lowercase(), entry.namespace, entry.name);
            let what = match entry.pods() {
                _ if entry.is_failed() => coloured(&what, Colour::Red),
                1.. => coloured(&what, Colour::Yellow),
                _ => what,
            };
            lines.push(format!("{name:NAME$} {what}"));
            let warning = entry.unsafe_settings.as_ref().map(|found| format!("dangerous: {found}"));
            lines
                .extend(entry.edits.iter().chain(&details).chain(&warning).map(|line| wrapped(line, "    ")));
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }

    fn totals(&self) -> String {
        let count = |wanted: fn(&Fate) -> bool| self.0.iter().filter(|entry| wanted(&entry.fate)).count();
        let parts = [
            ("restart", count(|f| matches!(f, Fate::Forecast(Forecast::Restarts { .. })))),
            ("deleted", count(|f| matches!(f, Fate::Deleted(_)))),
            ("created", count(|f| matches!(f, Fate::Forecast(Forecast::Creates(_))))),
            ("changed without a restart", count(|f| matches!(f, Fate::Forecast(Forecast::Changes(_))))),
            ("waiting for approval", count(|f| matches!(f, Fate::Forecast(Forecast::Waits { .. })))),
            ("unchanged", count(|f| matches!(f, Fate::Forecast(Forecast::Unchanged | Forecast::Unmanaged)))),
            ("refused", self.0.iter().filter(|entry| entry.is_failed() && !entry.is_hanging()).count()),
            ("hanging", self.0.iter().filter(|entry| entry.is_hanging()).count()),
        ];
        let totals: Vec<String> =
            parts.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{n} {what}")).collect();
        let pods: i64 = self.0.iter().map(Entry::pods).sum();
        let objects = if totals.is_empty() { "none".to_owned() } else { totals.join(", ") };
        format!(
            "Restarts or deletes {}. Objects: {objects}.",
            plural(usize::try_from(pods).unwrap_or_default(), "pod")
        )
    }

    /// For programs: `docs/kubectl-fmesh.md` has the fields.
    pub(crate) fn json(&self) -> Value {
        let items: Vec<Value> = self
            .0
            .iter()
            .map(|entry| {
                let (result, _, details) = entry.summary();
                let waits = entry.waits();
                let reason = match &entry.fate {
                    Fate::Forecast(Forecast::Waits { reason, .. } | Forecast::Refused(reason, _)) => Some(reason.as_str()),
                    _ => None,
                };
                let hangs = match &entry.fate {
                    Fate::Deleted(deletion) => deletion.hangs.as_deref(),
                    _ => None,
                };
                json!({
                    "kind": entry.kind, "namespace": entry.namespace, "name": entry.name, "result": result,
                    "pods": entry.pods(), "edits": entry.edits, "details": details, "reason": reason,
                    "hash": waits.as_ref().map(|waits| waits.hash), "message": waits.as_ref().map(|waits| waits.message),
                    "pendingPods": waits.as_ref().map_or(0, |waits| waits.pods),
                    "immutable": waits.as_ref().map_or(&[][..], |waits| waits.immutable),
                    "origin": entry.origin.map(word), "unsafeSettings": entry.unsafe_settings, "hangs": hangs,
                })
            })
            .collect();
        let pods: i64 = self.0.iter().map(Entry::pods).sum();
        let takeover = Takeover::of(&self.0).map(|takeover| takeover.json());
        json!({
            "apiVersion": "cli.functionmesh.io/v1", "kind": "PlanReport", "pods": pods, "takeover": takeover,
            "items": items,
        })
    }

    /// 0 when no pod restarts, 2 when some do, 1 when something is refused.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.0.iter().any(Entry::is_failed) {
            ExitCode::FAILURE
        } else if self.0.iter().any(|entry| entry.pods() > 0) {
            ExitCode::from(RESTARTS)
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// In the word of the documentation.
fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::GoOperator => "GoOperator",
        Origin::Adopted => "Adopted",
        Origin::Rendered => "Rendered",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use functionmesh_plan::health::reason::Reason;
    use std::collections::BTreeSet;

    fn entry(fate: Fate) -> Entry {
        let text = |text: &str| text.to_owned();
        let origin = Some(Origin::GoOperator);
        Entry { origin, running: 2, ..Entry::new(text("Function"), text("a"), text("b"), fate) }
    }

    fn waits() -> Fate {
        let (reason, text) = (Reason::AdoptedFromGoOperator, String::new);
        let (changes, immutable) = (Vec::new(), vec!["serviceName"]);
        Fate::Forecast(Forecast::Waits { reason, pods: 2, hash: text(), changes, immutable, message: text() })
    }

    /// Paths of the fields, those of a list with `[]`.
    fn paths(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
        for (key, value) in value.as_object().into_iter().flatten() {
            let path = format!("{prefix}{key}");
            paths(&format!("{path}."), value, found);
            for item in value.as_array().into_iter().flatten().filter(|item| item.is_object()) {
                paths(&format!("{path}[]."), item, found);
            }
            found.insert(path);
        }
    }

    #[test]
    fn every_field_is_in_the_documentation_and_no_other() {
        let page = include_str!("../../../../docs/kubectl-fmesh.md");
        let (_, table) = page.split_once("<!-- plan-report -->").unwrap();
        let rows = table.trim_start().lines().take_while(|line| line.starts_with('|')).skip(2);
        let names = rows.filter_map(|row| row.split('|').nth(1));
        let documented: BTreeSet<String> =
            names.flat_map(|names| names.split('`').skip(1).step_by(2).map(str::to_owned)).collect();
        let mut found = BTreeSet::new();
        paths("", &Report(vec![entry(waits())]).json(), &mut found);
        assert_eq!(found, documented);
    }

    #[test]
    fn a_deletion_that_hangs_is_a_failure() {
        let deletion = |hangs: Option<&str>| {
            entry(Fate::Deleted(Deletion { pods: 1, hangs: hangs.map(str::to_owned), ..Deletion::default() }))
        };
        assert!(deletion(Some("until it ends")).is_failed() && !deletion(None).is_failed());
        let text = Report(vec![deletion(Some("until it ends"))]).text();
        assert!(text.contains("1 deleted, 1 hanging") && text.contains("hangs until it ends"), "{text}");
    }

    #[test]
    fn the_takeover_is_reported_before_what_follows() {
        let text = Report(vec![entry(waits())]).text();
        assert!(text.contains("Takeover from the Go operator: 1 object with 2 pods."), "{text}");
        assert!(text.contains("taken over, unchanged; an update waits for approval"), "{text}");
        assert!(text.contains("kubectl fmesh recreate function b --namespace a"), "{text}");
    }
}
