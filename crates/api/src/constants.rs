//! Names with a meaning for the cluster: group, labels, annotations, finalizers.

/// API group.
pub const GROUP: &str = "compute.functionmesh.io";
/// Version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// Group and version as objects spell them.
pub const API_VERSION: &str = "compute.functionmesh.io/v1alpha1";
/// Maximum length of the name of a Function, Source or Sink: 63 of a label, less `-function`, a dash and the ten
/// characters of a revision of the StatefulSet.
pub const MAX_NAME_LENGTH: usize = 43;

/// Label: always [`APP`], on what belongs to Functions only.
pub const LABEL_APP: &str = "compute.functionmesh.io/app";
/// Label: `function`, `source` or `sink`.
pub const LABEL_COMPONENT: &str = "compute.functionmesh.io/component";
/// Label: name of the custom resource.
pub const LABEL_NAME: &str = "compute.functionmesh.io/name";
/// Label: namespace of the custom resource.
pub const LABEL_NAMESPACE: &str = "compute.functionmesh.io/namespace";
/// Value of the application label.
pub const APP: &str = "function-mesh";
/// Label of the components of a mesh: name of the mesh.
pub const LABEL_MESH: &str = "compute.functionmesh.io/mesh";
/// Label of objects created by Pulsar's worker service, which removes their subscriptions itself.
pub const LABEL_PULSAR_CLUSTER: &str = "compute.functionmesh.io/pulsar-cluster";
/// The older spelling of [`LABEL_PULSAR_CLUSTER`].
pub const LABEL_PULSAR_CLUSTER_SHORT: &str = "pulsar-cluster";

/// Annotation: with `"false"` the controllers do not reconcile the object.
pub const ANNOTATION_MANAGED: &str = "compute.functionmesh.io/managed";
/// Annotation: with `"true"`, changes of the pods that do not come from the object's own spec wait.
pub const ANNOTATION_PAUSE_ROLLOUT: &str = "compute.functionmesh.io/pause-rollout";
/// Annotation, set by the user: hash of the pending rendering to approve (`status.statefulSet.pendingHash`).
pub const ANNOTATION_APPROVE_UPDATE: &str = "compute.functionmesh.io/approve-update";
/// Annotation, set by the user: hash of the rendering for which the controller may recreate the `StatefulSet`, keeping
/// its pods.
pub const ANNOTATION_RECREATE: &str = "compute.functionmesh.io/recreate";
/// Annotation, set by the user: time of a restart that is asked for, in the form of RFC 3339. A new value replaces the pods
/// once, and nothing else of them. The pods carry it as well.
pub const ANNOTATION_RESTARTED_AT: &str = "compute.functionmesh.io/restarted-at";
/// Annotation: with `"false"`, the subscription is kept when the object is deleted.
pub const ANNOTATION_NEED_CLEANUP: &str = "compute.functionmesh.io/need-cleanup";
/// Annotation of a mesh's component: hash of the item that it was created from.
pub const ANNOTATION_MESH_ITEM_HASH: &str = "compute.functionmesh.io/mesh-item-hash";
/// Finalizer of objects whose subscription is to be removed with them.
pub const FINALIZER_CLEANUP: &str = "cleanup.subscription.finalizer";
