//! Rules for what is consumed and produced.

use crate::rules::rule::{Rule, given, if_given, on, text};

/// A topic: `topic`, `tenant/namespace/topic`, or the latter with a domain in front, when it may contain anything. Short, as
/// the API server counts its length against the number and size of topics.
const TOPIC: &str = r"(?s)^([^/]+|([-=:.\\w]+/){2}[^/]+|(non-)?persistent://([-=:.\\w]+/){2}.+)$";
/// Fields that name inputs by key.
const KEYED: [(&str, &str); 3] = [
    ("input.customSerdeSources", ".input.customSerdeSources"),
    ("input.customSchemaSources", ".input.customSchemaSources"),
    ("input.sourceSpecs", ".input.sourceSpecs"),
];

/// A condition that applies unless the Function has a connector instead.
fn but_for(connector: Option<&str>, condition: &str) -> String {
    match connector {
        Some(connector) => format!("{} || {condition}", given(connector)),
        None => condition.to_owned(),
    }
}

fn is_topic(value: &str) -> String {
    format!("{value}.matches('{TOPIC}')")
}

fn topic(path: &str, field: &'static str, message: &'static str) -> Rule {
    Rule::invalid(field, format!("!{} || {}", text(path), is_topic(&format!("@.{path}"))), message)
}

/// What is consumed.
pub(super) fn input(connector: Option<&str>) -> Vec<Rule> {
    let keyed: Vec<String> =
        KEYED.iter().map(|(path, _)| format!("({} && @.{path}.size() > 0)", given(path))).collect();
    let any = format!(
        "({} && @.input.topics.size() > 0) || {} || {}",
        given("input.topics"),
        text("input.topicPattern"),
        keyed.join(" || ")
    );
    let mut rules = vec![
        Rule::required(
            ".input",
            but_for(connector, &any),
            "spec.input must name at least one topic, with topics, topicPattern, customSerdeSources, \
             customSchemaSources or sourceSpecs",
        ),
        Rule::invalid(
            ".input.topics",
            but_for(
                connector,
                &if_given("input.topics", &format!("@.input.topics.all(t, {})", is_topic("t"))),
            ),
            "spec.input.topics must be names of topics: topic, tenant/namespace/topic, or \
             persistent://tenant/namespace/topic",
        ),
        Rule::invalid(
            ".input.topicPattern",
            but_for(
                connector,
                &format!("!{} || {}", text("input.topicPattern"), is_topic("@.input.topicPattern")),
            ),
            "spec.input.topicPattern must be a regular expression in place of the topic name: persistent://tenant/namespace/pattern",
        ),
    ];
    for (path, field) in KEYED {
        let all = if_given(path, &format!("@.{path}.all(t, {})", is_topic("t")));
        rules.push(Rule::invalid(
            field,
            but_for(connector, &all),
            "the keys of spec.input.customSerdeSources, customSchemaSources and sourceSpecs must be names of topics: \
             topic, tenant/namespace/topic, or persistent://tenant/namespace/topic",
        ));
    }
    let specs = |condition: &str| {
        but_for(
            connector,
            &if_given("input.sourceSpecs", &format!("@.input.sourceSpecs.all(t, {condition})")),
        )
    };
    let of = |field: &str| format!("@.input.sourceSpecs[t].{field}");
    let there = |field: &str| format!("has({0}) && dyn({0}) != null", of(field));
    rules.push(Rule::invalid(
        ".input.sourceSpecs",
        specs(&format!("!({}) || {} >= 0", there("receiverQueueSize"), of("receiverQueueSize"))),
        "spec.input.sourceSpecs must have no negative receiverQueueSize; 0 disables prefetching",
    ));
    rules.push(Rule::required(
        ".input.sourceSpecs",
        specs(&format!(
            "!({}) || ({} && {} != '')",
            there("cryptoConfig"),
            there("cryptoConfig.cryptoKeyReaderClassName"),
            of("cryptoConfig.cryptoKeyReaderClassName")
        )),
        "spec.input.sourceSpecs must have cryptoKeyReaderClassName in each cryptoConfig",
    ));
    rules
}

/// Retries, timeouts and dead letters of what consumes.
pub(super) fn retries() -> Vec<Rule> {
    let once = format!("({} && @.processingGuarantee == 'effectively_once')", given("processingGuarantee"));
    vec![
        Rule::invalid(
            ".timeout",
            format!("!({once} && {} && @.timeout != 0)", given("timeout")),
            "spec.timeout must not be set with processingGuarantee effectively_once; remove one of them",
        ),
        Rule::invalid(
            ".maxMessageRetry",
            format!("!({once} && {} && @.maxMessageRetry > 0)", given("maxMessageRetry")),
            "spec.maxMessageRetry must not be set with processingGuarantee effectively_once; remove one of them",
        ),
        Rule::invalid(
            ".maxMessageRetry",
            format!(
                "!{} || ({} && @.maxMessageRetry > 0)",
                text("deadLetterTopic"),
                given("maxMessageRetry")
            ),
            "spec.maxMessageRetry must be above 0 when spec.deadLetterTopic is set, otherwise no message is sent there",
        ),
        topic(
            "deadLetterTopic",
            ".deadLetterTopic",
            "spec.deadLetterTopic must be the name of a topic: topic, tenant/namespace/topic, or \
             persistent://tenant/namespace/topic",
        ),
    ]
}

/// The order in which a Function processes messages.
pub(super) fn ordering() -> Vec<Rule> {
    vec![
        Rule::invalid(
            ".retainKeyOrdering",
            format!(
                "!({} && {} && @.processingGuarantee == 'effectively_once')",
                on("retainKeyOrdering"),
                given("processingGuarantee")
            ),
            "spec.retainKeyOrdering must not be set with processingGuarantee effectively_once; remove one of them",
        ),
        Rule::invalid(
            ".retainKeyOrdering",
            format!("!({} && {})", on("retainKeyOrdering"), on("retainOrdering")),
            "spec.retainKeyOrdering must not be set together with spec.retainOrdering; choose one",
        ),
    ]
}

/// Output topic and producer settings. The producer's encryption is checked when there is a topic to produce to.
pub(super) fn output(connector: Option<&str>) -> Vec<Rule> {
    let crypto = "output.producerConf.cryptoConfig";
    let encrypted = |condition: &str| {
        but_for(connector, &format!("!({} && {}) || {condition}", text("output.topic"), given(crypto)))
    };
    vec![
        Rule::invalid(
            ".output.topic",
            but_for(connector, &format!("!{} || {}", text("output.topic"), is_topic("@.output.topic"))),
            "spec.output.topic must be the name of a topic: topic, tenant/namespace/topic, or \
             persistent://tenant/namespace/topic",
        ),
        Rule::required(
            ".output.producerConf.cryptoConfig",
            encrypted(&text(&format!("{crypto}.cryptoKeyReaderClassName"))),
            "spec.output.producerConf.cryptoConfig.cryptoKeyReaderClassName must be set",
        ),
        Rule::required(
            ".output.producerConf.cryptoConfig",
            encrypted(&format!(
                "({} && @.{crypto}.encryptionKeys.size() > 0)",
                given(&format!("{crypto}.encryptionKeys"))
            )),
            "spec.output.producerConf.cryptoConfig.encryptionKeys must name at least one key",
        ),
    ]
}

/// A Function must not write to its own input, which would be an endless loop.
pub(super) fn output_is_input() -> Vec<Rule> {
    let same = |path: &str| format!("({} && @.output.topic in @.{path})", given(path));
    let keyed: Vec<String> = KEYED.iter().map(|(path, _)| same(path)).collect();
    vec![Rule::invalid(
        ".output.topic",
        format!(
            "{} || {} || !{} || !({} || ({} && @.input.topicPattern == @.output.topic) || {})",
            given("sinkConfig"),
            given("sourceConfig"),
            text("output.topic"),
            same("input.topics"),
            given("input.topicPattern"),
            keyed.join(" || ")
        ),
        "spec.output.topic must not be a topic of spec.input, because the function would consume its own results; choose another",
    )]
}

/// The topic of the log, which the Go operator checks for Functions only.
pub(super) fn log_topic() -> Vec<Rule> {
    vec![topic(
        "logTopic",
        ".logTopic",
        "spec.logTopic must be the name of a topic: topic, tenant/namespace/topic, or \
         persistent://tenant/namespace/topic",
    )]
}

/// Windows of messages.
pub(super) fn window() -> Vec<Rule> {
    let field = |name: &str| format!("windowConfig.{name}");
    let lengths = ["windowLengthCount", "windowLengthDurationMs"].map(|name| given(&field(name)));
    let positive = |name: &'static str| if_given(&field(name), &format!("@.windowConfig.{name} > 0"));
    // An empty name counts as one, as in the Go operator.
    let extractor = given("windowConfig.timestampExtractorClassName");
    let timed = |name: &'static str| format!("!{extractor} || ({})", positive(name));
    let above = |expression: String| {
        Rule::invalid(
            ".windowConfig",
            expression,
            "spec.windowConfig must have lengths and intervals above 0, and with timestampExtractorClassName also \
             maxLagMs and watermarkEmitIntervalMs above 0",
        )
    };
    let [count, duration] = lengths;
    vec![
        Rule::required(
            ".windowConfig",
            if_given("windowConfig", &format!("({count} || {duration})")),
            "spec.windowConfig must have a length: set windowLengthCount or windowLengthDurationMs",
        ),
        Rule::invalid(
            ".windowConfig",
            format!("!({count} && {duration})"),
            "spec.windowConfig must have one length only: remove windowLengthCount or windowLengthDurationMs",
        ),
        above(positive("windowLengthCount")),
        above(positive("windowLengthDurationMs")),
        above(positive("slidingIntervalCount")),
        above(positive("slidingIntervalDurationMs")),
        above(timed("maxLagMs")),
        above(timed("watermarkEmitIntervalMs")),
    ]
}
