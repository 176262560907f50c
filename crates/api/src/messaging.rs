//! The Pulsar cluster a component talks to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Connection to a Pulsar cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PulsarMessaging {
    /// Name of a ConfigMap in the same namespace with the keys `webServiceURL` and `brokerServiceURL`. The optional key
    /// `brokerPorts` lists the ports that brokers advertise, if these are neither the port of `brokerServiceURL` nor
    /// 6650 or 6651: the readiness probe looks for connections to them. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulsar_config: Option<String>,
    /// Name of a Secret with the keys `clientAuthenticationPlugin` and `clientAuthenticationParameters`. Java, Python
    /// and Go instances pick up a renewed token (`token:...`) without a restart. Go programs support the token plugin
    /// only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_secret: Option<String>,
    /// Name of a Secret with the keys `tlsAllowInsecureConnection`, `tlsHostnameVerificationEnable` and
    /// `tlsTrustCertsFilePath`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_secret: Option<String>,
    /// TLS settings. They replace `tlsSecret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_config: Option<PulsarTlsConfig>,
    /// Authentication settings. They replace `authSecret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_config: Option<AuthConfig>,
    /// Authentication of the Job that removes the subscription; in `pulsar` only. Defaults to the component's
    /// authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup_auth_config: Option<AuthConfig>,
}

/// TLS settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PulsarTlsConfig {
    /// Whether to use TLS. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Accept any server certificate. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_insecure: Option<bool>,
    /// Verify that the certificate matches the host name of the server. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname_verification: Option<bool>,
    /// Name of the Secret with the trusted CA certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_name: Option<String>,
    /// Key in that Secret. The certificate is mounted when both are set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_key: Option<String>,
}

/// Authentication. When both fields are set, `oauth2Config` is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthConfig {
    /// OAuth 2 client credentials. They take precedence over `genericAuth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2_config: Option<OAuth2Config>,
    /// Any authentication plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generic_auth: Option<GenericAuth>,
}

/// OAuth 2 client credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2Config {
    /// Audience of the token.
    pub audience: String,
    /// Address of the issuer.
    pub issuer_url: String,
    /// Scope of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Name of the Secret with the key file.
    pub key_secret_name: String,
    /// Key in that Secret.
    pub key_secret_key: String,
}

/// Any authentication plugin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenericAuth {
    /// Java class of the plugin.
    pub client_authentication_plugin: String,
    /// Parameters of the plugin. They are visible in the pod's command; use `authSecret` to keep them in a Secret.
    pub client_authentication_parameters: String,
}
