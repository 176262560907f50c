//! Normalizes error messages of the API server for conditions: text that differs each time is removed, so that the same failure
//! has one text and causes one status write.

use regex_lite::Regex;
use std::sync::LazyLock;

/// Patterns of variable text, with their replacements.
static VOLATILE: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        // The used part of a quota changes with every object of the namespace.
        (r", used: .*?, limited: ", ", limited: "),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?\s?(?:Z\b|[+-]\d\d:?\d\d\b)?", "…"),
        (r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", "…"),
        // Addresses of pods: a Service balances to another one each time.
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "…"),
        (r"\[[0-9a-fA-F]*:[0-9a-fA-F:.]+\](?::\d+)?", "…"),
        (r"\b\d+\.\d+(?:ms|µs|s)\b", "…"),
        (r"\b\d{10,}\b", "…"),
    ];
    // A pattern that does not compile would be left out; a test compiles all of them.
    patterns.into_iter().filter_map(|(pattern, by)| Some((Regex::new(pattern).ok()?, by))).collect()
});

/// A message of the API server without variable text.
pub(crate) fn stable(answer: &str) -> String {
    VOLATILE
        .iter()
        .fold(answer.to_owned(), |text, (pattern, by)| pattern.replace_all(&text, *by).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_failure_is_one_text() {
        let cases = [
            (
                "exceeded quota: q, requested: pods=1,count/x=1, used: pods=5,count/x=2, limited: pods=5,count/x=9",
                "exceeded quota: q, requested: pods=1,count/x=1, limited: pods=5,count/x=9",
            ),
            (
                "Post \"https://w.ns.svc:443/v?timeout=10s\": dial tcp 10.244.1.7:8443: connect: connection refused",
                "Post \"https://w.ns.svc:443/v?timeout=10s\": dial tcp …: connect: connection refused",
            ),
            ("dial tcp [fd00::1:2]:443: i/o timeout after 9.987s", "dial tcp …: i/o timeout after …"),
            (
                "certificate has expired: current time 2026-11-28T10:00:00Z is after 2026-11-27T10:00:00Z",
                "certificate has expired: current time … is after …",
            ),
            ("UID in precondition: 01234567-89ab-cdef-0123-456789abcdef", "UID in precondition: …"),
            ("resource version 12345678901 is too old", "resource version … is too old"),
            ("spec.replicas: Invalid value: -1", "spec.replicas: Invalid value: -1"),
        ];
        for (answer, want) in cases {
            assert_eq!(stable(answer), want);
        }
    }
}
