//! The connection to a Pulsar cluster: addresses, authentication and TLS.

use crate::text::shell::{option_if_set, or_default, quote};
use functionmesh_api::messaging::{AuthConfig, GenericAuth, OAuth2Config, PulsarMessaging};
use k8s_openapi::api::core::v1::{ConfigMapEnvSource, EnvFromSource, SecretEnvSource};
use serde_json::{Map, Value};

/// Class of the Java plugin for OAuth 2.
pub(crate) const OAUTH2_PLUGIN: &str = "org.apache.pulsar.client.impl.auth.oauth2.AuthenticationOAuth2";

/// Class of the Java plugin for tokens.
pub(crate) const TOKEN_PLUGIN: &str = "org.apache.pulsar.client.impl.auth.AuthenticationToken";

/// One of the two Pulsar clusters that a component may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The cluster that the component runs against.
    Runtime,
    /// The service that packages come from.
    Packages,
}

impl Side {
    /// Prefix of the environment variables.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Side::Runtime => "",
            Side::Packages => "PACKAGE_",
        }
    }

    /// Where the certificate of the authority is mounted.
    pub(crate) fn tls_directory(self) -> &'static str {
        match self {
            Side::Runtime => "/etc/tls/pulsar-functions",
            Side::Packages => "/etc/tls/pulsar-functions-package-service",
        }
    }

    /// Where the key file for OAuth 2 is mounted.
    pub(crate) fn oauth2_directory(self) -> &'static str {
        match self {
            Side::Runtime => "/etc/oauth2",
            Side::Packages => "/etc/oauth2-package-service",
        }
    }
}

/// How a client authenticates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Auth<'a> {
    /// Not at all.
    None,
    /// With plugin and parameters in environment variables from a Secret.
    Environment,
    /// With OAuth 2 client credentials.
    OAuth2(&'a OAuth2Config),
    /// With plugin and parameters of the object.
    Plugin(&'a GenericAuth),
}

impl<'a> Auth<'a> {
    /// The authentication of a configuration; `oauth2Config` takes precedence over `genericAuth`, an empty
    /// configuration means none.
    pub(crate) fn of(config: &'a AuthConfig) -> Self {
        match (&config.oauth2_config, &config.generic_auth) {
            (Some(oauth2), _) => Auth::OAuth2(oauth2),
            (None, Some(generic)) => Auth::Plugin(generic),
            (None, None) => Auth::None,
        }
    }
}

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Not at all.
    Off,
    /// As configured in environment variables from a Secret.
    Environment,
    /// As configured in the object.
    On { allow_insecure: bool, hostname_verification: bool },
}

/// The connection to one Pulsar cluster.
#[derive(Clone, Debug)]
pub(crate) struct Messaging {
    pub(crate) side: Side,
    spec: PulsarMessaging,
}

impl Messaging {
    pub(crate) fn new(side: Side, spec: PulsarMessaging) -> Self {
        Self { side, spec }
    }

    /// How a client authenticates; `authConfig` replaces `authSecret`.
    pub(crate) fn auth(&self) -> Auth<'_> {
        match (&self.spec.auth_config, given(self.spec.auth_secret.as_ref())) {
            (Some(config), _) => Auth::of(config),
            (None, Some(_)) => Auth::Environment,
            (None, None) => Auth::None,
        }
    }

    /// The Secret with plugin and parameters, if the client authenticates with it.
    pub(crate) fn auth_secret(&self) -> Option<&str> {
        given(self.spec.auth_secret.as_ref()).filter(|_| self.auth() == Auth::Environment)
    }

    /// The configuration as written, for the log sidecar, which has another precedence.
    pub(crate) fn auth_config(&self) -> Option<&AuthConfig> {
        self.spec.auth_config.as_ref()
    }

    /// The connection of the cleanup Job, with its own credentials if there are any.
    pub(crate) fn for_cleanup(&self) -> Self {
        let mut spec = self.spec.clone();
        spec.auth_config = spec.cleanup_auth_config.take().or(spec.auth_config);
        Self { side: self.side, spec }
    }

    /// How the connection is encrypted; `tlsConfig` replaces `tlsSecret`.
    pub(crate) fn tls(&self) -> Tls {
        match (&self.spec.tls_config, given(self.spec.tls_secret.as_ref())) {
            (Some(config), _) if config.enabled == Some(true) => Tls::On {
                allow_insecure: config.allow_insecure == Some(true),
                hostname_verification: config.hostname_verification == Some(true),
            },
            (None, Some(_)) => Tls::Environment,
            (Some(_), _) | (None, None) => Tls::Off,
        }
    }

    /// Secret and key with the certificate of the authority. Also mounted if TLS is disabled, as by the Go operator.
    pub(crate) fn certificate(&self) -> Option<(&str, &str)> {
        let config = self.spec.tls_config.as_ref()?;
        given(config.cert_secret_name.as_ref()).zip(given(config.cert_secret_key.as_ref()))
    }

    /// Secret and key with the key file for OAuth 2.
    pub(crate) fn oauth2_key(&self) -> Option<(&str, &str)> {
        match self.auth() {
            Auth::OAuth2(oauth2) => Some((&oauth2.key_secret_name, &oauth2.key_secret_key)),
            _ => None,
        }
    }

    /// Path of the certificate in the container.
    pub(crate) fn certificate_path(&self) -> Option<String> {
        self.certificate().map(|(_, key)| format!("{}/{key}", self.side.tls_directory()))
    }

    /// Path of the key file in the container.
    pub(crate) fn key_path(&self, oauth2: &OAuth2Config) -> String {
        format!("{}/{}", self.side.oauth2_directory(), oauth2.key_secret_key)
    }

    /// A shell option with a variable of this connection as its value; nothing if the variable is unset.
    pub(crate) fn option(&self, option: &str, name: &str) -> String {
        option_if_set(option, &format!("{}{name}", self.side.prefix()))
    }

    /// A shell variable of this connection, with a default.
    pub(crate) fn variable_or(&self, name: &str, default: &str) -> String {
        or_default(&format!("{}{name}", self.side.prefix()), default)
    }

    /// The address in the variable `name`, always one word.
    pub(crate) fn address(&self, name: &str) -> String {
        format!("\"${}{name}\"", self.side.prefix())
    }

    /// The environment of a container that connects to the cluster: addresses, credentials, TLS settings.
    pub(crate) fn env_from(&self) -> Vec<EnvFromSource> {
        let [config, auth, tls] = self.references();
        [config, auth, tls].into_iter().flatten().collect()
    }

    /// As [`Messaging::env_from`], in the order of the log sidecar: of two variables with the same name, the last one
    /// applies.
    pub(crate) fn env_from_tls_first(&self) -> Vec<EnvFromSource> {
        let [config, auth, tls] = self.references();
        [config, tls, auth].into_iter().flatten().collect()
    }

    /// Addresses, credentials and TLS settings, each from its own ConfigMap or Secret.
    fn references(&self) -> [Option<EnvFromSource>; 3] {
        let prefix = Some(self.side.prefix()).filter(|p| !p.is_empty()).map(str::to_owned);
        let secret = |name: Option<&str>| {
            name.map(|name| EnvFromSource {
                prefix: prefix.clone(),
                secret_ref: Some(SecretEnvSource { name: name.to_owned(), optional: None }),
                ..EnvFromSource::default()
            })
        };
        let config = given(self.spec.pulsar_config.as_ref()).map(|name| EnvFromSource {
            prefix: prefix.clone(),
            config_map_ref: Some(ConfigMapEnvSource { name: name.to_owned(), optional: None }),
            ..EnvFromSource::default()
        });
        let auth = secret(given(self.spec.auth_secret.as_ref()));
        let tls = secret(given(self.spec.tls_secret.as_ref()));
        [config, auth, tls]
    }

    /// The parameters of the OAuth 2 plugin as JSON, in all spellings that clients know.
    pub(crate) fn oauth2_parameters(&self, oauth2: &OAuth2Config) -> String {
        let key_file = self.key_path(oauth2);
        let text = |value: &str| Value::from(value).to_string();
        let members = [
            ("credentials_url", text(&format!("file://{key_file}"))),
            ("privateKey", text(&key_file)),
            ("private_key", text(&key_file)),
            ("issuerUrl", text(&oauth2.issuer_url)),
            ("issuer_url", text(&oauth2.issuer_url)),
            ("audience", text(&oauth2.audience)),
            ("scope", text(oauth2.scope.as_deref().unwrap_or_default())),
        ];
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    /// The options with the plugin and its parameters, for the shell; `None` without authentication.
    pub(crate) fn plugin_options(&self, auth: Auth<'_>, plugin: &str, parameters: &str) -> Option<String> {
        let class = match auth {
            Auth::None => return None,
            Auth::Environment => self.option(plugin, "clientAuthenticationPlugin"),
            Auth::OAuth2(_) => format!("{plugin} {OAUTH2_PLUGIN}"),
            Auth::Plugin(generic) => format!("{plugin} {}", quote(&generic.client_authentication_plugin)),
        };
        Some([class, self.plugin_parameters(auth, parameters)?].join(" "))
    }

    /// The option with the parameters of the plugin, for the shell; `None` without authentication.
    pub(crate) fn plugin_parameters(&self, auth: Auth<'_>, option: &str) -> Option<String> {
        Some(match auth {
            Auth::None => return None,
            Auth::Environment => self.option(option, "clientAuthenticationParameters"),
            Auth::OAuth2(oauth2) => format!("{option} {}", quote(&self.oauth2_parameters(oauth2))),
            Auth::Plugin(generic) => format!("{option} {}", quote(&generic.client_authentication_parameters)),
        })
    }
}

/// The parameters of the OAuth 2 plugin; `None` unless they are a JSON object of strings.
pub(crate) fn oauth2_parameters(generic: &GenericAuth) -> Option<Map<String, Value>> {
    let parameters: Map<String, Value> =
        serde_json::from_str(&generic.client_authentication_parameters).ok()?;
    parameters.values().all(Value::is_string).then_some(parameters)
}

fn given(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|text| !text.is_empty())
}
