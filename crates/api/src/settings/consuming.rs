//! Settings of the input.

use crate::kind::Kind::{Function, Sink};
use crate::settings::setting::Effect::{Dangerous, Nothing};
use crate::settings::setting::Evidence::{Read, Rendered, Run};
use crate::settings::setting::{Setting, UNKNOWN_ACTION, WORKS};
use crate::settings::when::When;

/// The second part of the table.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "timeout: negative",
        field: "timeout",
        kinds: &[Function, Sink],
        when: When::Between("timeout", i64::MIN, -1),
        ..Setting::everywhere(Dangerous(NEGATIVE))
    },
    Setting {
        name: "timeout: 1 to 999",
        field: "timeout",
        kinds: &[Function, Sink],
        when: When::Between("timeout", 1, 999),
        java: Dangerous("Java programs exit at start; set at least 1000, or 0 for none"),
        python: Dangerous(SHORT_PYTHON),
        go: Nothing(NO_TIMEOUT),
        ..WORKS
    },
    Setting {
        name: "timeout: 1000 to 9999",
        field: "timeout",
        kinds: &[Function],
        when: When::Between("timeout", 1000, 9999),
        python: Dangerous(SHORT_PYTHON),
        go: Nothing(NO_TIMEOUT),
        ..WORKS
    },
    Setting {
        name: "timeout: 10000 or more",
        field: "timeout",
        kinds: &[Function],
        when: When::Between("timeout", 10_000, i64::MAX),
        go: Nothing(NO_TIMEOUT),
        ..WORKS
    },
    Setting {
        name: "negativeAckRedeliveryDelayMs: negative",
        field: "negativeAckRedeliveryDelayMs",
        kinds: &[Sink],
        when: When::Between("negativeAckRedeliveryDelayMs", i64::MIN, -1),
        java: Dangerous(NEGATIVE),
        evidence: [Run, Rendered, Rendered],
        ..WORKS
    },
    Setting {
        name: "retainOrdering with maxMessageRetry or deadLetterTopic",
        field: "retainOrdering",
        kinds: &[Function, Sink],
        when: When::All(&[
            When::IsBool("retainOrdering", true),
            When::Any(&[When::Between("maxMessageRetry", 1, i64::MAX), When::NonEmpty("deadLetterTopic")]),
        ]),
        java: Dangerous(
            "messages of such a subscription never reach the dead-letter topic and are redelivered forever; remove one of them",
        ),
        evidence: [Run, Run, Rendered],
        ..WORKS
    },
    Setting {
        name: "maxMessageRetry and deadLetterTopic",
        field: "maxMessageRetry",
        kinds: &[Function],
        when: When::Any(&[When::Between("maxMessageRetry", 1, i64::MAX), When::NonEmpty("deadLetterTopic")]),
        python: Nothing("a failed message is redelivered forever; catch the exception in your code"),
        go: Nothing(
            "the program exits when a message fails and receives it again forever; do not return an error for it",
        ),
        ..WORKS
    },
    Setting {
        name: "retainKeyOrdering",
        field: "retainKeyOrdering",
        kinds: &[Function],
        when: When::IsBool("retainKeyOrdering", true),
        go: Dangerous(
            "Go programs have no such subscription and would process the messages of a key in any order; use retainOrdering",
        ),
        evidence: [Run, Read, Read],
        ..WORKS
    },
    Setting {
        name: "subscriptionPosition: earliest",
        field: "subscriptionPosition",
        kinds: &[Function],
        when: When::OneOf("subscriptionPosition", &["earliest"]),
        go: Nothing(
            "their SDK starts a new subscription at the newest message; create the subscription before the first start: \
             pulsar-admin topics create-subscription",
        ),
        ..WORKS
    },
    Setting {
        name: "skipToLatest",
        field: "skipToLatest",
        kinds: &[Function],
        when: When::IsBool("skipToLatest", true),
        python: Nothing("the backlog is processed; skip it by pulsar-admin topics skip-all"),
        go: Nothing("the backlog is processed; skip it by pulsar-admin topics skip-all"),
        evidence: [Run, Run, Rendered],
        ..WORKS
    },
    Setting {
        name: "autoAck: false",
        field: "autoAck",
        kinds: &[Function, Sink],
        when: When::All(&[
            When::IsBool("autoAck", false),
            When::Not(&When::OneOf("processingGuarantee", &["atmost_once", "effectively_once", "manual"])),
        ]),
        java: Nothing("Java programs acknowledge nevertheless; set spec.processingGuarantee: manual"),
        evidence: [Read, Read, Rendered],
        ..WORKS
    },
    Setting {
        name: "input.sourceSpecs with isRegexPattern and receiverQueueSize: 0",
        field: "input.sourceSpecs.*.receiverQueueSize",
        kinds: &[Function, Sink],
        when: When::AnyValue(
            "input.sourceSpecs",
            &When::All(&[When::IsBool("isRegexPattern", true), When::Between("receiverQueueSize", 0, 0)]),
        ),
        java: Dangerous("Java programs exit at start, as with a partitioned topic; set at least 1"),
        go: Nothing("their SDK replaces 0 by its default"),
        evidence: [Run, Read, Read],
        ..WORKS
    },
    Setting {
        name: "input.sourceSpecs.*.consumerProperties",
        field: "input.sourceSpecs.*.consumerProperties",
        kinds: &[Function],
        when: When::AnyValue("input.sourceSpecs", &When::MoreThan("consumerProperties", 0)),
        python: Nothing("the instance does not read them"),
        go: Nothing("the instance does not read them"),
        evidence: [Run, Read, Read],
        ..WORKS
    },
    Setting {
        name: "input.sourceSpecs.*.schemaProperties",
        field: "input.sourceSpecs.*.schemaProperties",
        kinds: &[Function],
        when: When::AnyValue("input.sourceSpecs", &When::MoreThan("schemaProperties", 0)),
        go: Nothing("Go programs get the bytes of each message and know no schema"),
        evidence: [Run, Read, Read],
        ..WORKS
    },
    Setting {
        name: "input.sourceSpecs.*.schemaProperties without schemaType",
        field: "input.sourceSpecs.*.schemaProperties",
        kinds: &[Function],
        when: When::AnyValue(
            "input.sourceSpecs",
            &When::All(&[When::MoreThan("schemaProperties", 0), When::Not(&When::NonEmpty("schemaType"))]),
        ),
        python: Nothing("only schemas of your own, named by schemaType, read them"),
        evidence: [Run, Read, Read],
        ..WORKS
    },
    Setting {
        name: "input.sourceSpecs.*.cryptoConfig",
        field: "input.sourceSpecs.*.cryptoConfig",
        kinds: &[Function],
        when: When::AnyValue("input.sourceSpecs", &When::IsSet("cryptoConfig")),
        go: Nothing("they decrypt nothing; encrypted messages are not processed"),
        ..WORKS
    },
    Setting {
        name: "input.sourceSpecs.*.cryptoConfig.consumerCryptoFailureAction other than FAIL, DISCARD and CONSUME",
        field: "input.sourceSpecs.*.cryptoConfig.consumerCryptoFailureAction",
        kinds: &[Function, Sink],
        when: When::AnyValue(
            "input.sourceSpecs",
            &When::All(&[
                When::NonEmpty("cryptoConfig.consumerCryptoFailureAction"),
                When::Not(&When::OneOf(
                    "cryptoConfig.consumerCryptoFailureAction",
                    &["FAIL", "DISCARD", "CONSUME"],
                )),
            ]),
        ),
        evidence: [Run, Rendered, Rendered],
        ..Setting::everywhere(Dangerous(UNKNOWN_ACTION))
    },
    Setting {
        name: "input.sourceSpecs.*.cryptoConfig.consumerCryptoFailureAction",
        field: "input.sourceSpecs.*.cryptoConfig.consumerCryptoFailureAction",
        kinds: &[Function],
        when: When::AnyValue(
            "input.sourceSpecs",
            &When::OneOf("cryptoConfig.consumerCryptoFailureAction", &["DISCARD", "CONSUME"]),
        ),
        python: Nothing("they behave as with FAIL"),
        go: Nothing("they decrypt nothing"),
        ..WORKS
    },
];

const NEGATIVE: &str = "it is negative, and the program exits at start; set 0 for none";
const SHORT_PYTHON: &str = "Python programs exit at start below 10000; set at least that, or 0 for none";
const NO_TIMEOUT: &str = "the instance does not read it";
