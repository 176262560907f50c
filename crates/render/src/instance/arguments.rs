//! Command-line arguments that the Java, Python and generic instances share.

use crate::instance::pulsar_connection::Tls;
use crate::instance::token_renewal;
use crate::text::shell::{option_if_set, quote};
use crate::workload::Workload;

/// Command-line arguments that the Java, Python and generic instances share.
pub(crate) fn instance_arguments(workload: &Workload) -> Vec<String> {
    arguments_with(workload, &quote(&workload.details.to_json()))
}

/// The same with other details, given as a shell word.
pub(crate) fn arguments_with(workload: &Workload, details: &str) -> Vec<String> {
    let mut arguments = vec![
        "--instance_id ${SHARD_ID}".to_owned(),
        format!("--function_id ${{SHARD_ID}}-{}", quote(&workload.owner.uid)),
        "--function_version 0".to_owned(),
        format!("--function_details {details}"),
        format!("--pulsar_serviceurl {}", workload.pulsar.address("brokerServiceURL")),
        "--max_buffered_tuples 100 --port 9093 --metrics_port 9094 --expected_healthcheck_interval 0"
            .to_owned(),
        format!("--cluster_name {}", quote(&workload.cluster_name)),
    ];
    let pulsar = &workload.pulsar;
    let (plugin, parameters) = ("--client_auth_plugin", "--client_auth_params");
    arguments.extend(match token_renewal::parameters(workload) {
        Some(variable) => Some(format!(
            "{} {}",
            pulsar.option(plugin, "clientAuthenticationPlugin"),
            option_if_set(parameters, variable)
        )),
        None => pulsar.plugin_options(pulsar.auth(), plugin, parameters),
    });
    arguments.push(tls_arguments(workload));
    arguments
}

fn tls_arguments(workload: &Workload) -> String {
    let pulsar = &workload.pulsar;
    match pulsar.tls() {
        Tls::Off => "--use_tls false".to_owned(),
        Tls::Environment => format!(
            "--use_tls true --tls_allow_insecure {} --hostname_verification_enabled {} {}",
            pulsar.variable_or("tlsAllowInsecureConnection", "false"),
            pulsar.variable_or("tlsHostnameVerificationEnable", "true"),
            pulsar.option("--tls_trust_cert_path", "tlsTrustCertsFilePath"),
        ),
        Tls::On { allow_insecure, hostname_verification } => {
            let certificate = pulsar
                .certificate_path()
                .map(|path| format!(" --tls_trust_cert_path {}", quote(&path)))
                .unwrap_or_default();
            format!(
                "--use_tls true --tls_allow_insecure {allow_insecure} \
                 --hostname_verification_enabled {hostname_verification}{certificate}"
            )
        }
    }
}

/// The address of the state store, if the component has one.
pub(crate) fn state_arguments(workload: &Workload) -> Option<String> {
    let state = workload.state.as_ref()?;
    Some(format!("--state_storage_serviceurl {}", quote(&state.url)))
}
