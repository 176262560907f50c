//! Removes text that differs each time although the failure is the same.

use crate::health::termination_message::patterns::{compiled, replaced};
use crate::health::termination_message::redact::{PAYLOADS, SECRETS};
use regex_lite::Regex;
use std::sync::LazyLock;

/// Patterns of text that differs each time the same failure occurs, each with its replacement.
pub(super) static VOLATILE: LazyLock<Vec<(Regex, String)>> = LazyLock::new(|| {
    compiled(&[
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?\s?(?:Z\b|[+-]\d\d:?\d\d\b)?", ""),
        (r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?\s?", ""),
        // Connections of netty.
        (r"\[id: 0x[0-9a-fA-F]+[^\]]*\]\s?", ""),
        (r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", "…"),
        // Java objects, addresses in memory.
        (r"@[0-9a-f]{5,16}\b", ""),
        (r"\b0x[0-9a-fA-F]{4,}\b", "…"),
        // The local end of a connection: ports above those of services.
        (r"(\b\d{1,3}(?:\.\d{1,3}){3}):(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[4-6]\d{4})\b", "${1}"),
        (r#""?reqId"?\s*[:=]\s*\d+,?\s?"#, ""),
        // The local end again, different for each pod, and the address of a broker that has a name.
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

/// A text without tokens, passwords, quoted messages and variable text.
pub(crate) fn cleaned(text: &str) -> String {
    replaced(&replaced(&replaced(text, &SECRETS), &PAYLOADS), &VOLATILE)
}

/// The scheduler's message without the numbers of nodes and pods, which change with every node and pod of the cluster, and
/// without what the scheduler tried afterwards: the reasons in a fixed order, regardless of the number of nodes for each.
pub(crate) fn without_counts(text: &str) -> String {
    // In the order of the scheduler's plugins DynamicResources and DefaultPreemption.
    const ATTEMPTS: [&str; 3] =
        [" no new claims to deallocate", " deallocation of ResourceClaim", " preemption: "];
    let end = ATTEMPTS.iter().filter_map(|attempt| text.find(attempt)).min().unwrap_or(text.len());
    let text = text.get(..end).unwrap_or_default();
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

/// A kubelet's message about an eviction without the amounts, which differ for each pod.
pub(crate) fn without_amounts(text: &str) -> String {
    text.split(" Threshold quantity:").next().unwrap_or_default().to_owned()
}
