//! The reasons that the pods give.

use super::UNDER_WAY;
use crate::conditions::PROGRESSING;
use crate::health::reason::Reason;
use functionmesh_api::condition::{ReasonDocs, STALLED};

/// What it means and what to do; without words for reasons that are not here, which a test would find.
#[allow(clippy::too_many_lines, reason = "a table")]
pub(super) fn docs(reason: Reason) -> ReasonDocs {
    let (conditions, meaning, check, advice) = match reason {
        Reason::NodeLost => (
            UNDER_WAY,
            "The node of a pod does not report, or did not remove the pod within its grace period. Kubernetes keeps the \
             identity of a pod of a StatefulSet: it starts no other pod in its place while the old one may still run. The \
             message names the node and the pod. A drained or cordoned node and a preempted pod are not reported as long as \
             the pods end in time.",
            "`kubectl get nodes`, and `kubectl get pods -o wide -l compute.functionmesh.io/name=NAME`: a pod of a node that is \
             lost stays `Terminating`, or `Running` and not ready.",
            "Bring the node back, and the pod starts again. If it is off for good, make sure that it is (two instances could \
             run otherwise), and say so: `kubectl taint nodes NODE \
             node.kubernetes.io/out-of-service=nodeshutdown:NoExecute`. Kubernetes then removes its pods and detaches their \
             volumes, and the pods start on other nodes. Before the node comes back: `kubectl taint nodes NODE \
             node.kubernetes.io/out-of-service-`. A managed node group or `kubectl delete node NODE` has the same effect.",
        ),
        Reason::ImagePullBackOff => (
            UNDER_WAY,
            "The kubelet cannot pull an image; the message has the registry's answer.",
            "`kubectl describe pod -l compute.functionmesh.io/name=NAME`",
            "Correct the name and tag in `spec.image` or the secrets in `spec.pod.imagePullSecrets`, or mend the way to the \
             registry. The kubelet tries again by itself, up to five minutes later.",
        ),
        Reason::CreateContainerConfigError => (
            UNDER_WAY,
            "A ConfigMap, a Secret or a key in one that the container needs is missing; the message names it.",
            "`kubectl get configmap,secret` in the object's namespace.",
            "Create what the message names, and the pod starts by itself; or correct the reference, such as \
             `spec.pulsar.pulsarConfig`, `spec.pulsar.authSecret` or `spec.secretsMap`.",
        ),
        Reason::Unschedulable => (
            UNDER_WAY,
            "The scheduler finds no node for a pod; the message has its words.",
            "`kubectl describe nodes` for what is left on each, and `kubectl describe pod` for what is asked for.",
            "Lower `spec.resources`, add nodes, or correct `nodeSelector`, `affinity` and `tolerations` in `spec.pod`.",
        ),
        Reason::VolumesNotReady => (
            UNDER_WAY,
            "A pod has a node, and for half a minute its volumes could not be mounted there or its network could not be \
             made, so that no container is started. The message names what the volumes need.",
            "`kubectl describe pod -l compute.functionmesh.io/name=NAME`: its Events have the kubelet's words.",
            "Create the ConfigMap, Secret or PersistentVolumeClaim that is missing, and the pod starts by itself; or \
             correct `spec.pod.volumes`, `spec.pulsar.tlsConfig` or the log configuration.",
        ),
        Reason::PodsNotCreated => (
            UNDER_WAY,
            "For twenty seconds there have been fewer pods than wanted, and nothing is wrong with those that exist: the \
             controller of StatefulSets may not make them.",
            "`kubectl describe statefulset -l compute.functionmesh.io/name=NAME`: its Events have the words of the quota or \
             policy.",
            "Raise the ResourceQuota or LimitRange, or change the object so that the policy admits its pods. It is tried \
             again by itself.",
        ),
        Reason::OutOfMemory => (
            UNDER_WAY,
            "A container used more memory than its limit and was killed by the kernel, or the program ran out of the memory \
             that it may use: the heap or the direct memory of the JVM, or memory that Python or Go could not allocate.",
            "`kubectl top pod`, and the limit in `spec.resources.limits.memory`.",
            "Raise `spec.resources.limits.memory`, or find out what the code keeps in memory. For `Java heap space` and \
             `direct memory` check `spec.java.javaOpts` as well: `-Xmx` and `-XX:MaxDirectMemorySize` there take precedence.",
        ),
        Reason::DiskFull => (
            UNDER_WAY,
            "There is no space left where the instance or the download of its package writes: a volume, or the file system of \
             the container. The message names the file where the program does.",
            "`kubectl describe pod -l compute.functionmesh.io/name=NAME` for the volumes and the limit of `ephemeral-storage`, \
             and `df` in a container of the pod.",
            "Raise `sizeLimit` of the `emptyDir`, `ephemeral-storage` in `spec.resources`, or the size of the \
             PersistentVolumeClaim; or find out what fills it. Packages of connectors are unpacked below the `java.io.tmpdir` \
             of the JVM.",
        ),
        Reason::TlsFailed => (
            UNDER_WAY,
            "TLS fails before any credentials are sent. The certificate of the server is not signed by a trusted authority, or \
             is for another host name, or the file of trusted certificates cannot be read, or the port does not speak TLS. \
             Python and Go report an untrusted certificate and a wrong host name in similar words.",
            "`openssl s_client -connect HOST:PORT -servername HOST -showcerts -CAfile CA.pem` with the address of the message, \
             and the certificate in the Secret of `spec.pulsar.tlsSecret` or `spec.pulsar.tlsConfig`.",
            "Correct the trusted certificate in the Secret, or the address in `spec.pulsar.pulsarConfig`: its host name must be \
             in the certificate of the server, and `pulsar+ssl://` and `https://` need the port for TLS (6651 and 8443 by \
             default). Tokens and permissions are not the reason. An instance reads certificates when it starts, and it is \
             restarted by itself.",
        ),
        Reason::AuthenticationFailed => (
            UNDER_WAY,
            "Pulsar does not accept who the instance says it is: the token or certificate is missing, wrong, expired or cannot \
             be read. The Python client only logs that the broker closed the connection.",
            "`kubectl get secret NAME -o yaml` of the one in `spec.pulsar.authSecret` or `spec.pulsar.authConfig`: the plugin, \
             and the expiry of the token. The broker's log has its reason for the refusal.",
            "If the token is expired or wrong, put a valid one into the Secret; where the token is a file, check that the file \
             is mounted. An instance that ended is restarted by itself and reads it then. If the Secret is right, check that \
             the object refers to it, and that the broker validates tokens with the matching key. Go programs know only the \
             plugin for tokens.",
        ),
        Reason::AuthorizationFailed => (
            UNDER_WAY,
            "Pulsar knows the instance, and its role may not do what it tried; the message has what. The credentials are valid.",
            "`pulsar-admin namespaces permissions TENANT/NAMESPACE`",
            "Grant it: `pulsar-admin namespaces grant-permission TENANT/NAMESPACE --role ROLE --actions produce,consume` \
             (`packages` to download a package). Leave the Secret as it is, unless it has the token of another role.",
        ),
        Reason::PackageUnavailable => (
            UNDER_WAY,
            "The package could not be downloaded, there is no file where `jar`, `py` or `go` says, the file is no package, or a \
             Python package that it requires cannot be installed. The message has the answer of the server or of the instance.",
            "`pulsar-admin packages list-versions TYPE://TENANT/NAMESPACE/NAME`, or fetch the address by hand.",
            "Upload the package, or correct `jar`, `py`, `go` and the location beside it in the spec. Where the download cannot \
             connect, correct the web service address in `spec.pulsar.pulsarConfig`.",
        ),
        Reason::ClassNotFound => (
            UNDER_WAY,
            "The class in `spec.className`, or a class or module that it needs, is not in the package or in the image. An error \
             in the code of a Python module is `CrashLoop`.",
            "`unzip -l PACKAGE.jar | grep CLASS`, or `pip list` in the image.",
            "Correct `spec.className`, or build the package or the image with its dependencies.",
        ),
        Reason::IncompatibleSchema => (
            UNDER_WAY,
            "The schema of the instance and that of the topic do not go together.",
            "`pulsar-admin schemas get TOPIC`",
            "Correct `typeClassName`, `schemaType` or `sourceSpecs` in the spec, or the compatibility strategy of the \
             namespace.",
        ),
        Reason::TopicNotFound => (
            UNDER_WAY,
            "A topic, its namespace or its tenant does not exist, or the topic was terminated. The broker does not create a \
             topic by itself where `allowAutoTopicCreation` is off.",
            "`pulsar-admin topics list TENANT/NAMESPACE`, `pulsar-admin namespaces list TENANT`",
            "Create it, or correct the name in `spec.input.topics` or `spec.output.topic`.",
        ),
        Reason::BrokerUnreachable => (
            UNDER_WAY,
            "The instance cannot reach Pulsar: the name does not resolve, the connection is refused or times out, or what \
             answers on the port does not speak Pulsar's protocol.",
            "The addresses in the ConfigMap of `spec.pulsar.pulsarConfig`, and whether the brokers run.",
            "Correct the addresses (`pulsar://` with the port for plain connections, 6650 by default), or bring the broker back. \
             Check NetworkPolicies as well. An instance is restarted by itself, up to five minutes later.",
        ),
        Reason::NotConnected => (
            UNDER_WAY,
            "The instance runs and has no connection to a broker, so it neither consumes nor produces. The message says whether it \
             had one. The broker is down, or a network policy is in the way; the token expired or the role was removed; or an \
             instance that starts hangs, for example in opening its state store. The readiness probe looks for established \
             connections to the ports in `brokerServiceURL`, to 6650 and to 6651.",
            "`kubectl logs POD`: the client's attempts and the broker's answers; `kubectl describe pod POD`: the ports that the probe \
             looks for.",
            "Bring the broker back, and the instance connects by itself, up to a minute later. Renew the Secret of `authSecret`: a \
             token is picked up within two minutes; other credentials need `kubectl rollout restart statefulset NAME-function`. An \
             instance that does not connect within ten minutes of its start is restarted; `spec.pod.startupProbe` sets another limit. \
             Where brokers advertise other ports, name them in the ConfigMap of `spec.pulsar.pulsarConfig` (`brokerPorts: \"7650,7651\"`, \
             or `any` to leave the connection out of the readiness), and restart the pods.",
        ),
        Reason::InitContainerFailed => (
            UNDER_WAY,
            "An init container fails, so the instance never starts. The message ends with its last words.",
            "`kubectl logs POD -c CONTAINER`",
            "Correct what the message says. Where the container downloads the package, check its location and the \
             credentials.",
        ),
        Reason::CrashLoop => (
            UNDER_WAY,
            "The instance ends after it was started, and is started again. The message has its last errors: the deepest cause \
             of a Java exception, the last exception of Python, the panic of Go. Exit code 0 is no success, as Java instances \
             end with it after a fatal error.",
            "`kubectl logs POD --previous`",
            "Correct what the message says: often the code itself, or something that it connects to.",
        ),
        Reason::ProgressDeadlineExceeded => (
            &[(PROGRESSING, false), (STALLED, true)][..],
            "The object has not been available for ten minutes since the rollout began, its last pod was created or it was \
             available last. The message and `Ready` have the reason. The controller goes on: once the object is \
             available, all conditions say so.",
            "`kubectl get function NAME -o wide`",
            "See the reason of `Ready`.",
        ),
        _ => (&[][..], "", "", ""),
    };
    ReasonDocs { conditions, meaning, check, advice }
}
