//! `docs/troubleshooting.md`: an entry per reason, from the documentation in the controllers.

use super::markdown::code;
use functionmesh_api::condition::ReasonDocs;
use functionmesh_plan::health::reason::Reason;
use std::fmt::Write as _;

const INTRO: &str = "\
Start here:

<!-- test: setup
bash e2e/pages/setup.sh
-->
<!-- test: controllers start -->
<!-- test: setup
bash e2e/pages/function.sh
-->
<!-- test: api NAME=exclamation -->
```sh
kubectl get fmesh,fn,src,snk -o wide          # READY, REASON and the message
kubectl describe function NAME                # all conditions, since when, and the Events
```

`Ready` is false for one reason, the most severe that is known. Its message quotes the source: the scheduler, the kubelet, \
the API server, or the instance with its last errors. Tokens and passwords in messages are replaced by `<redacted>`, and values \
that differ at each attempt (times, ports, request numbers) are removed. `lastTransitionTime` of `Ready` shows since when, and \
an Event reports each change of the reason. Find the reason below. The controller notices a fix without a restart of anything.

`Progressing` is false if a user has to change something, or if an object has not been available for ten minutes. \
`Stalled` is then true, which ends `helm --wait`, the health checks of Flux and `kubectl wait --for=condition=Stalled`; until \
then `Reconciling` is true. [Conditions](reference/conditions.md#kstatus-kubectl-wait-and-argo-cd) shows how each tool \
interprets each reason.
";

/// The page.
pub(super) fn page() -> String {
    let mut text = format!("# Troubleshooting\n\n{INTRO}\n## Function, Source, Sink\n");
    for reason in Reason::ALL {
        entry(&mut text, reason.as_str(), &reason.docs());
    }
    text.push_str("\n## FunctionMesh\n");
    for reason in mesh_controller::reason::Reason::ALL {
        entry(&mut text, reason.as_str(), &reason.docs());
    }
    text
}

fn entry(text: &mut String, reason: &str, docs: &ReasonDocs) {
    let conditions: Vec<String> = docs
        .conditions
        .iter()
        .map(|(type_, status)| format!("{} {}", code(type_), if *status { "True" } else { "False" }))
        .collect();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\n### {reason}\n\n{}.\n\n* **Cause:** {}\n* **Check:** {}\n* **Fix:** {}\n",
        conditions.join(", "),
        docs.cause,
        docs.check,
        docs.fix
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_an_entry() {
        let page = page();
        for reason in Reason::ALL {
            let entry = page.split(&format!("\n### {reason}\n")).nth(1).unwrap_or_default();
            let entry = entry.split("\n###").next().unwrap_or_default();
            for part in ["**Cause:** ", "**Check:** ", "**Fix:** "] {
                let details = entry.split(part).nth(1).unwrap_or_default();
                assert!(details.lines().next().is_some_and(|line| line.len() > 5), "{reason}: {part}");
            }
        }
        assert!(page.contains("\n### ComponentsNotReady\n"));
    }
}
