//! Settings of the program, its log, its credentials and its pods.

use crate::kind::Kind::{Function, Sink, Source};
use crate::settings::setting::Effect::{Dangerous, Limited, Nothing};
use crate::settings::setting::Evidence::{Read, Rendered, Run};
use crate::settings::setting::{Setting, WORKS};
use crate::settings::when::When;

const TOKEN: &str = "org.apache.pulsar.client.impl.auth.AuthenticationToken";

/// The first part of the table.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "pulsar.authConfig.genericAuth without clientAuthenticationPlugin or clientAuthenticationParameters",
        field: "pulsar.authConfig.genericAuth",
        kinds: &[Function, Source, Sink],
        when: When::All(&[
            When::IsSet("pulsar.authConfig.genericAuth"),
            When::Not(&When::IsSet("pulsar.authConfig.oauth2Config")),
            When::Any(&[
                When::Not(&When::NonEmpty("pulsar.authConfig.genericAuth.clientAuthenticationPlugin")),
                When::Not(&When::NonEmpty("pulsar.authConfig.genericAuth.clientAuthenticationParameters")),
            ]),
        ]),
        evidence: [Read, Read, Read],
        ..Setting::everywhere(Dangerous(UNAUTHENTICATED))
    },
    Setting {
        name: "pulsar.authConfig with another plugin than that for tokens",
        field: "pulsar.authConfig",
        kinds: &[Function],
        when: When::Any(&[
            When::IsSet("pulsar.authConfig.oauth2Config"),
            When::All(&[
                When::NonEmpty("pulsar.authConfig.genericAuth.clientAuthenticationPlugin"),
                When::Not(&When::OneOf("pulsar.authConfig.genericAuth.clientAuthenticationPlugin", &[TOKEN])),
            ]),
        ]),
        go: Nothing(
            "they authenticate with tokens only, by genericAuth or spec.pulsar.authSecret; the program connects without credentials",
        ),
        ..WORKS
    },
    Setting {
        name: "processingGuarantee: effectively_once",
        field: "processingGuarantee",
        kinds: &[Function],
        when: When::OneOf("processingGuarantee", &["effectively_once"]),
        go: Dangerous(
            "Go programs do not support it and exit at start; use atleast_once, or another runtime",
        ),
        ..WORKS
    },
    Setting {
        name: "processingGuarantee: effectively_once with several topics in input, or without output.topic",
        field: "processingGuarantee",
        kinds: &[Function],
        when: When::All(&[
            When::OneOf("processingGuarantee", &["effectively_once"]),
            When::Any(&[When::SeveralInputs, When::Not(&When::NonEmpty("output.topic"))]),
        ]),
        python: Dangerous(
            "Python programs exit at start; name one topic in spec.input and one in spec.output.topic, or use atleast_once",
        ),
        ..WORKS
    },
    Setting {
        name: "processingGuarantee: effectively_once with an output",
        field: "processingGuarantee",
        kinds: &[Function],
        when: When::All(&[
            When::OneOf("processingGuarantee", &["effectively_once"]),
            When::NonEmpty("output.topic"),
        ]),
        java: Limited(
            "of the outputs for one batch of input messages the broker keeps the first only (apache/pulsar#17061); disable \
             batching in the producers of the input topic, or use atleast_once",
        ),
        ..WORKS
    },
    Setting {
        name: "windowConfig",
        field: "windowConfig",
        kinds: &[Function],
        when: When::IsSet("windowConfig"),
        python: Dangerous(
            "windows are supported in Java programs only, and Python programs exit at start; remove it",
        ),
        go: Nothing("windows are supported in Java programs only; messages are processed one by one"),
        generic: Nothing("windows are supported in Java programs only; messages are processed one by one"),
        evidence: [Run, Run, Rendered],
        ..WORKS
    },
    Setting {
        name: "windowConfig.processingGuarantees with processingGuarantee: effectively_once",
        field: "windowConfig.processingGuarantees",
        kinds: &[Function],
        when: When::All(&[
            When::IsSet("windowConfig.processingGuarantees"),
            When::OneOf("processingGuarantee", &["effectively_once"]),
        ]),
        java: Nothing("the instance acknowledges each message itself; remove one of them"),
        evidence: [Read, Rendered, Rendered],
        ..WORKS
    },
    Setting {
        name: "maxMessageRetry with windowConfig",
        field: "maxMessageRetry",
        kinds: &[Function],
        when: When::All(&[When::IsSet("windowConfig"), When::Between("maxMessageRetry", 1, i64::MAX)]),
        java: Nothing(
            "the messages of a window that failed are not sent back one by one (apache/pulsar#9137), so none of them gets to the \
             dead letters",
        ),
        evidence: [Read, Rendered, Rendered],
        ..WORKS
    },
    Setting {
        name: "maxPendingAsyncRequests: 0 or less",
        field: "maxPendingAsyncRequests",
        kinds: &[Function],
        when: When::Between("maxPendingAsyncRequests", i64::MIN, 0),
        java: Dangerous("Java programs exit at start; set at least 1, or remove it"),
        evidence: [Read, Rendered, Rendered],
        ..WORKS
    },
    Setting {
        name: "maxPendingAsyncRequests",
        field: "maxPendingAsyncRequests",
        kinds: &[Function],
        // 1000 is the value that the webhook of the Go operator filled in.
        when: When::All(&[
            When::IsSet("maxPendingAsyncRequests"),
            When::Not(&When::Between("maxPendingAsyncRequests", 1000, 1000)),
        ]),
        python: Nothing("only Java programs send results asynchronously"),
        go: Nothing("only Java programs send results asynchronously"),
        generic: Nothing("only Java programs send results asynchronously"),
        evidence: [Run, Rendered, Rendered],
        ..WORKS
    },
    Setting {
        name: "sourceConfig without input",
        field: "sourceConfig",
        kinds: &[Function],
        when: When::All(&[When::IsSet("sourceConfig"), When::Not(&INPUT)]),
        python: Dangerous(NO_SOURCE),
        go: Dangerous(NO_SOURCE),
        evidence: [Read, Read, Rendered],
        ..WORKS
    },
    Setting {
        name: "sourceConfig",
        field: "sourceConfig",
        kinds: &[Function],
        when: When::All(&[When::IsSet("sourceConfig"), INPUT]),
        python: Nothing(
            "connectors are supported in Java programs only; the topics of spec.input are consumed",
        ),
        go: Nothing("connectors are supported in Java programs only; the topics of spec.input are consumed"),
        evidence: [Read, Read, Rendered],
        ..WORKS
    },
    Setting {
        name: "sinkConfig without output.topic",
        field: "sinkConfig",
        kinds: &[Function],
        when: When::All(&[When::IsSet("sinkConfig"), When::Not(&When::NonEmpty("output.topic"))]),
        python: Dangerous(NO_SINK),
        go: Dangerous(NO_SINK),
        evidence: [Read, Read, Rendered],
        ..WORKS
    },
    Setting {
        name: "sinkConfig",
        field: "sinkConfig",
        kinds: &[Function],
        when: When::All(&[When::IsSet("sinkConfig"), When::NonEmpty("output.topic")]),
        python: Nothing("connectors are supported in Java programs only; results go to spec.output.topic"),
        go: Nothing("connectors are supported in Java programs only; results go to spec.output.topic"),
        evidence: [Read, Read, Rendered],
        ..WORKS
    },
    Setting {
        name: "batchSourceConfig with className: org.apache.pulsar.functions.source.batch.BatchSourceExecutor",
        field: "batchSourceConfig",
        kinds: &[Source],
        when: When::All(&[
            When::IsSet("batchSourceConfig"),
            When::OneOf("className", &["org.apache.pulsar.functions.source.batch.BatchSourceExecutor"]),
        ]),
        java: Dangerous(
            "the executor would run itself and exit at start; set spec.className to the class of the batch source",
        ),
        evidence: [Read, Rendered, Rendered],
        ..WORKS
    },
    Setting {
        name: "statefulConfig.pulsar.javaProvider",
        field: "statefulConfig.pulsar.javaProvider",
        kinds: &[Function],
        when: When::NonEmpty("statefulConfig.pulsar.javaProvider.className"),
        python: Nothing("it is a Java class"),
        generic: Nothing("it is a Java class"),
        evidence: [Read, Rendered, Rendered],
        ..WORKS
    },
    Setting {
        name: "runtimeFlags",
        field: "runtimeFlags",
        kinds: &[Function, Source, Sink],
        when: When::NonEmpty("runtimeFlags"),
        evidence: [Read, Read, Read],
        ..Setting::everywhere(Nothing(FLAGS))
    },
    Setting {
        name: "logTopicAgent: sidecar",
        field: "logTopicAgent",
        kinds: &[Function],
        when: When::All(&[When::OneOf("logTopicAgent", &["sidecar"]), When::NonEmpty("logTopic")]),
        go: Nothing("they write no log file for the sidecar, and send their log themselves, as with runtime"),
        generic: Nothing("they write no log file for the sidecar, and are given the topic, as with runtime"),
        evidence: [Run, Run, Rendered],
        ..WORKS
    },
    Setting {
        name: "python.log.rotatePolicy with logTopic and without logTopicAgent: sidecar",
        field: "python.log.rotatePolicy",
        kinds: &[Function],
        when: When::All(&[
            When::NonEmpty("logTopic"),
            When::Not(&When::OneOf("logTopicAgent", &["sidecar"])),
            When::IsSet("python.log.rotatePolicy"),
        ]),
        python: Dangerous(
            "Python programs write neither to the file nor to the console after the first message; remove it, or set \
             spec.logTopicAgent: sidecar",
        ),
        evidence: [Run, Run, Rendered],
        ..WORKS
    },
    Setting {
        name: "python.log.format: json with logTopic and without logTopicAgent: sidecar",
        field: "python.log.format",
        kinds: &[Function],
        when: When::All(&[
            When::NonEmpty("logTopic"),
            When::Not(&When::OneOf("logTopicAgent", &["sidecar"])),
            When::OneOf("python.log.format", &["json"]),
        ]),
        python: Nothing("the log is text after the first message; set spec.logTopicAgent: sidecar for JSON"),
        evidence: [Run, Run, Rendered],
        ..WORKS
    },
    Setting {
        name: "python.log.level: off, trace or all",
        field: "python.log.level",
        kinds: &[Function],
        when: When::OneOf("python.log.level", &["off", "trace", "all"]),
        python: Nothing("Python has no such level; info is used"),
        evidence: [Run, Run, Rendered],
        ..WORKS
    },
    Setting {
        name: "golang.log.level: off or all",
        field: "golang.log.level",
        kinds: &[Function],
        when: When::OneOf("golang.log.level", &["off", "all"]),
        go: Nothing("Go has no such level; info is used"),
        evidence: [Run, Run, Rendered],
        ..WORKS
    },
    Setting {
        name: "maxReplicas without resources.requests.cpu",
        field: "maxReplicas",
        kinds: &[Function, Source, Sink],
        when: When::All(&[
            When::IsSet("maxReplicas"),
            When::Not(&When::MoreThan("pod.autoScalingMetrics", 0)),
            When::Not(&When::AnyItem(
                "pod.builtinAutoscaler",
                &When::StartsWith("", &["AverageUtilizationMemory"]),
            )),
            When::Not(&When::IsSet("resources.requests.cpu")),
            When::Not(&When::IsSet("resources.limits.cpu")),
        ]),
        evidence: [Read, Read, Read],
        ..Setting::everywhere(Nothing(NO_CPU))
    },
];

/// Whether `input` names any topic or pattern.
const INPUT: When = When::Any(&[
    When::MoreThan("input.topics", 0),
    When::NonEmpty("input.topicPattern"),
    When::MoreThan("input.customSerdeSources", 0),
    When::MoreThan("input.customSchemaSources", 0),
    When::MoreThan("input.sourceSpecs", 0),
]);

const UNAUTHENTICATED: &str =
    "without both, the program connects without credentials; set both, or remove it";
const NO_SOURCE: &str =
    "connectors are supported in Java programs only, so nothing would be consumed; name topics in spec.input";
const NO_SINK: &str =
    "connectors are supported in Java programs only, so all results would be lost; set spec.output.topic";
const FLAGS: &str = "the instance ignores it; JVM options belong in spec.java.javaOpts";
const NO_CPU: &str =
    "the autoscaler compares CPU usage with the request, so it never scales; set spec.resources.requests.cpu";
