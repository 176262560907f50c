//! The last words of a container: made safe to show, made stable, and understood where Pulsar's failures are known.
//!
//! They come from the termination message: of a Java instance the first errors of its log (design section 4), of everything
//! else the end of what it printed. What Pulsar's clients and tools say was read off real pods.

use crate::reason::Reason;
use regex_lite::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

/// What stands where a secret was.
const HIDDEN: &str = "<redacted>";

/// Patterns of secrets, each with what takes its place.
static SECRETS: LazyLock<Vec<(Regex, String)>> = LazyLock::new(|| {
    compiled(&[
        // JSON Web Tokens, wherever they are.
        (r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*)?", HIDDEN),
        (r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", HIDDEN),
        // The user part of an address.
        (r"(\w://)[^\s/@]+@", "${1}<redacted>@"),
        (r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{6,}", "${1} <redacted>"),
        // In JSON, with or without a backslash before each quote.
        (
            r#"(?i)(\\?"[\w.-]*(?:password|passwd|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key)[\w.-]*\\?"\s*:\s*\\?")(?:[^"\\]|\\[^"])+"#,
            "${1}<redacted>",
        ),
        // `name=value`, `name: value`, `--name value`, and the `token:value` of Pulsar's authentication parameters.
        (
            r#"(?i)([\w.-]*(?:password|passwd|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|signature)\s*[=:]\s*['"]?)[^\s'",;&<}\])]+"#,
            "${1}<redacted>",
        ),
        (
            r#"(?i)(--?[\w-]*(?:password|secret|token|credentials?|auth-params)\s+['"]?)[^\s'",;<-][^\s'",;<]*"#,
            "${1}<redacted>",
        ),
    ])
});

/// Patterns of text that is another one each time the same thing goes wrong, each with what takes its place.
static VOLATILE: LazyLock<Vec<(Regex, String)>> = LazyLock::new(|| {
    compiled(&[
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?\s?(?:Z\b|[+-]\d\d:?\d\d\b)?", ""),
        // Connections of netty.
        (r"\[id: 0x[0-9a-fA-F]+[^\]]*\]\s?", ""),
        (r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", "…"),
        // Java objects, addresses in memory.
        (r"@[0-9a-f]{5,16}\b", ""),
        (r"\b0x[0-9a-fA-F]{4,}\b", "…"),
        // The own end of a connection: ports above those of services.
        (r"(\b\d{1,3}(?:\.\d{1,3}){3}):(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[4-6]\d{4})\b", "${1}"),
        (r#""?reqId"?\s*[:=]\s*\d+,?\s?"#, ""),
        // The own end again, another for each pod, and the address of a broker that has a name.
        (r#",?\s*"local"\s*:\s*"[^"]*""#, ""),
        (r"(\b[A-Za-z0-9.-]*[A-Za-z][A-Za-z0-9.-]*)/\d{1,3}(?:\.\d{1,3}){3}\b", "${1}"),
        // Containers and sandboxes, but no digests of images.
        (r"(^|[^:0-9a-fA-F])[0-9a-f]{32,64}\b", "${1}…"),
        // Numbers of requests, milliseconds since 1970.
        (r"\b\d{10,}\b", "…"),
    ])
});

fn compiled(patterns: &[(&str, &str)]) -> Vec<(Regex, String)> {
    // A pattern that does not compile would be left out; a test has them all.
    let compile = |(pattern, by): &(&str, &str)| Some((Regex::new(pattern).ok()?, (*by).to_owned()));
    patterns.iter().filter_map(compile).collect()
}

fn replaced(text: &str, patterns: &[(Regex, String)]) -> String {
    let mut text = Cow::Borrowed(text);
    for (pattern, by) in patterns {
        if let Cow::Owned(changed) = pattern.replace_all(&text, by.as_str()) {
            text = Cow::Owned(changed);
        }
    }
    text.into_owned()
}

/// A text without tokens, passwords and what is different each time.
pub fn cleaned(text: &str) -> String {
    replaced(&replaced(text, &SECRETS), &VOLATILE)
}

/// The scheduler's words without the numbers of nodes and pods, which change with every node and pod of the cluster, and
/// without what it says of preemption: the reasons in one order, whatever number of nodes each is for.
pub fn without_counts(text: &str) -> String {
    let text = text.split(" preemption: ").next().unwrap_or_default();
    let Some((head, reasons)) = text.split_once(" nodes are available: ") else { return text.to_owned() };
    if head.split_once('/').is_none_or(|(n, m)| n.parse::<u32>().is_err() || m.parse::<u32>().is_err()) {
        return text.to_owned();
    }
    let mut found: Vec<String> = Vec::new();
    for part in reasons.trim_end().trim_end_matches('.').split(", ") {
        match (part.split_once(' ').filter(|(n, _)| n.parse::<u32>().is_ok()), found.last_mut()) {
            (Some((_, reason)), _) => found.push(reason.to_owned()),
            // A comma within a reason.
            (None, Some(last)) => *last = format!("{last}, {part}"),
            (None, None) => found.push(part.to_owned()),
        }
    }
    found.sort();
    found.dedup();
    format!("no node is available: {}", found.join(", "))
}

/// A kubelet's words about an eviction without the amounts, which are other ones for each pod.
pub fn without_amounts(text: &str) -> String {
    text.split(" Threshold quantity:").next().unwrap_or_default().to_owned()
}

/// A failure that is known: its reason and the one line that tells of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// What kind of failure.
    pub reason: Reason,
    /// The line.
    pub line: String,
}

/// Finds a known failure in cleaned words: the last line that tells of it, because the root of an exception comes last.
pub fn known(words: &str) -> Option<Known> {
    let lines = || words.lines().map(str::trim).filter(|line| !line.is_empty());
    KNOWN.iter().find_map(|(reason, says)| {
        let line = lines().rfind(|line| says(line))?;
        Some(Known { reason: *reason, line: without_frame(line).to_owned() })
    })
}

/// Says whether a line tells of a failure.
type Says = fn(&str) -> bool;

/// The failures that are known, the most telling first: an instance that may not log in also fails to open its source.
const KNOWN: [(Reason, Says); 8] = [
    (Reason::OutOfMemory, |line| has(line, &["java.lang.OutOfMemoryError"])),
    (Reason::AuthenticationFailed, |line| {
        has(line, &["AuthenticationException", "AuthenticationError", "HTTP 401", "401 Unauthorized"])
            || has(line, &["Failed to authenticate", "Unable to authenticate", "code: 401"])
    }),
    (Reason::AuthorizationFailed, |line| {
        has(line, &["AuthorizationException", "AuthorizationError", "NotAuthorizedException", "HTTP 403"])
            || has(line, &["is not authorized", "not authorized to", "403 Forbidden", "code: 403"])
            || has(line, &["on't have permission"])
    }),
    (Reason::PackageUnavailable, |line| {
        // pulsar-admin, pulsarctl and wget; then instances that miss the file.
        (line.starts_with("HTTP ") && has(line, &["HTTP 4", "HTTP 5"]))
            || (has(line, &["code: 4", "code: 5"]) && has(line, &["reason:"]))
            || has(
                line,
                &["wget: ", "Failed to download", "package not found", "does not look like a .nar file"],
            )
            || (has(line, &["ERROR 4", "ERROR 5"]) && has(line, &[": "]) && !has(line, &[" - "]))
            || (has(line, &["FileNotFoundException", "NoSuchFileException", "o such file", ": not found"])
                && has(line, &[".jar", ".nar", ".py", ".zip", ".whl", "/pulsar/"]))
    }),
    (Reason::ClassNotFound, |line| {
        has(line, &["User class must be in class path", "ClassNotFoundException", "NoClassDefFoundError"])
            || has(line, &["Could not import User Function Module", "ModuleNotFoundError"])
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
            || (has(
                line,
                &["PulsarClientException", "ulsar://", "ulsar+ssl://", ":6650", ":6651", "pulsar-client"],
            ) && has(line, UNREACHABLE))
    }),
];

/// How a connection that does not come about is told of.
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
];

fn has(line: &str, any: &[&str]) -> bool {
    any.iter().any(|part| line.contains(part))
}

/// A line without the level and the logger's name, which say nothing to who has to mend it.
fn without_frame(line: &str) -> &str {
    let level = ["ERROR ", "FATAL "].iter().find_map(|level| line.strip_prefix(level));
    match level.and_then(|rest| rest.split_once(" - ")) {
        Some((logger, rest)) if !logger.contains(' ') => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests;
