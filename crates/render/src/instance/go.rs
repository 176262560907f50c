//! The command of a Go instance: the program is the instance, and its configuration is one JSON document.

use crate::instance::function_details::ConsumerSpec;
use crate::instance::pulsar_connection::{Auth, TOKEN_PLUGIN, Tls};
use crate::instance::runtime::Go;
use crate::instance::token_renewal;
use crate::text::quantity::Decimal;
use crate::text::shell::{Piece, quote, write_word};
use crate::workload::Workload;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The part of the command that runs the program.
pub(crate) fn script(go: &Go, workload: &Workload, file: &str) -> String {
    let file = quote(file);
    let (preparation, configuration) = (credentials(workload), configuration(go, workload));
    format!("ls -l {file} && chmod +x {file} && {preparation}exec {file} -instance-conf {configuration}")
}

/// The configuration as one shell word, with variables for the ordinal and the address.
fn configuration(go: &Go, workload: &Workload) -> String {
    let mut word = vec![
        Piece::literal("{\"pulsarServiceURL\":\""),
        Piece::variable("brokerServiceURL"),
        Piece::literal("\",\"instanceID\":"),
        Piece::variable("SHARD_ID"),
        Piece::literal(",\"funcID\":\""),
        Piece::variable("SHARD_ID"),
    ];
    let mut rest = vec![format!("-{}\"", workload.owner.uid)];
    let fields = fixed(go, workload).into_iter().chain(connection(workload));
    rest.extend(fields.map(|(name, value)| format!("\"{name}\":{value}")));
    let from_secrets = [
        (matches!(workload.pulsar.auth(), Auth::Environment), AUTHENTICATION),
        (workload.pulsar.tls() == Tls::Environment, TLS),
    ];
    let fixed = rest.join(",");
    if from_secrets.iter().any(|(used, _)| *used) {
        word.push(Piece::literal(&fixed));
        word.extend(from_secrets.iter().filter(|(used, _)| *used).map(|(_, name)| Piece::variable(name)));
        word.push(Piece::literal("}"));
    } else {
        word.push(Piece::literal(&(fixed + "}")));
    }
    write_word(&word)
}

/// The fields that are known when the pod is rendered.
fn fixed(go: &Go, workload: &Workload) -> Vec<(&'static str, Value)> {
    let details = &workload.details;
    let request = |resource: &str| {
        let requests = workload.resources.as_ref()?.requests.as_ref()?;
        Decimal::parse(&requests.get(resource)?.0).map(Decimal::ceiling)
    };
    let amount =
        |resource: &str| json!(request(resource).and_then(|n| i64::try_from(n).ok()).unwrap_or_default());
    let guarantee = match details.processing_guarantees {
        Some("ATMOST_ONCE") => 1,
        Some("EFFECTIVELY_ONCE") => 2,
        Some("MANUAL") => 3,
        _ => 0,
    };
    let mut fields = vec![
        ("funcVersion", json!("0")),
        ("maxBufTuples", json!(100)),
        ("port", json!(9093)),
        ("clusterName", json!(workload.cluster_name)),
        ("killAfterIdleMs", json!(0)),
        ("tenant", json!(details.tenant)),
        ("nameSpace", json!(details.namespace)),
        ("name", json!(details.name)),
        ("logTopic", json!(details.log_topic)),
        ("processingGuarantees", json!(guarantee)),
        ("secretsMap", json!("")),
        ("runtime", json!(3)),
        ("autoAck", json!(details.auto_ack)),
        ("parallelism", json!(details.parallelism)),
        ("subscriptionType", json!(subscription_type(details.source.subscription_type))),
        ("timeoutMs", json!(go.extras.timeout_ms)),
        ("subscriptionName", json!(details.source.subscription_name)),
        ("cleanupSubscription", json!(details.source.cleanup_subscription)),
        ("subscriptionPosition", json!(i32::from(details.source.subscription_position.is_some()))),
        ("sourceSpecsTopic", json!(go.extras.topic)),
        ("sourceSchemaType", json!("")),
        ("isRegexPatternSubscription", json!(go.extras.is_pattern)),
        ("receiverQueueSize", json!(0)),
        ("sinkSpecsTopic", json!(details.sink.topic)),
        ("sinkSchemaType", json!("")),
        ("cpu", amount("cpu")),
        ("ram", amount("memory")),
        ("disk", amount("storage")),
        ("maxMessageRetries", json!(go.extras.max_message_retries)),
        ("deadLetterTopic", json!(go.extras.dead_letter_topic)),
        ("expectedHealthCheckInterval", json!(-1)),
        ("userConfig", json!(details.user_config.as_deref().unwrap_or_default())),
        ("metricsPort", json!(9094)),
    ];
    if !go.extras.input_specs.is_empty() {
        let text = |spec: &ConsumerSpec| json!(serde_json::to_string(spec).unwrap_or_default());
        let specs: BTreeMap<&String, Value> =
            go.extras.input_specs.iter().map(|(topic, spec)| (topic, text(spec))).collect();
        fields.push(("sourceInputSpecs", json!(specs)));
    }
    // The same in Pulsar's own format. Since Pulsar 3.3 the SDK reads it instead of the fields above that describe the
    // function, and it has more settings; older SDKs ignore it.
    fields.push(("functionDetails", json!(details.to_json())));
    fields
}
/// The number of Pulsar's enum.
fn subscription_type(name: Option<&str>) -> i32 {
    match name {
        Some("FAILOVER") => 1,
        Some("KEY_SHARED") => 2,
        _ => 0,
    }
}

/// Shell variables with the parts of the configuration that come from Secrets.
const AUTHENTICATION: &str = "AUTHENTICATION_CONF";
const TLS: &str = "TLS_CONF";

/// Commands that convert the values of `authSecret` and `tlsSecret` from environment variables to JSON. Control
/// characters, such as a newline at the end of a file, are removed from tokens and paths. The instance supports the
/// token plugin only and refuses others, so other plugins are omitted.
fn credentials(workload: &Workload) -> String {
    let text = |name: &str| {
        let short = "value";
        format!(
            r#"{short}="${{{name}//[[:cntrl:]]/}}" && {short}="${{{short}//\\/\\\\}}" && {short}="${{{short}//\"/\\\"}}""#
        )
    };
    let mut steps = Vec::new();
    if matches!(workload.pulsar.auth(), Auth::Environment) {
        let parameters = text(token_renewal::PARAMETERS);
        steps.push(format!(
            r#"if [ "${{clientAuthenticationPlugin}}" = {TOKEN_PLUGIN} ]; then {parameters} && {AUTHENTICATION}=",\"clientAuthenticationPlugin\":\"{TOKEN_PLUGIN}\",\"clientAuthenticationParameters\":\"${{value}}\""; fi"#
        ));
    }
    if workload.pulsar.tls() == Tls::Environment {
        let path = text("tlsTrustCertsFilePath");
        let switch = |variable: &str, name: &str, default: bool| {
            let other = !default;
            format!(r#"{variable}={default} && if [ "${{{name}}}" = {other} ]; then {variable}={other}; fi"#)
        };
        let insecure = switch("insecure", "tlsAllowInsecureConnection", false);
        let verify = switch("verify", "tlsHostnameVerificationEnable", true);
        steps.push(format!(
            r#"{path} && {insecure} && {verify} && {TLS}=",\"tlsTrustCertsFilePath\":\"${{value}}\",\"tlsAllowInsecureConnection\":${{insecure}},\"tlsHostnameVerificationEnable\":${{verify}}""#
        ));
    }
    steps.into_iter().map(|step| step + " && ").collect()
}

/// Token authentication and TLS, in the fields that the Go instance supports since Pulsar 3.1 and the Go operator
/// omits. The instance refuses every other plugin, so these are omitted.
fn connection(workload: &Workload) -> Vec<(&'static str, Value)> {
    let pulsar = &workload.pulsar;
    let mut fields = Vec::new();
    if let Auth::Plugin(plugin) = pulsar.auth()
        && plugin.client_authentication_plugin == TOKEN_PLUGIN
    {
        fields.push(("clientAuthenticationPlugin", json!(TOKEN_PLUGIN)));
        let parameters = json!(plugin.client_authentication_parameters);
        fields.push(("clientAuthenticationParameters", parameters));
    }
    if let Tls::On { allow_insecure, hostname_verification } = pulsar.tls() {
        fields.extend(pulsar.certificate_path().map(|path| ("tlsTrustCertsFilePath", json!(path))));
        fields.push(("tlsAllowInsecureConnection", json!(allow_insecure)));
        fields.push(("tlsHostnameVerificationEnable", json!(hostname_verification)));
    }
    fields
}
