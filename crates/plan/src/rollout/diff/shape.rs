//! How each field of a `StatefulSet` is compared.

/// How a field is compared.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// As a whole, by its name only.
    Whole,
    /// As a whole; numbers, booleans and images are shown.
    Shown,
    /// Field by field: `securityContext.runAsUser`.
    Fields(fn(&str) -> Shape),
    /// Entry by entry; the noun for an entry.
    Map(&'static str),
    /// Item by item.
    List(Items),
    /// Elsewhere, or not at all.
    Skipped,
}

/// A list whose items have keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Items {
    /// Noun for an item.
    pub(super) word: &'static str,
    /// Where the parts of its key are.
    pub(super) key: &'static [&'static str],
    /// Whether the order of the items matters.
    pub(super) ordered: bool,
}

const fn list(word: &'static str, key: &'static [&'static str]) -> Shape {
    Shape::List(Items { word, key, ordered: false })
}

/// Fields of the `StatefulSet`'s metadata.
pub(super) fn metadata(field: &str) -> Shape {
    match field {
        "labels" => Shape::Map("label"),
        "annotations" => Shape::Map("annotation"),
        "ownerReferences" => list("owner", &["/kind", "/name"]),
        "finalizers" => Shape::Whole,
        // All other fields are set by the API server.
        _ => Shape::Skipped,
    }
}

/// Fields of the `StatefulSet`'s spec.
pub(super) fn set(field: &str) -> Shape {
    match field {
        // The first is set by whatever scales the object; the second is compared with the pods.
        "replicas" | "template" => Shape::Skipped,
        "minReadySeconds" | "revisionHistoryLimit" => Shape::Shown,
        "updateStrategy" | "ordinals" | "persistentVolumeClaimRetentionPolicy" => {
            Shape::Fields(|_| Shape::Whole)
        }
        "volumeClaimTemplates" => list("volumeClaimTemplate", &["/metadata/name"]),
        _ => Shape::Whole,
    }
}

/// Fields of the metadata of the pod template.
pub(super) fn pod_metadata(field: &str) -> Shape {
    match field {
        "labels" => Shape::Map("label"),
        "annotations" => Shape::Map("annotation"),
        _ => Shape::Skipped,
    }
}

/// Fields of a pod.
pub(super) fn pod(field: &str) -> Shape {
    match field {
        // The deprecated name of serviceAccountName, which the API server keeps in sync.
        "containers" | "initContainers" | "serviceAccount" => Shape::Skipped,
        "volumes" => list("volume", &["/name"]),
        "imagePullSecrets" => list("imagePullSecret", &["/name"]),
        "hostAliases" => list("hostAlias", &["/ip"]),
        "topologySpreadConstraints" => {
            list("topologySpreadConstraint", &["/topologyKey", "/whenUnsatisfiable"])
        }
        "nodeSelector" => Shape::Map("nodeSelector"),
        "securityContext" => Shape::Fields(security),
        "terminationGracePeriodSeconds"
        | "hostNetwork"
        | "hostPID"
        | "hostIPC"
        | "priority"
        | "shareProcessNamespace"
        | "automountServiceAccountToken"
        | "enableServiceLinks" => Shape::Shown,
        _ => Shape::Whole,
    }
}

/// Fields of a container.
pub(super) fn container(field: &str) -> Shape {
    match field {
        "name" => Shape::Skipped,
        "image" | "stdin" | "stdinOnce" | "tty" => Shape::Shown,
        // A variable may refer to earlier ones.
        "env" => Shape::List(Items { word: "env", key: &["/name"], ordered: true }),
        "ports" => list("port", &["/containerPort", "/protocol"]),
        "volumeMounts" => list("volumeMount", &["/mountPath"]),
        "volumeDevices" => list("volumeDevice", &["/devicePath"]),
        "securityContext" => Shape::Fields(security),
        _ => Shape::Whole,
    }
}

/// Fields of a security context.
fn security(field: &str) -> Shape {
    match field {
        "runAsNonRoot"
        | "runAsUser"
        | "runAsGroup"
        | "fsGroup"
        | "privileged"
        | "allowPrivilegeEscalation"
        | "readOnlyRootFilesystem" => Shape::Shown,
        _ => Shape::Whole,
    }
}
