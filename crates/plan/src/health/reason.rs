//! Every reason of a condition of a Function, Source or Sink, in one table. The enum, the meaning for tools that wait, and the
//! reference documentation follow from it.
//!
//! Reasons are ordered by how certain it is that waiting does not help; of several reasons the first is reported.

use crate::conditions::{CLEANUP_PENDING, MISSING, UNSAFE_SETTINGS, UPDATE_AVAILABLE};
use functionmesh_api::condition::{Health, RECONCILING, ReasonDocs, STALLED};
use functionmesh_api::condition::{PROGRESSING, READY, RECONCILE_FAILED};
use std::fmt;

type Conditions = &'static [(&'static str, bool)];

/// Everything runs.
const READY_TRUE: Conditions = &[(READY, true)];
/// In progress, or failing in a way that may clear without help.
const IN_PROGRESS: Conditions = &[(READY, false), (PROGRESSING, true), (RECONCILING, true)];
/// The pods would be rendered differently now, and stay unchanged.
const UPDATE_HELD: Conditions = &[(UPDATE_AVAILABLE, true)];
/// Nothing happens until a user changes something.
const STALLED_ONLY: Conditions = &[(READY, false), (PROGRESSING, false), (STALLED, true)];
/// The API server refuses a write: of the pods, or of another object although the pods match the spec.
const REFUSED: Conditions =
    &[(READY, false), (PROGRESSING, false), (STALLED, true), (RECONCILE_FAILED, true)];
/// The same, but a retry may succeed.
const RETRIED: Conditions =
    &[(READY, false), (PROGRESSING, true), (RECONCILING, true), (RECONCILE_FAILED, true)];

/// The class of a reason, from which all its properties follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The object runs, possibly with a pending update or without an autoscaler.
    Current,
    /// The pods are not available. A cluster autoscaler, a registry, a broker or another controller may fix it before the
    /// deadline.
    Recovering,
    /// The API server failed; the controller retries.
    Retried,
    /// Nothing happens until a user changes something.
    Refused,
    /// The pods were not available in time. They may still become available: the controller continues.
    TimedOut,
    /// The object is deleted and being cleaned up.
    CleaningUp,
    /// The object is deleted and could not be cleaned up.
    CleanupFailed,
}

/// Makes the enum and its tables of rows `Name: class, conditions; cause: text; check: text; fix: text;`.
macro_rules! reasons {
    ($($name:ident: $class:ident, $conditions:expr; cause: $cause:literal; check: $check:literal; fix: $fix:literal;)*) => {
        /// `reason` of the conditions `Ready` and `Progressing`, and of the Events that report a change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $(#[doc = $cause] $name,)*
        }

        impl Reason {
            /// All reasons, in the order of declaration.
            pub const ALL: [Self; [$(Self::$name),*].len()] = [$(Self::$name),*];

            /// The name in the condition.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// Its effect on the object's state.
            pub fn class(self) -> Class {
                match self {
                    $(Self::$name => Class::$class,)*
                }
            }

            /// Its meaning, and what to do.
            pub fn docs(self) -> ReasonDocs {
                match self {
                    $(Self::$name => ReasonDocs { conditions: $conditions, cause: $cause, check: $check, fix: $fix },)*
                }
            }
        }
    };
}

impl Reason {
    /// Its meaning for tools that wait for the object: the conditions `Progressing`, `Reconciling` and `Stalled`, and the
    /// documentation of kstatus, kubectl and Argo CD follow from it.
    pub fn health(self) -> Health {
        match self.class() {
            Class::Current => Health::Current,
            Class::Recovering | Class::Retried => Health::InProgress,
            Class::Refused | Class::TimedOut => Health::Failed,
            Class::CleaningUp | Class::CleanupFailed => Health::Terminating,
        }
    }

    /// Whether the newest spec was not applied: the observed children then belong to an older one.
    pub fn is_refusal(self) -> bool {
        matches!(self.class(), Class::Refused | Class::Retried)
    }

    /// Whether nothing happens until a user changes something.
    pub fn is_terminal(self) -> bool {
        matches!(self.class(), Class::Refused | Class::TimedOut | Class::CleanupFailed)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

reasons! {
    AllReplicasAvailable: Current, READY_TRUE;
        cause: "All replicas run the newest template and have been ready for `minReadySeconds`.";
        check: "`kubectl get pods -l compute.functionmesh.io/name=NAME`";
        fix: "Nothing.";
    ScaledToZero: Current, READY_TRUE;
        cause: "`spec.replicas` is 0, and no pod is left.";
        check: "`kubectl get function NAME -o jsonpath={.spec.replicas}`";
        fix: "Nothing. To start it again, scale up: `kubectl scale function NAME --replicas=1`.";
    WaitingForPods: Recovering, IN_PROGRESS;
        cause: "Pods are being created, started or replaced, or their image is being pulled. No failure is known.";
        check: "`kubectl get pods -l compute.functionmesh.io/name=NAME`, then `kubectl describe pod` and `kubectl logs`.";
        fix: "Wait. If it takes long, look at the pods: `kubectl describe pod` and `kubectl logs`.";
    Complete: Current, &[(PROGRESSING, false)];
        cause: "The rollout is complete.";
        check: "`kubectl get function NAME -o wide`";
        fix: "Nothing; `Ready` is true as well.";
    Invalid: Refused, REFUSED;
        cause: "The spec has a value that cannot run, or that the API server does not accept in a StatefulSet, Service \
         or autoscaler. Running pods keep running.";
        check: "`kubectl get function NAME -o wide`: the message names each field and what is wrong with it.";
        fix: "Correct the fields that the message names.";
    InvalidBackendConfig: Refused, STALLED_ONLY;
        cause: "A BackendConfig that applies to the object cannot be read, or has content that the API server rejects in \
         a pod. Running pods stay unchanged, and their number follows `spec.replicas`.";
        check: "`kubectl get backendconfigs -A` and `kubectl describe` the one that the message names.";
        fix: "Correct the BackendConfig that the message names.";
    BackendConfigChanged: Current, UPDATE_HELD;
        cause: "A BackendConfig without `autoUpdate` changed. The change is included in the next rollout of the object.";
        check: "`kubectl describe function NAME`: the message has what would change in the pods.";
        fix: "Nothing. To roll it out to all pods at once, set `spec.autoUpdate: true` in the BackendConfig.";
    RendererChanged: Current, UPDATE_HELD;
        cause: "A newer release of the operator renders the pods differently; the message has the differences. The pods \
         keep running unchanged, and the update is included in the next rollout.";
        check: "`kubectl describe function NAME`: the message has what would change in the pods.";
        fix: "Nothing. To approve the update now, annotate the object with `compute.functionmesh.io/approve-update` \
         and the value of `status.statefulSet.pendingHash`, or all objects with the flag `--approve-updates`.";
    OperatorConfigChanged: Current, UPDATE_HELD;
        cause: "The operator's configuration (its file or flags) changed, and the pods would be rendered differently. \
         They keep running unchanged, and the change is included in the next rollout.";
        check: "`kubectl describe function NAME`: the message has what would change in the pods.";
        fix: "As for `RendererChanged`.";
    AdoptedFromGoOperator: Current, UPDATE_HELD;
        cause: "The Go operator created the StatefulSet, and this operator adopted it without restarting a pod. What \
         this operator renders differently is included in the next rollout.";
        check: "`kubectl describe function NAME`: the message has what would change in the pods.";
        fix: "As for `RendererChanged`.";
    RolloutPaused: Current, UPDATE_HELD;
        cause: "The rollout is paused by the annotation `compute.functionmesh.io/pause-rollout` or the flag \
         `--pause-rollout`: only a change of the object's own spec reaches its pods.";
        check: "`kubectl get function NAME -o yaml` for the annotation; the flag is an argument of the controller's \
         container.";
        fix: "Remove the annotation or the flag, or approve as for `RendererChanged`.";
    RecreateRequired: Refused, REFUSED;
        cause: "A field of the StatefulSet would have to change that Kubernetes does not allow to change, such as its \
         volume claim templates. The pods keep running unchanged.";
        check: "The message names the fields. `kubectl get statefulset -l compute.functionmesh.io/name=NAME -o yaml` has \
         their values.";
        fix: "Revert the change; or annotate the object with `compute.functionmesh.io/recreate` and the value of \
         `status.statefulSet.pendingHash`: the StatefulSet is deleted without its pods and recreated. Existing \
         volume claims stay unchanged.";
    NameConflict: Refused, REFUSED;
        cause: "An object with the name of a child, such as the StatefulSet or Service, exists and does not belong to \
         this object. It is left unchanged.";
        check: "The message names the object. `kubectl get KIND NAME -o yaml`: its owner references and labels show its \
         owner.";
        fix: "Delete or rename that object, or give this one another name.";
    NodeLost: Recovering, IN_PROGRESS;
        cause: "The node of a pod does not report, or did not remove the pod within its grace period. Kubernetes keeps \
         the identity of a pod of a StatefulSet: it starts no other pod in its place while the old one may still \
         run. The message names the node and the pod. A drained or cordoned node and a preempted pod are not \
         reported as long as the pods end in time.";
        check: "`kubectl get nodes`, and `kubectl get pods -o wide -l compute.functionmesh.io/name=NAME`: a pod of a \
         node that is lost stays `Terminating`, or `Running` and not ready.";
        fix: "Bring the node back, and the pod starts again. If it is off for good, make sure that it is (two \
         instances could run otherwise), and say so: `kubectl taint nodes NODE \
         node.kubernetes.io/out-of-service=nodeshutdown:NoExecute`. Kubernetes then removes its pods and detaches \
         their volumes, and the pods start on other nodes. Before the node comes back: `kubectl taint nodes NODE \
         node.kubernetes.io/out-of-service-`. A managed node group or `kubectl delete node NODE` has the same \
         effect.";
    ImagePullBackOff: Recovering, IN_PROGRESS;
        cause: "The kubelet cannot pull an image; the message has the registry's answer.";
        check: "`kubectl describe pod -l compute.functionmesh.io/name=NAME`";
        fix: "Correct the name and tag in `spec.image` or the secrets in `spec.pod.imagePullSecrets`, or fix network \
         access to the registry. The kubelet retries, up to five minutes later.";
    CreateContainerConfigError: Recovering, IN_PROGRESS;
        cause: "A ConfigMap, a Secret or a key in one that the container needs is missing; the message names it.";
        check: "`kubectl get configmap,secret` in the object's namespace.";
        fix: "Create what the message names, and the pod starts; or correct the reference, such as \
         `spec.pulsar.pulsarConfig`, `spec.pulsar.authSecret` or `spec.secretsMap`.";
    Unschedulable: Recovering, IN_PROGRESS;
        cause: "The scheduler finds no node for a pod; the message quotes it.";
        check: "`kubectl describe nodes` for what is available on each, and `kubectl describe pod` for what the pod \
         requests.";
        fix: "Lower `spec.resources`, add nodes, or correct `nodeSelector`, `affinity` and `tolerations` in \
         `spec.pod`.";
    VolumesNotReady: Recovering, IN_PROGRESS;
        cause: "A pod has a node, and for half a minute its volumes could not be mounted there or its network could not \
         be made, so that no container is started. The message names what the volumes need.";
        check: "`kubectl describe pod -l compute.functionmesh.io/name=NAME`: its Events have the kubelet's messages.";
        fix: "Create the ConfigMap, Secret or PersistentVolumeClaim that is missing, and the pod starts; or correct \
         `spec.pod.volumes`, `spec.pulsar.tlsConfig` or the log configuration.";
    PodsNotCreated: Recovering, IN_PROGRESS;
        cause: "For twenty seconds there have been fewer pods than desired, and the existing ones have no failure: the \
         StatefulSet controller is not allowed to create them.";
        check: "`kubectl describe statefulset -l compute.functionmesh.io/name=NAME`: its Events name the quota or \
         policy.";
        fix: "Raise the ResourceQuota or LimitRange, or change the object so that the policy admits its pods. The \
         StatefulSet controller retries.";
    OutOfMemory: Recovering, IN_PROGRESS;
        cause: "A container used more memory than its limit and was killed by the kernel, or the program ran out of the \
         memory that it may use: the heap or the direct memory of the JVM, or memory that Python or Go could not \
         allocate.";
        check: "`kubectl top pod`, and the limit in `spec.resources.limits.memory`.";
        fix: "Raise `spec.resources.limits.memory`, or reduce what the code keeps in memory. For `Java heap space` and \
         `direct memory` check `spec.java.javaOpts` as well: `-Xmx` and `-XX:MaxDirectMemorySize` there take \
         precedence.";
    DiskFull: Recovering, IN_PROGRESS;
        cause: "There is no space left where the instance or the download of its package writes: a volume, or the file \
         system of the container. The message names the file where the program does.";
        check: "`kubectl describe pod -l compute.functionmesh.io/name=NAME` for the volumes and the limit of \
         `ephemeral-storage`, and `df` in a container of the pod.";
        fix: "Raise `sizeLimit` of the `emptyDir`, `ephemeral-storage` in `spec.resources`, or the size of the \
         PersistentVolumeClaim; or reduce what is written to it. Packages of connectors are unpacked below the \
         `java.io.tmpdir` of the JVM.";
    TlsFailed: Recovering, IN_PROGRESS;
        cause: "TLS fails before any credentials are sent. The certificate of the server is not signed by a trusted \
         authority, or is for another host name, or the file of trusted certificates cannot be read, or the port \
         does not speak TLS. Python and Go report an untrusted certificate and a wrong host name in similar \
         words.";
        check: "`openssl s_client -connect HOST:PORT -servername HOST -showcerts -CAfile CA.pem` with the address of the \
         message, and the certificate in the Secret of `spec.pulsar.tlsSecret` or `spec.pulsar.tlsConfig`.";
        fix: "Correct the trusted certificate in the Secret, or the address in `spec.pulsar.pulsarConfig`: its host \
         name must be in the certificate of the server, and `pulsar+ssl://` and `https://` need the port for TLS \
         (6651 and 8443 by default). Tokens and permissions are not the reason. An instance reads certificates \
         when it starts, and is restarted automatically.";
    AuthenticationFailed: Recovering, IN_PROGRESS;
        cause: "Pulsar does not authenticate the instance: the token or certificate is missing, wrong, expired or \
         unreadable. The Python client only logs that the broker closed the connection.";
        check: "`kubectl get secret NAME -o yaml` of the one in `spec.pulsar.authSecret` or `spec.pulsar.authConfig`: \
         the plugin, and the expiry of the token. The broker's log has its reason for the refusal.";
        fix: "If the token is expired or wrong, put a valid one into the Secret; where the token is a file, check that \
         the file is mounted. An instance that ended is restarted automatically and reads it then. If the Secret \
         is right, check that the object refers to it, and that the broker validates tokens with the matching \
         key. Go programs know only the plugin for tokens.";
    AuthorizationFailed: Recovering, IN_PROGRESS;
        cause: "Pulsar authenticated the instance, and its role is not authorized for what it tried; the message says \
         what. The credentials are valid.";
        check: "`pulsar-admin namespaces permissions TENANT/NAMESPACE`";
        fix: "Grant it: `pulsar-admin namespaces grant-permission TENANT/NAMESPACE --role ROLE --actions \
         produce,consume` (`packages` to download a package). Leave the Secret as it is, unless it has the token \
         of another role.";
    PackageUnavailable: Recovering, IN_PROGRESS;
        cause: "The package could not be downloaded, there is no file where `jar`, `py` or `go` says, the file is no \
         package, or a Python package that it requires cannot be installed. The message has the answer of the \
         server or of the instance.";
        check: "`pulsar-admin packages list-versions TYPE://TENANT/NAMESPACE/NAME`, or fetch the address by hand.";
        fix: "Upload the package, or correct `jar`, `py`, `go` and the location beside it in the spec. Where the \
         download cannot connect, correct the web service address in `spec.pulsar.pulsarConfig`.";
    ClassNotFound: Recovering, IN_PROGRESS;
        cause: "The class in `spec.className`, or a class or module that it needs, is not in the package or in the \
         image. An error in the code of a Python module is `CrashLoop`.";
        check: "`unzip -l PACKAGE.jar | grep CLASS`, or `pip list` in the image.";
        fix: "Correct `spec.className`, or build the package or the image with its dependencies.";
    IncompatibleSchema: Recovering, IN_PROGRESS;
        cause: "The schemas of the instance and of the topic are incompatible.";
        check: "`pulsar-admin schemas get TOPIC`";
        fix: "Correct `typeClassName`, `schemaType` or `sourceSpecs` in the spec, or the compatibility strategy of the \
         namespace.";
    TopicNotFound: Recovering, IN_PROGRESS;
        cause: "A topic, its namespace or its tenant does not exist, or the topic was terminated. The broker does not \
         create a topic by itself where `allowAutoTopicCreation` is off.";
        check: "`pulsar-admin topics list TENANT/NAMESPACE`, `pulsar-admin namespaces list TENANT`";
        fix: "Create it, or correct the name in `spec.input.topics` or `spec.output.topic`.";
    BrokerUnreachable: Recovering, IN_PROGRESS;
        cause: "The instance cannot reach Pulsar: the name does not resolve, the connection is refused or times out, or \
         what answers on the port does not speak Pulsar's protocol.";
        check: "The addresses in the ConfigMap of `spec.pulsar.pulsarConfig`, and whether the brokers run.";
        fix: "Correct the addresses (`pulsar://` with the port for plain connections, 6650 by default), or bring the \
         broker back. Check NetworkPolicies as well. An instance is restarted automatically, up to five minutes \
         later.";
    NotConnected: Recovering, IN_PROGRESS;
        cause: "The instance runs and has no connection to a broker, so it neither consumes nor produces. The message \
         says whether it had one. The broker is down, or a network policy is in the way; the token expired or the \
         role was removed; or an instance that starts hangs, for example in opening its state store. The \
         readiness probe looks for established connections to the ports in `brokerServiceURL`, to 6650 and to \
         6651.";
        check: "`kubectl logs POD`: the client's attempts and the broker's answers; `kubectl describe pod POD`: the \
         ports that the probe looks for.";
        fix: "Bring the broker back, and the instance reconnects, up to a minute later. Renew the Secret of \
         `authSecret`: a token is picked up within two minutes; other credentials need a restart \
         (`kubectl fmesh restart`). An instance that does not connect within ten minutes of its start is \
         restarted; `spec.pod.startupProbe` sets another limit. Where brokers advertise other ports, name them in \
         the ConfigMap of `spec.pulsar.pulsarConfig` (`brokerPorts: \"7650,7651\"`, or `any` to leave the \
         connection out of the readiness), and restart the pods.";
    InitContainerFailed: Recovering, IN_PROGRESS;
        cause: "An init container fails, so the instance never starts. The message ends with the end of its log.";
        check: "`kubectl logs POD -c CONTAINER`";
        fix: "Fix what the message says. Where the container downloads the package, check its location and the \
         credentials.";
    CrashLoop: Recovering, IN_PROGRESS;
        cause: "The instance exits after it started, and is restarted. The message has its last errors: the deepest \
         cause of a Java exception, the last exception of Python, the panic of Go. Exit code 0 is no success: \
         Java instances exit with it after a fatal error.";
        check: "`kubectl logs POD --previous`";
        fix: "Correct what the message says: often the code itself, or something that it connects to.";
    ProgressDeadlineExceeded: TimedOut, &[(PROGRESSING, false), (STALLED, true)];
        cause: "The object has not been available for ten minutes since the rollout began, its last pod was created, or \
         it was last available. The message and `Ready` give the reason. The controller keeps watching: once the \
         object is available, all conditions show it.";
        check: "`kubectl get function NAME -o wide`";
        fix: "Follow the advice for the reason of `Ready`.";
    ApiMissing: Current, &[(MISSING, true)];
        cause: "The object asks for a VerticalPodAutoscaler, and the cluster does not have that kind, or the controller \
         is not permitted to list it. The pods run without one.";
        check: "`kubectl api-resources --api-group=autoscaling.k8s.io`";
        fix: "Install the Vertical Pod Autoscaler, or grant the permission that the message names: the controller \
         notices either within a minute, without a restart. Or remove `spec.pod.vpa`.";
    SettingsRefused: Current, &[(UNSAFE_SETTINGS, true)];
        cause: "The object has a setting that publishes in plain text what was to be encrypted, loses messages or ends \
         the instance in its runtime. Admission refuses it now; the object was stored before that, and keeps \
         running unchanged.";
        check: "`kubectl get function NAME -o yaml`: the message names each setting and its effect; \
         `docs/reference/settings.md` lists all of them.";
        fix: "Change the settings as the message says.";
    CleanupRunning: CleaningUp, &[(READY, false), (PROGRESSING, true), (RECONCILING, true), (CLEANUP_PENDING, true)];
        cause: "The object is deleted, and its subscriptions in Pulsar are being removed. The message says what the \
         cleanup is waiting for: the end of the pods, its turn among other deleted objects, the start of the \
         Job's pod, or the Job.";
        check: "`kubectl get jobs,pods -l compute.functionmesh.io/name=NAME` and the logs of the Job's pod.";
        fix: "Wait. To delete the object at once and keep its subscriptions: `kubectl annotate function NAME \
         compute.functionmesh.io/need-cleanup=false`.";
    CleanupFailed: CleanupFailed, &[(READY, false), (PROGRESSING, false), (STALLED, true), (CLEANUP_PENDING, true)];
        cause: "The subscriptions of a deleted object could not be removed from Pulsar; the message gives the reason. \
         The object is deleted anyway, at the latest 15 minutes after the first attempt, and an Event reports it. \
         A quota that is used up does not count as an attempt.";
        check: "`kubectl get events --field-selector involvedObject.name=NAME`, and the log of the Job's pod while it \
         exists.";
        fix: "Remove the subscription by hand: `pulsar-admin topics unsubscribe`.";
    Forbidden: Refused, REFUSED;
        cause: "The controller lacks a permission; the message names the verb and the resource. The controller retries, \
         at least every five minutes.";
        check: "`kubectl auth can-i VERB RESOURCE -n NAMESPACE \
         --as=system:serviceaccount:NAMESPACE-OF-THE-OPERATOR:ACCOUNT`";
        fix: "Grant the controller's service account the permissions in the chart, or in `config/rbac`.";
    QuotaExceeded: Refused, REFUSED;
        cause: "A ResourceQuota of the namespace does not admit a child; the message names the resource that is used up. \
         The controller retries, at least every five minutes.";
        check: "`kubectl describe resourcequota -n NAMESPACE`";
        fix: "Raise the quota, or remove what uses it up: `kubectl describe resourcequota`.";
    AdmissionDenied: Refused, REFUSED;
        cause: "An admission webhook or policy of the cluster denies a child; the message quotes it. The controller \
         retries, at least every five minutes.";
        check: "`kubectl get validatingwebhookconfigurations,validatingadmissionpolicies`; the message names the webhook \
         or policy.";
        fix: "Change the object so that the policy admits its pods, or add an exception to the policy.";
    TooLarge: Refused, REFUSED;
        cause: "A child is larger than the API server accepts. The controller retries when the object changes.";
        check: "`kubectl get function NAME -o yaml | wc -c`: an object may have about 1.5 MB.";
        fix: "Make the object smaller: often `userConfig`, a log configuration, or `spec.pod`.";
    ApplyFailed: Retried, RETRIED;
        cause: "The API server failed or did not answer a write six times in a row; the message quotes it. The \
         controller retries, at least every five minutes. Running pods keep running.";
        check: "The message quotes the API server. The controller's log has each attempt: `kubectl logs \
         deployment/function-mesh-function-controller`.";
        fix: "Nothing if the API server was unavailable: the controller catches up. Otherwise fix what the message \
         names, often an admission webhook that does not answer.";
}
