//! Which component reads and writes which topics.

use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

/// A topic, or a pattern for names of topics, that a component reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Input {
    Topic(String),
    Pattern(String),
}

impl Input {
    /// The topic or pattern.
    pub(crate) fn name(&self) -> &str {
        let (Self::Topic(name) | Self::Pattern(name)) = self;
        name
    }

    /// Whether a message on a topic arrives here.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        match self {
            Self::Topic(name) => name == topic,
            Self::Pattern(pattern) => {
                // The broker matches without the domain, and the whole name.
                let path = |text: &str| text.split_once("://").map_or(text, |(_, path)| path).to_owned();
                Regex::new(&format!("^(?:{})$", path(pattern)))
                    .is_ok_and(|regex| regex.is_match(&path(topic)))
            }
        }
    }
}

/// What a component writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    Output,
    DeadLetters,
    Log,
}

/// One Function, Source or Sink.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    /// `function default/name`.
    pub(crate) name: String,
    /// Its kind.
    pub(crate) kind: String,
    /// Cluster that it runs against: the ConfigMap with its addresses, in its namespace.
    pub(crate) cluster: String,
    /// Its subscription.
    pub(crate) subscription: String,
    pub(crate) inputs: BTreeSet<Input>,
    pub(crate) outputs: BTreeSet<(String, Use)>,
}

impl Component {
    /// Reads an object and its function details, as the instance gets them.
    pub(crate) fn of(object: &Value, details: &Value) -> Self {
        let text =
            |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let kind = text(object, "/kind").unwrap_or_default().to_lowercase();
        let namespace = text(object, "/metadata/namespace").unwrap_or_default();
        let specs = details.pointer("/source/inputSpecs").and_then(Value::as_object);
        let inputs = specs.into_iter().flatten().map(|(name, spec)| {
            if spec["isRegexPattern"] == true { Input::Pattern(full(name)) } else { Input::Topic(full(name)) }
        });
        let written = [
            ("/sink/topic", Use::Output),
            ("/retryDetails/deadLetterTopic", Use::DeadLetters),
            ("/logTopic", Use::Log),
        ];
        let outputs = written.into_iter().filter_map(|(pointer, what)| {
            let topic = text(details, pointer).filter(|topic| !topic.is_empty())?;
            Some((full(&topic), what))
        });
        let identity =
            ["tenant", "namespace", "name"].map(|key| text(details, &format!("/{key}")).unwrap_or_default());
        Self {
            name: format!("{kind} {namespace}/{}", text(object, "/metadata/name").unwrap_or_default()),
            cluster: format!("{namespace}/{}", text(object, "/spec/pulsar/pulsarConfig").unwrap_or_default()),
            subscription: text(details, "/source/subscriptionName")
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| identity.join("/")),
            kind,
            inputs: inputs.collect(),
            outputs: outputs.collect(),
        }
    }

    /// Whether it reads what is written to a topic.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        self.inputs.iter().any(|input| input.reads(topic))
    }
}

/// The full name of a topic, without the number of a partition: `persistent://tenant/namespace/topic`.
pub(crate) fn full(topic: &str) -> String {
    let named = match topic.split_once("://") {
        Some(_) => topic.to_owned(),
        None if topic.contains('/') => format!("persistent://{topic}"),
        None => format!("persistent://public/default/{topic}"),
    };
    match named.rsplit_once("-partition-") {
        Some((base, number)) if !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) => {
            base.to_owned()
        }
        _ => named,
    }
}

/// A topic as short as it can be written.
pub(crate) fn short(topic: &str) -> &str {
    let without = topic.strip_prefix("persistent://").unwrap_or(topic);
    without.strip_prefix("public/default/").unwrap_or(without)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// A function that reads and writes.
    pub(crate) fn function(name: &str, inputs: &[&str], output: &str) -> Component {
        let specs: serde_json::Map<String, Value> =
            inputs.iter().map(|topic| ((*topic).to_owned(), json!({}))).collect();
        let object = json!({"kind": "Function", "metadata": {"name": name, "namespace": "default"}});
        let details = json!({"tenant": "public", "namespace": "default", "name": name,
            "source": {"inputSpecs": specs}, "sink": {"topic": output}});
        Component::of(&object, &details)
    }

    #[test]
    fn one_topic_has_one_name() {
        for name in [
            "a",
            "public/default/a",
            "persistent://public/default/a",
            "persistent://public/default/a-partition-3",
        ] {
            assert_eq!(full(name), "persistent://public/default/a");
            assert_eq!(short(&full(name)), "a");
        }
        assert_eq!(full("non-persistent://a/b/c"), "non-persistent://a/b/c");
        assert_eq!(full("t-partition-x"), "persistent://public/default/t-partition-x");
    }

    #[test]
    fn a_pattern_reads_what_it_matches_as_a_whole() {
        let pattern = Input::Pattern("persistent://public/default/in-.*".to_owned());
        assert!(pattern.reads("persistent://public/default/in-1"));
        assert!(!pattern.reads("persistent://public/default/main-in-1"));
        assert!(!Input::Pattern("a(".to_owned()).reads("a("), "what is no pattern reads nothing");
    }

    #[test]
    fn the_subscription_of_a_function_is_its_name() {
        assert_eq!(function("f", &["a"], "b").subscription, "public/default/f");
    }
}
