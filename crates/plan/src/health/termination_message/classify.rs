//! Recognises known failures, and picks the most informative line of unknown ones.
//!
//! The rules come from recorded output of Pulsar's clients, instances and tools; a test classifies every message in
//! `crates/plan/corpus`.

use crate::health::reason::Reason;
use crate::health::termination_message::lines::{Kind, Level, Line, lines};

/// The classification of a termination message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classification {
    /// The kind of failure, if it is a known one.
    pub(crate) reason: Option<Reason>,
    /// The line that identifies it, or the message without noise.
    pub(crate) text: String,
}

/// Maximum length of the text of an unknown failure, in bytes. The start of longer messages is cut off: programs print the fatal
/// error last.
const UNKNOWN_LIMIT: usize = 500;

/// Used if the message does not contain the fatal error: a Go program prints its error before its stacks, and a killed program
/// prints nothing.
const NO_ERROR: &str = "the end of its log has no error; see kubectl logs --previous";

/// The output of the Python instance if it has no class to run.
const COULD_NOT_IMPORT: &str = "Could not import User Function Module";

/// Classifies a termination message, which must be redacted and normalized.
pub(crate) fn classify(message: &str) -> Classification {
    if message.trim().is_empty() {
        return Classification { reason: None, text: String::new() };
    }
    let lines = lines(message);
    let end = end(&lines);
    if let Some(line) = end.filter(|line| is_of_the_code(line)) {
        // This ended the program, regardless of earlier log lines.
        let reason =
            KNOWN.iter().filter(|(reason, _)| !reason_of_pulsar(*reason)).find(|(_, says)| says(line));
        return Classification { reason: reason.map(|(reason, _)| *reason), text: line.text.clone() };
    }
    let loud = || lines.iter().filter(|line| line.level != Level::Info);
    // The exception of the Python client contains only the name of the error that the client logged before.
    let telling = |says: &Says| {
        let line = loud().filter(|line| line.kind != Kind::Python).rfind(|line| says(line));
        line.or_else(|| loud().rfind(|line| says(line)))
    };
    let known = KNOWN.iter().find_map(|(reason, says)| Some((*reason, telling(says)?)));
    if let Some((reason, line)) = known {
        return match refused_in_the_handshake(reason, &lines) {
            Some(text) => Classification { reason: Some(Reason::AuthenticationFailed), text },
            None => Classification { reason: Some(reason), text: line.text.clone() },
        };
    }
    Classification { reason: None, text: unknown(&lines, end) }
}

/// The line that ended the program, where the runtime marks it.
fn end(lines: &[Line]) -> Option<&Line> {
    let marked = |kind: Kind| lines.iter().rfind(move |line| line.kind == kind);
    // The instance logs why it could not import a module, and then raises an exception without the reason.
    let importing = |line: &&Line| line.text.contains(COULD_NOT_IMPORT);
    let python = || lines.iter().filter(|line| matches!(line.kind, Kind::Python | Kind::Download));
    match python().next_back() {
        Some(last) if importing(&last) => python().rfind(|line| !importing(line)).or(Some(last)),
        Some(last) => Some(last),
        None => marked(Kind::GoEnd).or_else(|| {
            // An error in the log of a Java instance ends it; a cause in the text of a warning does not.
            let logged = lines.iter().any(|line| line.level == Level::Error);
            marked(Kind::CausedBy).filter(|_| !logged)
        }),
    }
}

/// Whether the user's code ended the program, so that earlier log lines of Pulsar's client are not the reason.
fn is_of_the_code(line: &Line) -> bool {
    let of_pulsar = ["_pulsar.", "Pulsar error", COULD_NOT_IMPORT];
    match line.kind {
        Kind::Python => !has(line, &of_pulsar),
        Kind::GoEnd => {
            line.text.starts_with("panic: runtime error") || line.text.starts_with("panic: assignment")
        }
        Kind::Download => true,
        Kind::CausedBy | Kind::Text => false,
    }
}

/// Whether this reason is recognised only in log lines of Pulsar itself.
fn reason_of_pulsar(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::OutOfMemory | Reason::DiskFull | Reason::ClassNotFound | Reason::PackageUnavailable
    )
}

/// The C++ client, on which the Python client is based, does not report why a broker refused a connection. The broker is
/// reachable, because the connection was established, and TLS errors are reported.
fn refused_in_the_handshake(reason: Reason, lines: &[Line]) -> Option<String> {
    let is = |text: &str| lines.iter().any(|line| line.text.contains(text));
    let closed = "Connection closed with ConnectError";
    let never_connected = is("Failed to establish connection") || is("Resolve error: ");
    (reason == Reason::BrokerUnreachable && is(closed) && !never_connected).then(|| {
        "the broker accepted the connection and closed it before it answered, as it does when it refuses the \
         credentials (the Python client logs no more than ConnectError; the broker's log has the reason)"
            .to_owned()
    })
}

/// The text of an unknown failure.
fn unknown(lines: &[Line], end: Option<&Line>) -> String {
    if let Some(end) = end {
        return end.text.clone();
    }
    // Lines logged as errors, with printed lines: an exception follows its log line.
    let loudest = lines.iter().filter(|line| matches!(line.level, Level::Error | Level::Printed));
    let mut texts: Vec<&str> = Vec::new();
    for line in loudest {
        if !texts.contains(&line.text.as_str()) {
            texts.push(&line.text);
        }
    }
    let mut length = 0;
    let kept = texts.iter().rev().take_while(|text| {
        length += text.len() + 1;
        length <= UNKNOWN_LIMIT
    });
    let from = texts.len() - kept.count().max(1).min(texts.len());
    match texts.get(from..).unwrap_or_default() {
        [] => NO_ERROR.to_owned(),
        texts => texts.join("\n"),
    }
}

/// Whether a line reports a failure.
type Says = fn(&Line) -> bool;

/// The known failures, the most specific first: an instance that fails to authenticate also fails to open its source.
const KNOWN: [(Reason, Says); 10] = [
    (Reason::OutOfMemory, |line| {
        has(line, &["java.lang.OutOfMemoryError", "OutOfDirectMemoryError", "runtime: out of memory"])
            || (line.kind == Kind::Python && line.text.starts_with("MemoryError"))
    }),
    (Reason::DiskFull, |line| has(line, &["o space left on device", "Disk quota exceeded"])),
    (Reason::TlsFailed, tls),
    (Reason::AuthenticationFailed, |line| {
        has(line, &["AuthenticationException", "AuthenticationError", "HTTP 401", "401 Unauthorized"])
            || has(line, &["Failed to authenticate", "Unable to authenticate", "code: 401", "returned error: 401"])
            || has(line, &["Failed to read token from file", "failed to get client token"])
            // The Go client reads its token file when it is created.
            || has(line, &["create client error:open "])
    }),
    (Reason::AuthorizationFailed, |line| {
        has(line, &["AuthorizationException", "AuthorizationError", "NotAuthorizedException", "HTTP 403"])
            || has(line, &["is not authorized", "not authorized to", "403 Forbidden", "code: 403"])
            || has(line, &["returned error: 403"])
            || has(line, &["on't have permission"])
    }),
    (Reason::PackageUnavailable, package),
    (Reason::ClassNotFound, |line| {
        has(line, &["User class must be in class path", "ClassNotFoundException", "NoClassDefFoundError"])
            || has(line, &[COULD_NOT_IMPORT, "ModuleNotFoundError: ", "ImportError: "])
            || (has(line, &["AttributeError: module "]) && has(line, &["has no attribute"]))
    }),
    (Reason::IncompatibleSchema, |line| {
        has(line, &["IncompatibleSchema", "InvalidSchemaException", "does not have schema to check"])
    }),
    (Reason::TopicNotFound, |line| {
        has(line, &["TopicDoesNotExist", "TopicNotFound", "TopicTerminated", "Topic not found"])
            || has(line, &["Namespace not found", "Namespace does not exist", "Tenant does not exist"])
            || has(line, &["Policies not found for"])
    }),
    (Reason::BrokerUnreachable, |line| {
        has(line, &["Pulsar error: ConnectError", "Could not complete the operation. Number of retries"])
            || has(line, &["Resolve error: ", "Pulsar error: TimeOut", "unable to read frame size: EOF"])
            || (line.kind == Kind::GoEnd && line.text == "connection error")
            || (has(
                line,
                &["PulsarClientException", "ulsar://", "ulsar+ssl://", ":6650", ":6651", "pulsar-client"],
            ) && has(line, UNREACHABLE))
    }),
];

/// TLS: no common protocol, or an untrusted certificate.
fn tls(line: &Line) -> bool {
    has(line, &["SSLHandshakeException", "SSLPeerUnverifiedException", "PKIX path building failed", "NotSslRecordException"])
        || has(line, &["SunCertPathBuilderException", "CertificateException", "certificate verify failed"])
        || has(line, &["CERTIFICATE_VERIFY_FAILED", "Handshake failed: ", "x509: ", ": tls: ", "'tls: "])
        || has(line, &["SSL certificate problem", "cannot verify", "Got ssl handshake exception"])
        || has(line, &["Unable to initialize and create the ssl context", "No such trustCertFile"])
        || has(line, &["Failed to configure TLS"])
        // The Go client's error for a port that does not use TLS.
        || (has(line, &["Failed to connect to broker"]) && has(line, &["pulsar+ssl://"]) && has(line, &["EOF"]))
}

/// Errors of the download tools, and of instances without the file.
fn package(line: &Line) -> bool {
    // If the instance itself is missing, the image is wrong.
    if has(line, &["/pulsar/instances/"]) {
        return false;
    }
    line.kind == Kind::Download
        || (line.text.starts_with("HTTP ") && has(line, &["HTTP 4", "HTTP 5"]))
        || (has(line, &["code: 4", "code: 5"]) && has(line, &["reason:"]))
        || has(
            line,
            &[
                "wget: ",
                "Failed to download",
                "package not found",
                "package cannot be downloaded",
                "does not look like a .nar file",
            ],
        )
        || (has(line, &["ERROR 4", "ERROR 5"]) && has(line, &[": "]) && !has(line, &[" - "]))
        || (has(line, &["FileNotFoundException", "NoSuchFileException", "o such file", ": not found"])
            && (has(line, &[".jar", ".nar", ".py", ".zip", ".whl"])
                || (has(line, &["/pulsar/"]) && line.kind != Kind::Python)))
        || has(
            line,
            &["BadZipFile: ", "No matching distribution found", "Could not install user depedencies"],
        )
        || (has(line, &["curl: ("]) && !has(line, &["error: 401", "error: 403"]))
}

/// Log lines about a connection that cannot be established.
const UNREACHABLE: &[&str] = &[
    "UnknownHostException",
    "Failed to resolve",
    "onnection refused",
    "NoRouteToHost",
    "No route to host",
    "ConnectTimeoutException",
    "onnection timed out",
    "Connection already closed",
    "no such host",
    "i/o timeout",
    "unable to connect",
    "Failed to establish connection",
    "Failed to connect to broker",
];

fn has(line: &Line, any: &[&str]) -> bool {
    any.iter().any(|part| line.text.contains(part))
}
