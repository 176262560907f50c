//! What lowering a Function, Source and Sink has in common.

use crate::instance::function_details::{FunctionDetails, Resources, RetryDetails, SinkSpec, SourceSpec};
use crate::instance::pulsar_connection::{Messaging, Side};
use crate::instance::runtime::{GoExtras, JavaExtras, Runtime};
use crate::lower::problems::{Invalid, Problems};
use crate::lower::{log_topic, runtime, validate};
use crate::resource::names::WorkloadName;
use crate::text::quantity::Decimal;
use crate::workload::{Autoscaling, CryptoSecret, Images, Leftovers, Owner, StateStore, Workload};
use functionmesh_api::Kind;
use functionmesh_api::common::{Common, ProcessingGuarantee};
use functionmesh_api::constants::ANNOTATION_RESTARTED_AT;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The part of a workload that depends on the kind.
#[derive(Default)]
pub(crate) struct Specific {
    /// Class the instance runs, for details.
    pub class_name: String,
    pub user_config: Option<String>,
    pub auto_ack: bool,
    /// Overrides the object's processing guarantee.
    pub guarantee: Option<ProcessingGuarantee>,
    pub source: SourceSpec,
    pub sink: SinkSpec,
    pub retry: Option<RetryDetails>,
    pub retain_ordering: bool,
    pub retain_key_ordering: bool,
    pub crypto_secrets: Vec<CryptoSecret>,
    pub java: JavaExtras,
    pub go: GoExtras,
    pub leftovers: Option<Leftovers>,
}

/// The component's tenant, namespace and name in Pulsar, with their defaults.
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

/// Combines the shared fields with the part that depends on the kind.
pub(crate) fn workload(
    kind: Kind,
    metadata: &ObjectMeta,
    common: Common,
    specific: Specific,
    mut problems: Problems,
) -> Result<Workload, Invalid> {
    let object_name = metadata.name.clone().unwrap_or_default();
    let name = WorkloadName::new(&object_name, kind);
    if let Err(problem) = &name {
        problems.add("metadata.name", problem);
    }
    let replicas = common.replicas.or(common.min_replicas).unwrap_or(1);
    validate::common(kind, &common, &mut problems);
    validate::crypto_paths(&specific.crypto_secrets, &mut problems);

    let pulsar_name = PulsarName::of(metadata, &common);
    let log = log_topic::log(kind, &common);
    let program = runtime::program(kind, &common, specific.java, specific.go, &pulsar_name.name, &log);
    let details = FunctionDetails {
        tenant: pulsar_name.tenant,
        namespace: pulsar_name.namespace,
        name: pulsar_name.name,
        class_name: specific.class_name,
        log_topic: match kind {
            Kind::Function if !log.sidecar => text(log.topic.as_ref()),
            _ => String::new(),
        },
        processing_guarantees: guarantee(specific.guarantee.or(common.processing_guarantee)),
        user_config: specific.user_config,
        secrets_map: common.secrets_map.as_ref().map(secrets_json),
        runtime: match &program {
            Some((Runtime::Python(_), _)) => Some("PYTHON"),
            Some((Runtime::Go(_), _)) => Some("GO"),
            _ => None,
        },
        auto_ack: specific.auto_ack,
        // With the actual count in the command, every scaling would restart all pods.
        parallelism: if common.show_precise_parallelism == Some(true) { replicas } else { 1 },
        source: specific.source,
        sink: specific.sink,
        resources: requested(common.resources.as_ref(), &mut problems),
        retry_details: specific.retry,
        runtime_flags: text(common.runtime_flags.as_ref()),
        component_type: component_type(kind),
        retain_ordering: specific.retain_ordering,
        retain_key_ordering: specific.retain_key_ordering,
    };
    let (Ok(name), Some((runtime, package))) = (name, program) else {
        return Err(problems.unless_any(()).err().unwrap_or(Invalid(Vec::new())));
    };
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let connector = kind != Kind::Function;
    let state = common.stateful_config.and_then(|state| state.pulsar).filter(|s| !s.service_url.is_empty());
    problems.unless_any(Workload {
        kind,
        owner: Owner { name: object_name, uid: metadata.uid.clone().unwrap_or_default() },
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name,
        replicas,
        autoscaling: common
            .max_replicas
            .map(|max| Autoscaling { min: common.min_replicas.unwrap_or(replicas), max }),
        images: Images {
            main: given(common.image),
            pull_policy: given(common.image_pull_policy),
            has_pulsarctl: common.image_has_pulsarctl == Some(true),
            has_wget: common.image_has_get == Some(true),
            downloader: given(common.downloader_image),
            filebeat: given(common.filebeat_image),
            cleanup: given(common.cleanup_image),
        },
        runtime,
        package,
        details,
        cluster_name: given(common.cluster_name).unwrap_or_else(|| "kubernetes".to_owned()),
        pulsar: Messaging::new(Side::Runtime, common.pulsar.unwrap_or_default()),
        package_service: common.pulsar_package_service.map(|spec| Messaging::new(Side::Packages, spec)),
        state: state
            .map(|s| StateStore { url: s.service_url, java_class: s.java_provider.map(|p| p.class_name) }),
        log,
        secrets: common.secrets_map.unwrap_or_default(),
        resources: common.resources,
        volume_mounts: common.volume_mounts.unwrap_or_default(),
        crypto_secrets: specific.crypto_secrets,
        python_log_config: common
            .python
            .filter(|_| connector)
            .and_then(|python| python.log)
            .and_then(|log| log.log_config),
        pod: common.pod.unwrap_or_default(),
        volume_claim_templates: Vec::new(),
        claim_retention: None,
        leftovers: specific.leftovers,
        restarted_at: given(
            metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION_RESTARTED_AT).cloned()),
        ),
    })
}

/// The name that Pulsar has for the kind.
fn component_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Function => "FUNCTION",
        Kind::Source => "SOURCE",
        Kind::Sink => "SINK",
    }
}

fn guarantee(guarantee: Option<ProcessingGuarantee>) -> Option<&'static str> {
    match guarantee? {
        ProcessingGuarantee::AtleastOnce => None,
        ProcessingGuarantee::AtmostOnce => Some("ATMOST_ONCE"),
        ProcessingGuarantee::EffectivelyOnce => Some("EFFECTIVELY_ONCE"),
        ProcessingGuarantee::Manual => Some("MANUAL"),
    }
}

/// `{"NAME":{"path":…,"key":…}}`, in the order of the names, empty members omitted.
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

/// The resource requests in Pulsar's units.
fn requested(resources: Option<&ResourceRequirements>, problems: &mut Problems) -> Resources {
    let mut found = |key: &str| {
        let text = &resources?.requests.as_ref()?.get(key)?.0;
        let amount = Decimal::parse(text);
        if amount.is_none_or(Decimal::is_negative) {
            problems.add(
                format!("spec.resources.requests.{key}"),
                format!("{text:?} is not a quantity; use one such as 500m or 1Gi"),
            );
        }
        amount.filter(|a| a.approximate() != 0.0)
    };
    // Truncated as by the Go operator; validation rejects quantities beyond 64 bits.
    let whole = |amount: Decimal| format!("{:.0}", amount.approximate().trunc());
    Resources {
        cpu: found("cpu").map(Decimal::approximate),
        ram: found("memory").map(whole),
        disk: found("storage").map(whole),
    }
}
