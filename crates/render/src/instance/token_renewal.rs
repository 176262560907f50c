//! A token of `authSecret` that is renewed while the instance runs.
//!
//! Variables are read once, so an instance with the token in its arguments is cut off when that expires, whatever the Secret
//! has by then. The clients of Java, Python and Go read a token that is in a file again for each connection and whenever the
//! broker asks for it. The key of the Secret has the form `token:...`, which such a file must not have: so the command keeps a
//! copy without that word, in memory, and follows the mounted key, which the kubelet renews. Everything else than a token stays
//! as it was.

use crate::instance::pulsar_connection::Side;
use crate::instance::runtime::Runtime;
use crate::text::shell::protect;
use crate::workload::Workload;

/// Key of the Secret with the parameters.
pub(crate) const KEY: &str = "clientAuthenticationParameters";
/// Where that key is mounted.
pub(crate) const DIRECTORY: &str = "/etc/auth/pulsar-functions";
/// Variable of the shell with the parameters that the instance gets. Not that of the environment, which a program may read.
pub(crate) const PARAMETERS: &str = "instanceAuthenticationParameters";
/// The copy. Every container has this folder, in memory and for every user.
const COPY: &str = "/dev/shm/pulsar-functions-token";

/// The Secret to follow, where there is one. How a generic program reads its parameters is not known.
pub(crate) fn secret(workload: &Workload) -> Option<&str> {
    let follows = !matches!(workload.runtime, Runtime::Generic(_)) && workload.pulsar.side == Side::Runtime;
    workload.pulsar.auth_secret().filter(|_| follows)
}

/// The variable with the parameters, where it is not that of the environment.
pub(crate) fn parameters(workload: &Workload) -> Option<&'static str> {
    secret(workload).map(|_| PARAMETERS)
}

/// Shell text (bash) that sets [`PARAMETERS`], ready to be followed by a command. The loop ends with the process that the shell
/// becomes; it waits with a builtin, as the image may have no `sleep`.
pub(crate) fn preparation(workload: &Workload) -> String {
    if secret(workload).is_some() { protect(&following()) } else { String::new() }
}

fn following() -> String {
    let source = format!("{DIRECTORY}/{KEY}");
    let text = r#"{ read -r text || [ -n "$text" ]; }"#;
    let write =
        format!(r#"( umask 077 && printf %s "${{text#token:}}" > {COPY}.new ) && mv {COPY}.new {COPY}"#);
    let follow = format!(
        r#"follow_token() {{ local text; {text} < {source} && [ "$text" != "${{text#token:}}" ] && {{ [ "$text" = "$followed" ] || {{ {write} && followed="$text"; }}; }}; }}"#
    );
    let repeat = "( while read -rt 30 || kill -0 $$; do follow_token; done <> <(:) ) > /dev/null 2>&1 &";
    format!(
        r#"{PARAMETERS}="${KEY}" && {follow} && case "$clientAuthenticationPlugin" in token|*.AuthenticationToken) if follow_token 2> /dev/null; then {PARAMETERS}=file://{COPY}; {repeat} fi;; esac && "#
    )
}

#[cfg(test)]
mod tests;
