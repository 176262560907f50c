//! Renewal of the token of `authSecret` while the instance runs.
//!
//! Environment variables are read once, so an instance with the token in its arguments is disconnected when the token
//! expires, even if the Secret has a new one. The Java, Python and Go clients read a token file again for each
//! connection and whenever the broker requests it. The Secret's key has the form `token:...`, which a token file must
//! not have: so the command keeps a copy without the prefix, in memory, and updates it from the mounted key, which the
//! kubelet renews. Parameters other than tokens are passed as they are.

use crate::instance::pulsar_connection::Side;
use crate::instance::runtime::Runtime;
use crate::text::shell::protect;
use crate::workload::Workload;

/// Key of the Secret with the parameters.
pub(crate) const KEY: &str = "clientAuthenticationParameters";
/// Where that key is mounted.
pub(crate) const DIRECTORY: &str = "/etc/auth/pulsar-functions";
/// Shell variable with the parameters for the instance. Not the environment variable, which the program may read.
pub(crate) const PARAMETERS: &str = "instanceAuthenticationParameters";
/// The copy. Every container has this directory, in memory and writable by every user.
const COPY: &str = "/dev/shm/pulsar-functions-token";

/// The Secret whose renewal is followed, if any. Not for generic programs, whose clients may not support token files.
pub(crate) fn secret(workload: &Workload) -> Option<&str> {
    let follows = !matches!(workload.runtime, Runtime::Generic(_)) && workload.pulsar.side == Side::Runtime;
    workload.pulsar.auth_secret().filter(|_| follows)
}

/// The variable with the parameters, if it is not the environment variable.
pub(crate) fn parameters(workload: &Workload) -> Option<&'static str> {
    secret(workload).map(|_| PARAMETERS)
}

/// Shell text (bash) that sets [`PARAMETERS`], ready to be followed by a command. The loop ends with the process that
/// replaces the shell; it waits with a shell builtin, because the image may not have `sleep`.
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
