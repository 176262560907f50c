//! The termination message of a container: made safe to show, made stable, and understood where Pulsar's failures are known.
//!
//! A Java instance writes the errors of its log there; of everything else it is the end of what it printed.

use regex_lite::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

mod known;
mod lines;

pub use known::{Diagnosis, diagnosed};

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

/// Patterns in which exceptions quote what they could not read, which may be a message that was processed.
static PAYLOADS: LazyLock<Vec<(Regex, String)>> = LazyLock::new(|| {
    compiled(&[
        (r#"(For input string: )".*""#, "${1}<redacted>"),
        (r"(?s)(\[Source: \(\w+(?:\[\])?\)).*?(; line: )", "${1}<redacted>${2}"),
        (r"(Unrecognized token )'[^']*'", "${1}<redacted>"),
        (
            r#"((?:could not convert string to float|invalid literal for int\(\) with base \d+): )(?:'.*'|".*")"#,
            "${1}<redacted>",
        ),
        (r#"(strconv\.\w+: parsing )"(?:[^"\\]|\\.)*""#, "${1}<redacted>"),
        (r"(?:PulsarRecord|MessageImpl|TopicMessageImpl)\(.*\)", "<redacted>"),
    ])
});

/// Patterns of text that is another one each time the same thing goes wrong, each with what takes its place.
static VOLATILE: LazyLock<Vec<(Regex, String)>> = LazyLock::new(|| {
    compiled(&[
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?\s?(?:Z\b|[+-]\d\d:?\d\d\b)?", ""),
        (r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?\s?", ""),
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
        // Fields of the Go client, which writes them in any order.
        (r" (?:local_addr=\S*|cnx=\S+ -> \S+|epoch=\d+|producerID=\d+|producer_name=\S+)", ""),
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

/// A text without tokens, passwords, quoted messages and what is different each time.
pub fn cleaned(text: &str) -> String {
    replaced(&replaced(&replaced(text, &SECRETS), &PAYLOADS), &VOLATILE)
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

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;
