//! The part of a plan about StatefulSets that the Go operator rendered: what taking them over and going back would do.

use super::entry::{Entry, Fate};
use crate::terminal::plural;
use functionmesh_plan::forecast::{Forecast, Origin};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What the takeover of the planned objects comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Takeover {
    /// Objects whose StatefulSet the Go operator rendered, and their pods.
    objects: usize,
    pods: i64,
    /// Of those, how many stay as they are until an update is approved.
    unchanged: usize,
    /// How many restart at once, because their spec changed since the Go operator saw it.
    restarts: usize,
    /// How many this operator refuses to render; their pods stay as they are.
    unsupported: usize,
    /// How many use settings that are dangerous in their runtime.
    dangerous: usize,
    /// Pods that restart once all updates are approved.
    approval_pods: i64,
    /// StatefulSets that have to be recreated for it, and the fields because of which.
    recreates: usize,
    immutable: BTreeSet<&'static str>,
    /// Pods that restart when the Go operator returns right after the takeover, and after all updates were approved.
    back_pods: i64,
    back_pods_approved: i64,
}

impl Takeover {
    /// Of the planned objects; none when the Go operator rendered none of them.
    pub(crate) fn of(entries: &[Entry]) -> Option<Self> {
        let mut all = Self::default();
        for entry in entries {
            let Some(origin) = entry.origin else { continue };
            let is_rendered = match (&entry.fate, origin) {
                (Fate::Forecast(Forecast::Unmanaged), _) => continue,
                (Fate::Forecast(Forecast::Restarts { .. } | Forecast::Changes(_)), _) => true,
                (_, origin) => origin == Origin::Rendered,
            };
            // The Go operator rolls out every StatefulSet that this operator rendered.
            all.back_pods += if is_rendered { entry.running } else { 0 };
            let is_supported = !entry.is_failed();
            all.back_pods_approved += if is_supported || is_rendered { entry.running } else { 0 };
            if origin == Origin::Rendered {
                continue;
            }
            all.objects += 1;
            all.pods += entry.running;
            all.dangerous += usize::from(entry.unsafe_settings.is_some());
            match &entry.fate {
                _ if !is_supported => all.unsupported += 1,
                Fate::Forecast(Forecast::Restarts { .. }) => all.restarts += 1,
                fate => {
                    all.unchanged += 1;
                    if let Fate::Forecast(Forecast::Waits { pods, immutable, .. }) = fate {
                        all.approval_pods += pods;
                        all.recreates += usize::from(!immutable.is_empty());
                        all.immutable.extend(immutable);
                    }
                }
            }
        }
        (all.objects > 0).then_some(all)
    }

    /// For people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let pods = |number: i64| plural(usize::try_from(number).unwrap_or_default(), "pod");
        let mut lines = vec![format!(
            "Takeover from the Go operator: {} with {}. {} unchanged until approved, {} restarted at once, {} not supported.",
            plural(self.objects, "object"),
            pods(self.pods),
            self.unchanged,
            self.restarts,
            self.unsupported
        )];
        let fields: Vec<&str> = self.immutable.iter().copied().collect();
        let recreated = match self.recreates {
            0 => String::new(),
            number => format!("; {} recreated for {}", plural(number, "StatefulSet"), fields.join(", ")),
        };
        lines.push(format!("Approving all updates restarts {}{recreated}.", pods(self.approval_pods)));
        if self.dangerous > 0 {
            lines.push(format!(
                "{} with settings that are dangerous in the runtime; they keep running.",
                plural(self.dangerous, "object")
            ));
        }
        lines.push(format!(
            "Going back restarts {} after the takeover, {} once all is approved (docs/migrate.md#going-back).",
            pods(self.back_pods),
            pods(self.back_pods_approved)
        ));
        lines
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "objects": self.objects, "pods": self.pods, "unchanged": self.unchanged, "restarts": self.restarts,
            "unsupported": self.unsupported, "dangerous": self.dangerous, "approvalPods": self.approval_pods,
            "recreates": self.recreates, "backPods": self.back_pods, "backPodsApproved": self.back_pods_approved,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use functionmesh_plan::health::reason::Reason;

    fn entry(origin: Option<Origin>, running: i64, forecast: Forecast) -> Entry {
        let text = |text: &str| text.to_owned();
        Entry {
            origin,
            running,
            ..Entry::new(text("Function"), text("a"), text("b"), Fate::Forecast(forecast))
        }
    }

    fn waits(pods: i64, immutable: Vec<&'static str>) -> Forecast {
        let (reason, changes) = (Reason::AdoptedFromGoOperator, Vec::new());
        Forecast::Waits { reason, pods, hash: String::new(), changes, immutable, message: String::new() }
    }

    #[test]
    fn what_is_approved_and_what_goes_back_is_counted() {
        let restarts = Forecast::Restarts { pods: 3, changes: Vec::new(), recreates: false };
        let entries = [
            entry(Some(Origin::GoOperator), 2, waits(2, Vec::new())),
            entry(Some(Origin::Adopted), 1, waits(1, vec!["serviceName"])),
            entry(Some(Origin::GoOperator), 3, restarts),
            entry(Some(Origin::GoOperator), 5, Forecast::Invalid("no".to_owned())),
            entry(Some(Origin::Rendered), 7, Forecast::Unchanged),
            entry(None, 0, Forecast::Creates(1)),
        ];
        let all = Takeover::of(&entries).unwrap();
        assert_eq!((all.objects, all.pods), (4, 11));
        assert_eq!((all.unchanged, all.restarts, all.unsupported), (2, 1, 1));
        assert_eq!((all.approval_pods, all.recreates), (3, 1));
        assert_eq!((all.back_pods, all.back_pods_approved), (10, 13));
        assert!(all.lines().join("\n").contains("1 StatefulSet recreated for serviceName"));
    }

    #[test]
    fn without_a_statefulset_of_the_go_operator_there_is_no_takeover() {
        assert_eq!(Takeover::of(&[entry(Some(Origin::Rendered), 1, Forecast::Unchanged)]), None);
    }
}
