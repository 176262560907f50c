//! Pulsar's two administration tools as shell commands.

use crate::instance::pulsar_connection::{Auth, Messaging, Tls};
use crate::text::shell::quote;

/// Which tool the image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminTool {
    /// The Go tool.
    Pulsarctl,
    /// The tool in Pulsar's distribution.
    PulsarAdmin,
}

/// A tool, ready to be followed by a subcommand.
pub(crate) struct Admin {
    /// Commands that must run once before it; ends with ` && ` unless empty.
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

    /// The complete command line.
    pub(crate) fn run(&self, arguments: &str) -> String {
        format!("{}{} {arguments}", self.preparation, self.command)
    }
}

fn pulsarctl(service: &Messaging, auth: Auth<'_>) -> Admin {
    let address = service.address("webServiceURL");
    let mut steps = vec!["export PATH=\"$PATH:/pulsar/bin\"".to_owned()];
    let mut command = vec!["pulsarctl".to_owned()];
    match auth {
        Auth::None => command.push(format!("--admin-service-url {address}")),
        Auth::OAuth2(oauth2) => {
            let scope = oauth2.scope.as_deref().filter(|scope| !scope.is_empty());
            steps.push(format!(
                "pulsarctl context set downloader --admin-service-url {address} --issuer-endpoint {} --audience {} \
                 --key-file {}{}",
                quote(&oauth2.issuer_url),
                quote(&oauth2.audience),
                quote(&service.key_path(oauth2)),
                scope.map(|scope| format!(" --scope {}", quote(scope))).unwrap_or_default(),
            ));
            steps.push("pulsarctl oauth2 activate".to_owned());
        }
        Auth::Environment | Auth::Plugin(_) => {
            let parameters = service.plugin_parameters(auth, "--auth-params").unwrap_or_default();
            // Only OAuth 2 has something to activate.
            steps.push(format!("( pulsarctl oauth2 activate {parameters} || true )"));
            command.extend(service.plugin_options(auth, "--auth-plugin", "--auth-params"));
            command.push(format!("--admin-service-url {address}"));
        }
    }
    match service.tls() {
        Tls::Off => {}
        Tls::Environment => command.push(format!(
            "--tls-allow-insecure={} --tls-enable-hostname-verification={} {}",
            service.variable_or("tlsAllowInsecureConnection", "false"),
            service.variable_or("tlsHostnameVerificationEnable", "true"),
            service.option("--tls-trust-cert-path", "tlsTrustCertsFilePath"),
        )),
        Tls::On { allow_insecure, hostname_verification } => {
            command.push(format!(
                "--tls-allow-insecure={allow_insecure} --tls-enable-hostname-verification={hostname_verification}"
            ));
            command.extend(certificate(service));
        }
    }
    Admin { preparation: steps.into_iter().map(|step| step + " && ").collect(), command: command.join(" ") }
}

fn pulsar_admin(service: &Messaging, auth: Auth<'_>) -> Admin {
    let mut command =
        vec![format!("/pulsar/bin/pulsar-admin --admin-url {}", service.address("webServiceURL"))];
    command.extend(service.plugin_options(auth, "--auth-plugin", "--auth-params"));
    let mut preparation = String::new();
    match service.tls() {
        Tls::Off => {}
        Tls::Environment => {
            // These two options are switches without a value, so the shell adds each one depending on the Secret.
            let set = |variable: &str, pattern: &str, matched: &str, other: &str| {
                format!(
                    "case \"${{{}{variable}}}\" in {pattern}) {matched} ;; *) {other} ;; esac && ",
                    service.side.prefix()
                )
            };
            preparation = [
                set("tlsAllowInsecureConnection", "[Tt]rue", "insecure=--tls-allow-insecure", "insecure="),
                set(
                    "tlsHostnameVerificationEnable",
                    "[Ff]alse",
                    "verify=",
                    "verify=--tls-enable-hostname-verification",
                ),
            ]
            .concat();
            command.push("${insecure} ${verify}".to_owned());
            command.push(service.option("--tls-trust-cert-path", "tlsTrustCertsFilePath"));
        }
        Tls::On { allow_insecure, hostname_verification } => {
            command.extend(allow_insecure.then(|| "--tls-allow-insecure".to_owned()));
            command.extend(hostname_verification.then(|| "--tls-enable-hostname-verification".to_owned()));
            command.extend(certificate(service));
        }
    }
    Admin { preparation, command: command.join(" ") }
}

fn certificate(service: &Messaging) -> Option<String> {
    service.certificate_path().map(|path| format!("--tls-trust-cert-path {}", quote(&path)))
}
