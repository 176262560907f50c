//! Pulsar's two administration tools as shell commands (behaviour reference 3.2).

use crate::messaging::{Auth, Messaging, Tls};
use crate::shell::quote;

/// Which tool the image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminTool {
    /// The one in Go.
    Pulsarctl,
    /// The one that comes with Pulsar.
    PulsarAdmin,
}

/// A tool, ready to be followed by a subcommand.
pub(crate) struct Admin {
    /// What has to run once before; ends with ` && ` unless empty.
    pub(crate) preparation: String,
    /// The tool with its connection settings.
    pub(crate) command: String,
}

impl Admin {
    /// The tool that talks to `service`, authenticated by `auth`.
    pub(crate) fn new(tool: AdminTool, service: &Messaging, auth: Auth<'_>) -> Self {
        match tool {
            AdminTool::Pulsarctl => pulsarctl(service, auth),
            AdminTool::PulsarAdmin => pulsar_admin(service, auth),
        }
    }

    /// The whole as one command line.
    pub(crate) fn run(&self, arguments: &str) -> String {
        format!("{}{} {arguments}", self.preparation, self.command)
    }
}

fn pulsarctl(service: &Messaging, auth: Auth<'_>) -> Admin {
    let mut preparation = "export PATH=\"$PATH:/pulsar/bin\" && ".to_owned();
    let address = service.address("webServiceURL");
    let mut command = "pulsarctl".to_owned();
    match auth {
        Auth::None => command += &format!(" --admin-service-url {address}"),
        Auth::OAuth2(oauth2) => {
            let scope = oauth2.scope.as_deref().filter(|scope| !scope.is_empty());
            preparation += &format!(
                "pulsarctl context set downloader --admin-service-url {address} --issuer-endpoint {} --audience {} \
                 --key-file {}{} && pulsarctl oauth2 activate && ",
                quote(&oauth2.issuer_url),
                quote(&oauth2.audience),
                quote(&service.key_path(oauth2)),
                scope.map(|scope| format!(" --scope {}", quote(scope))).unwrap_or_default(),
            );
        }
        Auth::Environment | Auth::Plugin(_) => {
            let (plugin, parameters) = service.plugin_words(auth).unwrap_or_default();
            // Other plugins than OAuth 2 have nothing to activate.
            preparation += &format!("( pulsarctl oauth2 activate --auth-params {parameters} || true ) && ");
            command +=
                &format!(" --auth-plugin {plugin} --auth-params {parameters} --admin-service-url {address}");
        }
    }
    match service.tls() {
        Tls::Off => {}
        Tls::Environment => {
            command += &format!(
                " --tls-allow-insecure={} --tls-enable-hostname-verification={} --tls-trust-cert-path {}",
                service.variable_or("tlsAllowInsecureConnection", "false"),
                service.variable_or("tlsHostnameVerificationEnable", "true"),
                service.variable("tlsTrustCertsFilePath"),
            );
        }
        Tls::On { allow_insecure, hostname_verification } => {
            command += &format!(
                " --tls-allow-insecure={allow_insecure} --tls-enable-hostname-verification={hostname_verification}"
            );
            command += &certificate(service);
        }
    }
    Admin { preparation, command }
}

fn pulsar_admin(service: &Messaging, auth: Auth<'_>) -> Admin {
    let mut command = format!("/pulsar/bin/pulsar-admin --admin-url {}", service.address("webServiceURL"));
    if let Some((plugin, parameters)) = service.plugin_words(auth) {
        command += &format!(" --auth-plugin {plugin} --auth-params {parameters}");
    }
    match service.tls() {
        Tls::Off => {}
        Tls::Environment => {
            let path = service.variable("tlsTrustCertsFilePath");
            command += &format!(
                " --tls-allow-insecure --tls-enable-hostname-verification --tls-trust-cert-path {path}"
            );
        }
        Tls::On { allow_insecure, hostname_verification } => {
            if allow_insecure {
                command += " --tls-allow-insecure";
            }
            if hostname_verification {
                command += " --tls-enable-hostname-verification";
            }
            command += &certificate(service);
        }
    }
    Admin { preparation: String::new(), command }
}

fn certificate(service: &Messaging) -> String {
    service
        .certificate_path()
        .map(|path| format!(" --tls-trust-cert-path {}", quote(&path)))
        .unwrap_or_default()
}
