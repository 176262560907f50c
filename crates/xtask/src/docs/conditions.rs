//! The page on conditions and their reasons.

use super::Page;
use super::markdown::{Table, code};
use functionmesh_component::reason::Reason;
use functionmesh_runtime::condition::Explained;

const INTRO: &str = "\
The status of every object has conditions, each with a status, a reason and a message for people. `Ready` answers whether \
all of it runs, `Progressing` whether the controller or Kubernetes is still at work on it. The reason of `Ready` is also in \
`kubectl get`, and an Event tells of each change. An Event with the reason `Repaired` tells of each StatefulSet, Service or \
autoscaler that somebody else edited, deleted or took away from its object, and that was put right.

```sh
kubectl get fn,src,snk,fmesh -o wide        # READY, REASON and, wide, the message
kubectl wait --for=condition=Ready function/NAME --timeout=5m
kubectl events --for function/NAME
```
";

/// The page.
pub(super) fn page() -> Page {
    let component = table(Reason::ALL.into_iter().map(|reason| (reason.as_str(), reason.explained())));
    let mesh =
        mesh_controller::reason::Reason::ALL.into_iter().map(|reason| (reason.as_str(), reason.explained()));
    let mesh = table(mesh);
    Page {
        file: "conditions.md".to_owned(),
        title: "Conditions".to_owned(),
        summary: "What the status says, why, and what to do about it; [troubleshooting](../troubleshooting.md) has more.".to_owned(),
        body: format!("{INTRO}\n## Function, Source, Sink\n\n{component}\n## FunctionMesh\n\n{mesh}"),
    }
}

fn table(reasons: impl Iterator<Item = (&'static str, Explained)>) -> Table {
    let mut table = Table::new(&["Condition", "Status", "Reason", "Meaning", "What to do"]);
    for (reason, explained) in reasons {
        let (conditions, statuses): (Vec<String>, Vec<&str>) = explained
            .conditions
            .iter()
            .map(|(type_, status)| (code(type_), if *status { "True" } else { "False" }))
            .unzip();
        table.row([
            conditions.join("<br>"),
            statuses.join("<br>"),
            code(reason),
            explained.meaning.to_owned(),
            explained.advice.to_owned(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_row() {
        let body = page().body;
        for reason in Reason::ALL {
            assert!(body.contains(&format!("| `{reason}` |")), "{reason}");
        }
        let row = body.lines().find(|line| line.contains("| `CrashLoop` |")).unwrap();
        assert!(row.starts_with("| `Ready`<br>`Progressing` | False<br>True |"), "{row}");
        assert!(body.contains("| `AllComponentsReady` |"));
    }
}
