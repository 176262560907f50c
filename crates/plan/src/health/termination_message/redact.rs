//! Removes secrets, and Pulsar messages that exceptions quote.

use crate::health::termination_message::patterns::compiled;
use regex_lite::Regex;
use std::sync::LazyLock;

/// The replacement of a secret.
pub(super) const HIDDEN: &str = "<redacted>";

/// Patterns of secrets, each with its replacement.
pub(crate) static SECRETS: LazyLock<Vec<(Regex, String)>> = LazyLock::new(|| {
    compiled(&[
        // JSON Web Tokens in any context.
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

/// Patterns in which exceptions quote input that they could not parse, which may be a processed message.
pub(crate) static PAYLOADS: LazyLock<Vec<(Regex, String)>> = LazyLock::new(|| {
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
