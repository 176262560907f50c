//! The Deployments that reconcile objects: those of this operator and those of the Go operator.

use super::flags::Flags;
use functionmesh_objects::shard::Shard;
use serde_json::Value;

/// Label with the name of the controller, on what the chart and `config/` install.
const NAME: &str = "app.kubernetes.io/name";
/// Label of everything that they install.
const PART: (&str, &str) = ("app.kubernetes.io/part-of", "function-mesh");

/// Who wrote a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// This operator: one Deployment for each kind.
    Rust,
    /// The Go operator: one Deployment for all kinds.
    Go,
}

/// A Deployment of a controller.
#[derive(Clone, Debug)]
pub(crate) struct Controller {
    pub(crate) make: Make,
    /// Namespace and name of the Deployment.
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// `function-controller` and so on; `manager` of the Go operator.
    pub(crate) program: String,
    /// Image of the container.
    pub(crate) image: String,
    /// Namespaces that it watches; all when there are none.
    pub(crate) namespaces: Vec<String>,
    /// Label selector of the objects that it watches, if not all.
    pub(crate) selector: Option<String>,
    /// Its share of the objects.
    shard: Shard,
    /// Namespace and name of the Lease by which replicas elect their leader; none without leader election. Shards have one name:
    /// the number of shards changes without two writers.
    lease: Option<(String, String)>,
    /// Replicas that are wanted.
    pub(crate) replicas: i64,
    /// Whether the flag `--pause-rollout` holds back rollouts of all its objects.
    pub(crate) pauses: bool,
}

impl Controller {
    /// The controllers among some Deployments; those with no replicas are no controllers.
    pub(crate) fn among(deployments: &[Value]) -> Vec<Self> {
        deployments.iter().filter_map(Self::of).filter(|controller| controller.replicas > 0).collect()
    }

    /// The controller that a Deployment is.
    pub(crate) fn of(deployment: &Value) -> Option<Self> {
        let text =
            |pointer| deployment.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let label = |key: &str| deployment.pointer("/metadata/labels")?.get(key)?.as_str();
        let image = text("/spec/template/spec/containers/0/image");
        let (make, program) = if label(PART.0) == Some(PART.1) && label(NAME).is_some() {
            (Make::Rust, label(NAME).unwrap_or_default().to_owned())
        } else if is_go(deployment, &image) {
            (Make::Go, "manager".to_owned())
        } else {
            return None;
        };
        let Flags { flags, .. } = Flags::of(deployment);
        let named = |flag: &str| flags.get(flag).filter(|value| !value.is_empty());
        let namespaces =
            named("watched-namespace").map(|names| names.split(',').map(|name| name.trim().to_owned()));
        let namespace = text("/metadata/namespace");
        let elects = named("leader-elect").is_none_or(|value| value == "true");
        let lease = elects.then(|| {
            let home = named("lease-namespace").filter(|name| !name.starts_with("$(")).cloned();
            (home.unwrap_or_else(|| namespace.clone()), named("lease-name").unwrap_or(&program).clone())
        });
        Some(Self {
            make,
            name: text("/metadata/name"),
            image,
            namespaces: namespaces.into_iter().flatten().filter(|name| !name.is_empty()).collect(),
            selector: named("watch-label-selector").cloned(),
            shard: named("shard").and_then(|shard| shard.parse().ok()).unwrap_or(Shard::WHOLE),
            lease,
            pauses: flags.get("pause-rollout").is_some_and(|value| value.is_empty() || value == "true"),
            replicas: deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1),
            namespace,
            program,
        })
    }

    /// Whether it reconciles objects of a kind.
    pub(crate) fn is_of(&self, kind: &str) -> bool {
        let name = if kind == "FunctionMesh" { "mesh".to_owned() } else { kind.to_lowercase() };
        self.make == Make::Go || self.program == format!("{name}-controller")
    }

    /// Whether it watches a namespace.
    pub(crate) fn watches(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|name| name == namespace)
    }

    /// Whether both reconcile objects of the same kind at the same time: replicas of one election do not.
    pub(crate) fn clashes_with(&self, other: &Self) -> bool {
        let one_kind = self.make == Make::Go || other.make == Make::Go || self.program == other.program;
        let one_election = self.make == other.make && self.lease.is_some() && self.lease == other.lease;
        // Of two label selectors nothing is known unless they are the same.
        let one_selector =
            self.selector == other.selector || self.selector.is_none() || other.selector.is_none();
        let disjoint = self.shard.count() == other.shard.count() && self.shard != other.shard;
        one_kind && !one_election && !disjoint && one_selector && self.common_namespaces(other).is_some()
    }

    /// Namespaces that both watch, in words; none when there are none.
    pub(crate) fn common_namespaces(&self, other: &Self) -> Option<String> {
        match (self.namespaces.as_slice(), other.namespaces.as_slice()) {
            ([], []) => Some("all namespaces".to_owned()),
            ([], some) | (some, []) => Some(some.join(", ")),
            (some, others) => {
                let both: Vec<&str> =
                    some.iter().filter(|name| others.contains(name)).map(String::as_str).collect();
                (!both.is_empty()).then(|| both.join(", "))
            }
        }
    }
}

/// The Go operator's Deployment runs `/manager` from an image whose name begins with `function-mesh`, or the container has
/// the name that its chart gives it.
fn is_go(deployment: &Value, image: &str) -> bool {
    let path = image.split('@').next().unwrap_or_default();
    let base = path.rsplit('/').next().unwrap_or_default();
    let container = deployment.pointer("/spec/template/spec/containers/0");
    let command = container.and_then(|c| c.pointer("/command/0")).and_then(Value::as_str);
    let name = container.and_then(|c| c.get("name")).and_then(Value::as_str);
    name == Some("function-mesh-operator")
        || (base.starts_with("function-mesh") && command.is_none_or(|command| command == "/manager"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ours(namespace: &str, controller: &str, args: &[&str]) -> Controller {
        let deployment = json!({
            "metadata": {"namespace": namespace, "name": controller,
                "labels": {"app.kubernetes.io/part-of": "function-mesh", "app.kubernetes.io/name": controller}},
            "spec": {"template": {"spec": {"containers": [{"name": "controller", "image": "r/function-mesh:1", "args": args}]}}},
        });
        Controller::of(&deployment).unwrap()
    }

    fn go(args: &[&str]) -> Controller {
        let deployment = json!({"metadata": {"namespace": "fm", "name": "function-mesh-controller-manager"},
            "spec": {"template": {"spec": {"containers": [{"name": "m", "image": "streamnative/function-mesh:v0.27.2",
                "command": ["/manager"], "args": args}]}}}});
        Controller::of(&deployment).unwrap()
    }

    #[test]
    fn two_controllers_clash_where_both_watch() {
        let all = ours("a", "function-controller", &[]);
        assert!(all.clashes_with(&ours("b", "function-controller", &[])));
        assert!(all.clashes_with(&go(&["--watched-namespace=x"])));
        assert_eq!(all.common_namespaces(&go(&["--watched-namespace=x"])).as_deref(), Some("x"));
        assert!(!all.clashes_with(&ours("b", "sink-controller", &[])), "another kind");
        assert!(
            !all.clashes_with(&ours("b", "function-controller", &["--lease-namespace=a"])),
            "one election"
        );
        let shard = |text: &str| {
            ours("b", "function-controller", &["--leader-elect=false", &format!("--shard={text}")])
        };
        assert!(!shard("0/3").clashes_with(&shard("1/3")), "disjoint shards");
        assert!(shard("0/3").clashes_with(&shard("0/3")) && shard("0/3").clashes_with(&shard("1/4")));
        let of = |name: &str| ours("b", "function-controller", &[&format!("--watched-namespace={name}")]);
        assert!(!of("x").clashes_with(&of("y")) && of("x,y").namespaces.len() == 2);
        let labelled = |labels: &str| {
            let selector = format!("--watch-label-selector={labels}");
            ours(labels, "function-controller", &[&selector])
        };
        assert!(!labelled("shard=a").clashes_with(&labelled("shard=b")));
    }

    #[test]
    fn kinds_and_namespaces_are_those_of_the_deployment() {
        let mesh = ours("a", "mesh-controller", &["--watched-namespace", "x, y"]);
        assert!(
            mesh.is_of("FunctionMesh") && !mesh.is_of("Function") && mesh.watches("y") && !mesh.watches("z")
        );
        assert!(go(&[]).is_of("Sink") && go(&[]).is_of("FunctionMesh"));
        let other =
            json!({"spec": {"template": {"spec": {"containers": [{"name": "x", "image": "nginx:1"}]}}}});
        assert!(Controller::of(&other).is_none());
    }
}
