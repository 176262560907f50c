//! The part of lowering that Function, Source and Sink share.

use crate::details::{FunctionDetails, Resources, RetryDetails, SinkSpec, SourceSpec};
use crate::invalid::Problems;
use crate::java::{Java, JavaExtras};
use crate::names::WorkloadName;
use crate::quantity::Decimal;
use crate::workload::CryptoSecret;
use crate::{Invalid, Owner, Role, Workload};
use functionmesh_api::common::{Common, LogTopicAgent, ProcessingGuarantee};
use functionmesh_api::messaging::PulsarMessaging;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// What a kind contributes to its workload: the part that differs.
#[derive(Default)]
pub(crate) struct Specific {
    /// Class the instance runs, for details.
    pub class_name: String,
    pub log_topic: String,
    pub user_config: Option<String>,
    pub auto_ack: bool,
    pub source: SourceSpec,
    pub sink: SinkSpec,
    pub retry: Option<RetryDetails>,
    pub retain_ordering: bool,
    pub retain_key_ordering: bool,
    pub crypto_secrets: Vec<CryptoSecret>,
    pub java: JavaExtras,
}

/// Names under which Pulsar knows the component, defaulted.
pub(crate) struct PulsarName {
    pub tenant: String,
    pub namespace: String,
    pub name: String,
}

impl PulsarName {
    pub(crate) fn of(metadata: &ObjectMeta, common: &Common) -> Self {
        let or = |value: &Option<String>, default: &str| {
            value.clone().filter(|v| !v.is_empty()).unwrap_or_else(|| default.to_owned())
        };
        Self {
            tenant: or(&common.tenant, "public"),
            namespace: or(&common.namespace, "default"),
            name: or(&common.name, metadata.name.as_deref().unwrap_or_default()),
        }
    }
}

/// The text of an optional field, empty when absent.
pub(crate) fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_default()
}

/// Brings the shared fields and the specific part together.
pub(crate) fn workload(
    role: Role,
    metadata: &ObjectMeta,
    common: Common,
    specific: Specific,
    mut problems: Problems,
) -> Result<Workload, Invalid> {
    let object_name = metadata.name.clone().unwrap_or_default();
    let name = WorkloadName::new(&object_name, role);
    if let Err(problem) = &name {
        problems.add("metadata.name", problem);
    }
    let replicas = common.replicas.or(common.min_replicas).unwrap_or(1);
    problems.when(replicas < 0, "spec.replicas", "must not be negative");
    check_common(&common, &mut problems);

    let pulsar_name = PulsarName::of(metadata, &common);
    let java = Java::lower(&common, &pulsar_name.name, specific.java, &mut problems);
    let details = FunctionDetails {
        tenant: pulsar_name.tenant,
        namespace: pulsar_name.namespace,
        name: pulsar_name.name,
        class_name: specific.class_name,
        log_topic: specific.log_topic,
        processing_guarantees: guarantee(common.processing_guarantee),
        user_config: specific.user_config,
        secrets_map: common.secrets_map.as_ref().map(secrets_json),
        auto_ack: specific.auto_ack,
        // The true count in the command would restart every pod whenever the count changes.
        parallelism: if common.show_precise_parallelism == Some(true) { replicas } else { 1 },
        source: specific.source,
        sink: specific.sink,
        resources: requested(common.resources.as_ref(), &mut problems),
        retry_details: specific.retry,
        runtime_flags: text(common.runtime_flags.as_ref()),
        component_type: role.component_type(),
        retain_ordering: specific.retain_ordering,
        retain_key_ordering: specific.retain_key_ordering,
    };
    let (Ok(name), Some(java)) = (name, java) else {
        return Err(problems.unless_any(()).err().unwrap_or(Invalid(Vec::new())));
    };
    problems.unless_any(Workload {
        role,
        owner: Owner { name: object_name, uid: metadata.uid.clone().unwrap_or_default() },
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name,
        replicas,
        autoscaling: common
            .max_replicas
            .map(|max| crate::Autoscaling { min: common.min_replicas.unwrap_or(replicas), max }),
        image: common.image.filter(|image| !image.is_empty()),
        java,
        details,
        cluster_name: common
            .cluster_name
            .filter(|n| !n.is_empty())
            .unwrap_or_else(|| "kubernetes".to_owned()),
        pulsar_config: common.pulsar.and_then(|p| p.pulsar_config).unwrap_or_default(),
        secrets: common.secrets_map.unwrap_or_default(),
        resources: common.resources,
        volume_mounts: common.volume_mounts.unwrap_or_default(),
        crypto_secrets: specific.crypto_secrets,
        pod: common.pod.unwrap_or_default(),
        volume_claim_templates: Vec::new(),
        claim_retention: None,
    })
}

/// Rules of behaviour reference 5.2 that hold for every kind, and what this release cannot run.
fn check_common(common: &Common, problems: &mut Problems) {
    let no_config = |p: &PulsarMessaging| p.pulsar_config.as_ref().is_none_or(String::is_empty);
    problems.when(
        common.pulsar.as_ref().is_none_or(no_config),
        "spec.pulsar.pulsarConfig",
        "must name the ConfigMap with the addresses of the Pulsar cluster (keys webServiceURL and brokerServiceURL)",
    );
    if let Some(pulsar) = &common.pulsar {
        let secret = |s: &Option<String>| s.as_ref().is_some_and(|s| !s.is_empty());
        let used = [
            ("spec.pulsar.authSecret", secret(&pulsar.auth_secret)),
            ("spec.pulsar.tlsSecret", secret(&pulsar.tls_secret)),
            ("spec.pulsar.authConfig", pulsar.auth_config.is_some()),
            ("spec.pulsar.tlsConfig", pulsar.tls_config.as_ref().is_some_and(|t| t.enabled == Some(true))),
        ];
        for (field, _) in used.iter().filter(|(_, used)| *used) {
            not_yet(problems, field);
        }
    }
    let used = [
        ("spec.pulsarPackageService", common.pulsar_package_service.is_some()),
        ("spec.statefulConfig", common.stateful_config.is_some()),
        ("spec.logTopicAgent", common.log_topic_agent == Some(LogTopicAgent::Sidecar)),
    ];
    for (field, _) in used.iter().filter(|(_, used)| *used) {
        not_yet(problems, field);
    }
    problems.when(
        common.pod.as_ref().and_then(|p| p.labels.as_ref()).is_some_and(|labels| {
            ["app", "component", "name", "namespace", "app.kubernetes.io/name", "app.kubernetes.io/instance"]
                .iter()
                .any(|key| labels.contains_key(*key))
                || labels.keys().any(|key| key.starts_with("compute.functionmesh.io/"))
        }),
        "spec.pod.labels",
        "must not set the labels by which the pods are selected (app, component, name, namespace, \
         app.kubernetes.io/name, app.kubernetes.io/instance, compute.functionmesh.io/*); use other keys",
    );
}

/// Notes a field that this release knows but cannot run: never ignored in silence.
pub(crate) fn not_yet(problems: &mut Problems, field: &str) {
    problems.add(field, "is not supported by this release; remove the field");
}

fn guarantee(guarantee: Option<ProcessingGuarantee>) -> Option<&'static str> {
    match guarantee? {
        ProcessingGuarantee::AtleastOnce => None,
        ProcessingGuarantee::AtmostOnce => Some("ATMOST_ONCE"),
        ProcessingGuarantee::EffectivelyOnce => Some("EFFECTIVELY_ONCE"),
        ProcessingGuarantee::Manual => Some("MANUAL"),
    }
}

/// `{"NAME":{"path":…,"key":…}}`, in the order of the names, members left out when empty.
fn secrets_json<'a>(
    secrets: impl IntoIterator<Item = (&'a String, &'a functionmesh_api::common::SecretRef)>,
) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let entries: Vec<String> = secrets
        .into_iter()
        .map(|(name, secret)| {
            let members: Vec<String> = [("path", &secret.path), ("key", &secret.key)]
                .into_iter()
                .filter_map(|(key, value)| {
                    let value = value.as_ref().filter(|v| !v.is_empty())?;
                    Some(format!("\"{key}\":{}", quoted(value)))
                })
                .collect();
            format!("{}:{{{}}}", quoted(name), members.join(","))
        })
        .collect();
    format!("{{{}}}", entries.join(","))
}

/// What is requested, as Pulsar counts it.
fn requested(resources: Option<&ResourceRequirements>, problems: &mut Problems) -> Resources {
    let mut found = |key: &str| {
        let text = &resources?.requests.as_ref()?.get(key)?.0;
        let amount = Decimal::parse(text);
        if amount.is_none_or(Decimal::is_negative) {
            problems.add(
                format!("spec.resources.requests.{key}"),
                format!("{text:?} is not an amount; write a quantity such as 500m or 1Gi"),
            );
        }
        amount.filter(|a| a.approximate() != 0.0)
    };
    // Truncated as the original does; what does not fit 64 bits was refused as a quantity.
    let whole = |amount: Decimal| format!("{:.0}", amount.approximate().trunc());
    Resources {
        cpu: found("cpu").map(Decimal::approximate),
        ram: found("memory").map(whole),
        disk: found("storage").map(whole),
    }
}
