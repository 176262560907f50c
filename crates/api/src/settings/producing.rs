//! Settings of what is produced.

use super::Effect::{Dangerous, Nothing, Works};
use super::Evidence::{Read, Rendered, Run};
use super::{Setting, When};
use crate::Kind::{Function, Source};

const CRYPTO: When =
    When::All(&[When::Text("output.topic"), When::Given("output.producerConf.cryptoConfig")]);

/// The table's third part.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "output.producerConf.cryptoConfig",
        field: "output.producerConf.cryptoConfig",
        kinds: &[Function],
        when: CRYPTO,
        java: Works,
        python: Works,
        go: Dangerous(
            "Go programs publish without encryption; remove it if that is meant, or use another runtime",
        ),
        generic: Works,
        evidence: [Run, Run, Read],
    },
    Setting {
        name: "output.producerConf.cryptoConfig without cryptoKeyReaderConfig, or with a Java class",
        field: "output.producerConf.cryptoConfig.cryptoKeyReaderClassName",
        kinds: &[Function],
        when: When::All(&[
            CRYPTO,
            When::Any(&[
                When::Not(&When::MoreThan("output.producerConf.cryptoConfig.cryptoKeyReaderConfig", 0)),
                When::Begins(
                    "output.producerConf.cryptoConfig.cryptoKeyReaderClassName",
                    &["org.", "com.", "net.", "io."],
                ),
            ]),
        ]),
        java: Works,
        python: Dangerous(
            "Python programs publish without encryption when the class cannot be made; name a Python class in \
             cryptoKeyReaderClassName, such as pulsar.CryptoKeyReader, and its arguments in cryptoKeyReaderConfig",
        ),
        go: Works,
        generic: Works,
        evidence: [Run, Run, Read],
    },
    Setting {
        name: "output.producerConf.cryptoConfig.encryptionKeys: more than one",
        field: "output.producerConf.cryptoConfig.encryptionKeys",
        kinds: &[Function],
        when: When::All(&[CRYPTO, When::MoreThan("output.producerConf.cryptoConfig.encryptionKeys", 1)]),
        java: Works,
        python: Dangerous(
            "Python programs use the first only, and who has another reads nothing; name one key",
        ),
        go: Works,
        generic: Works,
        evidence: [Run, Run, Read],
    },
    Setting {
        name: "output.producerConf.cryptoConfig.producerCryptoFailureAction other than FAIL and SEND",
        field: "output.producerConf.cryptoConfig.producerCryptoFailureAction",
        kinds: &[Function, Source],
        when: When::All(&[
            When::Text("output.producerConf.cryptoConfig.producerCryptoFailureAction"),
            When::Not(&When::OneOf(
                "output.producerConf.cryptoConfig.producerCryptoFailureAction",
                &["FAIL", "SEND"],
            )),
        ]),
        java: Dangerous(ACTION),
        python: Dangerous(ACTION),
        go: Dangerous(ACTION),
        generic: Dangerous(ACTION),
        evidence: [Run, Rendered, Rendered],
    },
    Setting {
        name: "output.producerConf.cryptoConfig.producerCryptoFailureAction: SEND",
        field: "output.producerConf.cryptoConfig.producerCryptoFailureAction",
        kinds: &[Function],
        when: When::OneOf("output.producerConf.cryptoConfig.producerCryptoFailureAction", &["SEND"]),
        java: Works,
        python: Nothing("they do as with FAIL"),
        go: Nothing("they encrypt nothing"),
        generic: Works,
        evidence: [Run, Run, Read],
    },
    Setting {
        name: "output.producerConf.maxPendingMessages, maxPendingMessagesAcrossPartitions, useThreadLocalProducers",
        field: "output.producerConf.maxPendingMessages",
        kinds: &[Function],
        when: When::Any(&[
            When::Between("output.producerConf.maxPendingMessages", 1, i64::MAX),
            When::Between("output.producerConf.maxPendingMessagesAcrossPartitions", 1, i64::MAX),
            When::Switch("output.producerConf.useThreadLocalProducers", true),
        ]),
        java: Works,
        python: Nothing("the instance does not read them"),
        go: Nothing("the instance does not read them"),
        generic: Works,
        evidence: [Run, Read, Read],
    },
    Setting {
        name: "output.producerConf.compressionType",
        field: "output.producerConf.compressionType",
        kinds: &[Function],
        when: When::OneOf("output.producerConf.compressionType", &["NONE", "ZLIB", "ZSTD", "SNAPPY"]),
        java: Works,
        python: Works,
        go: Nothing("their SDK compresses with LZ4"),
        generic: Works,
        evidence: [Run, Run, Read],
    },
    Setting {
        name: "forwardSourceMessageProperty: true",
        field: "forwardSourceMessageProperty",
        kinds: &[Function],
        when: When::Switch("forwardSourceMessageProperty", true),
        java: Works,
        python: Nothing(
            "properties are not copied; read them from the context and pass them on in your code",
        ),
        go: Nothing("properties are not copied; read them from the context and pass them on in your code"),
        generic: Works,
        evidence: [Run, Read, Read],
    },
    Setting {
        name: "output.sinkSchemaType and sinkSerdeClassName",
        field: "output.sinkSchemaType",
        kinds: &[Function],
        when: When::Any(&[When::Text("output.sinkSchemaType"), When::Text("output.sinkSerdeClassName")]),
        java: Works,
        python: Works,
        go: Nothing("Go programs send the bytes that your code returns"),
        generic: Works,
        evidence: [Run, Run, Read],
    },
    Setting {
        name: "output.customSchemaSinks",
        field: "output.customSchemaSinks",
        kinds: &[Function],
        when: When::MoreThan("output.customSchemaSinks", 0),
        java: Works,
        python: Works,
        go: Nothing("Go programs send the bytes that your code returns"),
        generic: Works,
        evidence: [Run, Read, Rendered],
    },
    Setting {
        name: "output.customSchemaSinks: other fields than schemaProperties",
        field: "output.customSchemaSinks",
        kinds: &[Function],
        when: When::AnyValue(
            "output.customSchemaSinks",
            &When::Contains(
                "",
                &[
                    "\"schemaType\"",
                    "\"serdeClassname\"",
                    "\"consumerProperties\"",
                    "\"receiverQueueSize\"",
                    "\"cryptoConfig\"",
                ],
            ),
        ),
        java: Nothing(SCHEMA),
        python: Nothing(SCHEMA),
        go: Works,
        generic: Works,
        evidence: [Read, Read, Rendered],
    },
];

const ACTION: &str = "the instance knows no other and would take it for FAIL, or end; use one of them";
const SCHEMA: &str =
    "only schemaProperties counts; set the schema by spec.output.sinkSchemaType or sinkSerdeClassName";
