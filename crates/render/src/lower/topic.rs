//! Names of Pulsar topics.

/// Whether Pulsar accepts `name` as a topic: `topic`, `tenant/namespace/topic`, or the same with a domain in front.
pub(crate) fn is_valid(name: &str) -> bool {
    let part = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-=:._".contains(c))
    };
    match name.split_once("://") {
        Some((domain, rest)) => {
            let mut parts = rest.splitn(3, '/');
            matches!(domain, "persistent" | "non-persistent")
                && parts.next().is_some_and(part)
                && parts.next().is_some_and(part)
                && parts.next().is_some_and(|topic| !topic.is_empty())
        }
        None => match name.split('/').collect::<Vec<_>>().as_slice() {
            [topic] => !topic.is_empty(),
            [tenant, namespace, topic] => part(tenant) && part(namespace) && !topic.is_empty(),
            _ => false,
        },
    }
}

/// A pattern with its namespace. Without one it would match no topic, although a topic without a namespace belongs to
/// `public/default`.
pub(crate) fn pattern(pattern: &str) -> String {
    if pattern.contains('/') {
        return pattern.to_owned();
    }
    // The alternatives apply to the last part only, and `^` no longer refers to the start of the name.
    let last = pattern.strip_prefix('^').unwrap_or(pattern);
    let last = if last.contains('|') { format!("({last})") } else { last.to_owned() };
    format!("persistent://public/default/{last}")
}

/// `tenant/namespace` of a topic; a short name is in `public/default`.
pub(crate) fn namespace(name: &str) -> String {
    let path = name.split_once("://").map_or(name, |(_, path)| path);
    match path.splitn(3, '/').collect::<Vec<_>>().as_slice() {
        [tenant, namespace, _] => format!("{tenant}/{namespace}"),
        _ => "public/default".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_valid, namespace, pattern};

    #[test]
    fn a_pattern_has_a_namespace() {
        for (given, want) in [
            ("in-.*", "persistent://public/default/in-.*"),
            ("^in-.*", "persistent://public/default/in-.*"),
            ("in-.*|out-.*", "persistent://public/default/(in-.*|out-.*)"),
            ("a/b/in-.*", "a/b/in-.*"),
            ("persistent://a/b/in-.*", "persistent://a/b/in-.*"),
        ] {
            assert_eq!(pattern(given), want);
        }
    }

    #[test]
    fn topics_have_a_namespace() {
        for (topic, want) in [("t", "public/default"), ("a/b/t", "a/b"), ("persistent://a/b/c/d.*", "a/b")] {
            assert_eq!(namespace(topic), want);
        }
    }

    #[test]
    fn topics_are_distinguished_from_other_text() {
        for good in ["t", "a/b/t", "persistent://a/b/t", "non-persistent://a/b/t/u", "public/default/p.*"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "a/b", "a/b/c/d", "http://a/b/c", "persistent://a/b", "persistent://a//c", "a b/c/d"]
        {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
