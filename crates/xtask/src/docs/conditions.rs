//! The page on conditions and their reasons.

use super::markdown::{Table, code};
use super::page::Page;
use functionmesh_api::condition::{Health, ReasonDocs};
use functionmesh_plan::health::reason::Reason;

const INTRO: &str = "\
The status of every object has conditions, each with a status, a reason and a message. `Ready` reports whether all pods are \
available, `Progressing` whether the controller or Kubernetes is still working on it. `kubectl get` shows the reason of `Ready`, \
and an Event reports each change. While an object is not ready, one more condition shows whether to wait: `Reconciling` is \
present while the object may become ready without help, `Stalled` if a user has to change something. Both are present only while \
they are true, and never together. `ReconcileFailed` is true while the pods run as specified but another write is refused or \
keeps failing; `Ready` is then unchanged. An Event with the reason `Repaired` reports each StatefulSet, Service or autoscaler \
that another field manager edited or deleted and the controller restored, with its name. Fields that others add \
(`kubectl rollout restart`, Reloader) are kept.

<!-- test: setup
bash e2e/pages/setup.sh
-->
<!-- test: controllers start -->
<!-- test: setup
bash e2e/pages/function.sh
-->
<!-- test: api NAME=exclamation -->
```sh
kubectl get fn,src,snk,fmesh -o wide        # READY, REASON and, wide, the message
kubectl wait --for=condition=Ready function/NAME --timeout=5m
kubectl events --for function/NAME
```

<!-- test: none: waits for a failure -->
```sh
kubectl wait --for=condition=Stalled function/NAME --timeout=5m   # ends as soon as a user has to act
```
";

const TOOLS: &str = "\
How tools that wait for an object interpret each reason. `helm --wait` and Flux compute the status with \
kstatus (`sigs.k8s.io/cli-utils`): with *InProgress* they continue to wait, *Failed* ends the wait. \
Argo CD needs the health script in `config/argocd`. `kubectl wait` ends with the condition in its column. An object that no \
controller has seen has `status.observedGeneration: -1`, which is *InProgress* in kstatus; so is an object that is \
created with `compute.functionmesh.io/managed: \"false\"`.

";

/// The page.
pub(super) fn page() -> Page {
    let component = table(Reason::ALL.into_iter().map(|reason| (reason.as_str(), reason.docs())));
    let mesh =
        mesh_controller::reason::Reason::ALL.into_iter().map(|reason| (reason.as_str(), reason.docs()));
    let mesh = table(mesh);
    Page {
        file: "conditions.md".to_owned(),
        title: "Conditions".to_owned(),
        summary: "What the status says, why, and what to do about it; [troubleshooting](../troubleshooting.md) has more.".to_owned(),
        body: format!(
            "{INTRO}\n## Function, Source, Sink\n\n{component}\n## FunctionMesh\n\n{mesh}\n## kstatus, kubectl wait and Argo \
             CD\n\n{TOOLS}{}",
            tools()
        ),
    }
}

/// The meaning of a reason for each tool.
fn tools() -> Table {
    let component = Reason::ALL.into_iter().map(|r| ("Function, Source, Sink", r.as_str(), vec![r.health()]));
    // The components decide which of several meanings applies.
    let examples = mesh_controller::examples::statuses();
    let mesh = mesh_controller::reason::Reason::ALL.into_iter().map(|reason| {
        let mut healths = vec![Health::Current, Health::InProgress, Health::Failed];
        healths.retain(|health| examples.iter().any(|(r, h, _)| (r, h) == (&reason, health)));
        ("FunctionMesh", reason.as_str(), healths)
    });
    let mut table = Table::new(&["Kind", "Reason", "kstatus", "`kubectl wait`", "Argo CD"]);
    for (kind, reason, healths) in component.chain(mesh) {
        let row = |text: fn(Health) -> String| {
            healths.iter().map(|health| text(*health)).collect::<Vec<_>>().join(" or ")
        };
        table.row([
            kind.to_owned(),
            code(reason),
            row(|health| health.kstatus().to_owned()),
            row(|health| match health {
                Health::Current => code("--for=condition=Ready"),
                Health::InProgress => "waits".to_owned(),
                Health::Failed => code("--for=condition=Stalled"),
                Health::Terminating => code("--for=delete"),
            }),
            row(|health| health.argo().to_owned()),
        ]);
    }
    table
}

fn table(reasons: impl Iterator<Item = (&'static str, ReasonDocs)>) -> Table {
    let mut table = Table::new(&["Condition", "Status", "Reason", "Meaning", "What to do"]);
    for (reason, docs) in reasons {
        let (conditions, statuses): (Vec<String>, Vec<&str>) = docs
            .conditions
            .iter()
            .map(|(type_, status)| (code(type_), if *status { "True" } else { "False" }))
            .unzip();
        table.row([
            conditions.join("<br>"),
            statuses.join("<br>"),
            code(reason),
            docs.cause.to_owned(),
            docs.fix.to_owned(),
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
        assert!(
            row.starts_with("| `Ready`<br>`Progressing`<br>`Reconciling` | False<br>True<br>True |"),
            "{row}"
        );
        assert!(body.contains("| `Invalid` | Failed | `--for=condition=Stalled` | Degraded |"), "{body}");
        assert!(body.contains("| `AllComponentsReady` |"));
    }
}
