//! The syntax of labels and of other names, as the API server checks it.

use crate::lower::problems::Problems;

/// What is wrong with a text that is no key of a label.
pub(crate) const NO_KEY: &str = "is not a valid label key: use letters, digits, '-', '_' and '.', at most 63 characters, optionally with a prefix/";
/// What is wrong with a text that is no value of a label.
pub(crate) const NO_VALUE: &str =
    "must be at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends";

/// Checks the key and the value of a label.
pub(crate) fn label(field: &str, key: &str, value: &str, problems: &mut Problems) {
    if !is_label_key(key) {
        problems.add(field, NO_KEY);
    } else if !is_label_value(value) {
        problems.add(field, NO_VALUE);
    }
}

/// Whether a text is the name of a port: at most 15 characters, at least one letter, no two dashes in a row and none at an end.
pub(crate) fn is_port_name(name: &str) -> bool {
    let inner = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let end = name.starts_with('-') || name.ends_with('-') || name.contains("--");
    (1..=15).contains(&name.len()) && inner && !end && name.chars().any(|c| c.is_ascii_lowercase())
}

/// Whether a text is a DNS subdomain: the name of a ServiceAccount, the prefix of a label.
pub(crate) fn is_subdomain(name: &str) -> bool {
    let label = |part: &str| {
        let inner = part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        inner && !part.is_empty() && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Whether a text is the key of a label or an annotation.
pub(crate) fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(is_subdomain)
}

/// Whether a text is the value of a label.
pub(crate) fn is_label_value(value: &str) -> bool {
    let end = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    value.len() <= 63
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && end(value.chars().next())
        && end(value.chars().last())
}
