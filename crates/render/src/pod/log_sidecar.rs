//! The sidecar that sends the log files to the log topic.

use crate::environment::Environment;
use crate::instance::pulsar_connection::{OAUTH2_PLUGIN, TOKEN_PLUGIN, oauth2_parameters};
use crate::pod::env::EnvVarSet;
use crate::pod::volumes::Storage;
use crate::pod::{container, env};
use crate::workload::Workload;
use functionmesh_api::messaging::{AuthConfig, OAuth2Config};
use k8s_openapi::api::core::v1::{Container, EnvVar, SecurityContext};
use serde_json::Value;

const IMAGE: &str = "streamnative/filebeat:v0.6.0";
/// User ID in that image.
const USER: i64 = 1000;
const PROGRAM: &str = "/usr/share/filebeat/filebeat";
const CONFIGURATION: &str = "/usr/share/filebeat/config/filebeat.yaml";
/// Filebeat expands the variables.
const TEMPLATE: &str = "filebeat.inputs:
- type: log
  paths:
  - /pulsar/logs/functions/*.log
output.pulsar:
  fast_fail: true
  url: ${brokerServiceURL}
  topic: ${logTopic}
  name: ${POD_NAME}
  token: ${clientAuthenticationParameters:}
  oauth2:
    enabled: ${oauth2Enabled:false}
    issuerUrl: ${oauth2IssuerUrl:}
    privateKey: ${oauth2PrivateKey:}
    audience: ${oauth2Audience:}
    scope: ${oauth2Scope:}
log_level: info
";

/// Renders the sidecar, if the log has a topic and the sidecar sends it.
pub(crate) fn container(
    workload: &Workload,
    environment: &Environment,
    storage: &Storage,
) -> Option<Container> {
    let topic = workload.log.topic.as_ref().filter(|_| workload.log.sidecar)?;
    let mut set = EnvVarSet::default();
    for variable in workload.pod.env.iter().flatten() {
        set.set(variable.clone());
    }
    set.set(plain("logTopic", topic));
    set.set(env::pod_name());
    for (name, value) in
        workload.pulsar.auth_config().map(|config| credentials(workload, config)).unwrap_or_default()
    {
        set.set(plain(name, &value));
    }
    let script =
        format!("printf '%s' '{TEMPLATE}' > {CONFIGURATION} && exec {PROGRAM} -e -c {CONFIGURATION}");
    let configured = &environment.filebeat;
    let image = workload.images.filebeat.as_ref().or(configured.image.as_ref());
    Some(Container {
        name: "filebeat".to_owned(),
        image: Some(image.cloned().unwrap_or_else(|| IMAGE.to_owned())),
        image_pull_policy: Some(configured.pull_policy()),
        resources: configured.resources.clone().map(container::canonical),
        command: Some(["/bin/sh", "-c", "--", script.as_str()].map(str::to_owned).to_vec()),
        env: Some(set.into_vec()),
        env_from: Some(workload.pulsar.env_from_tls_first()),
        volume_mounts: Some(storage.sidecar_mounts(workload)),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        security_context: Some(SecurityContext {
            run_as_user: Some(USER),
            run_as_non_root: Some(true),
            ..container::no_privileges()
        }),
        ..Container::default()
    })
}

/// Variables for the template. `genericAuth` takes precedence, as in the Go operator; of its plugins, Filebeat supports
/// two.
fn credentials(workload: &Workload, config: &AuthConfig) -> Vec<(&'static str, String)> {
    match (&config.generic_auth, &config.oauth2_config) {
        (Some(generic), _) if generic.client_authentication_plugin == TOKEN_PLUGIN => {
            vec![("clientAuthenticationParameters", generic.client_authentication_parameters.clone())]
        }
        (Some(generic), _) if generic.client_authentication_plugin == OAUTH2_PLUGIN => {
            let parameters = oauth2_parameters(generic).unwrap_or_default();
            let text = |key: &str| parameters.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            oauth2(text("issuerUrl"), text("audience"), text("privateKey"), text("scope"))
        }
        (Some(_), _) | (None, None) => Vec::new(),
        (None, Some(config)) => {
            let OAuth2Config { issuer_url, audience, scope, .. } = config.clone();
            oauth2(issuer_url, audience, workload.pulsar.key_path(config), scope.unwrap_or_default())
        }
    }
}

fn oauth2(issuer: String, audience: String, key: String, scope: String) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("oauth2Enabled", "true".to_owned()),
        ("oauth2IssuerUrl", issuer),
        ("oauth2Audience", audience),
        ("oauth2PrivateKey", key),
    ];
    if !scope.is_empty() {
        variables.push(("oauth2Scope", scope));
    }
    variables
}

/// A variable with a literal value, in which `$(NAME)` is not expanded.
fn plain(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(crate::text::shell::protect(value)), value_from: None }
}
