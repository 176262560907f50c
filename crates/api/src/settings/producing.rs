//! Settings of the output.

use crate::kind::Kind::{Function, Source};
use crate::settings::setting::Effect::{Dangerous, Nothing};
use crate::settings::setting::Evidence::{Read, Rendered, Run};
use crate::settings::setting::{Setting, UNKNOWN_ACTION, WORKS};
use crate::settings::when::When;

const CRYPTO: When =
    When::All(&[When::NonEmpty("output.topic"), When::IsSet("output.producerConf.cryptoConfig")]);

/// The third part of the table.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "output.producerConf.cryptoConfig",
        field: "output.producerConf.cryptoConfig",
        kinds: &[Function],
        when: CRYPTO,
        go: Dangerous(
            "Go programs publish without encryption; remove it if that is meant, or use another runtime",
        ),
        ..WORKS
    },
    Setting {
        name: "output.producerConf.cryptoConfig without cryptoKeyReaderConfig, or with a Java class",
        field: "output.producerConf.cryptoConfig.cryptoKeyReaderClassName",
        kinds: &[Function],
        when: When::All(&[
            CRYPTO,
            When::Any(&[
                When::Not(&When::MoreThan("output.producerConf.cryptoConfig.cryptoKeyReaderConfig", 0)),
                When::StartsWith(
                    "output.producerConf.cryptoConfig.cryptoKeyReaderClassName",
                    &["org.", "com.", "net.", "io."],
                ),
            ]),
        ]),
        python: Dangerous(
            "Python programs publish without encryption when the class cannot be made; name a Python class in \
             cryptoKeyReaderClassName, such as pulsar.CryptoKeyReader, and its arguments in cryptoKeyReaderConfig",
        ),
        ..WORKS
    },
    Setting {
        name: "output.producerConf.cryptoConfig.encryptionKeys: more than one",
        field: "output.producerConf.cryptoConfig.encryptionKeys",
        kinds: &[Function],
        when: When::All(&[CRYPTO, When::MoreThan("output.producerConf.cryptoConfig.encryptionKeys", 1)]),
        python: Dangerous(
            "Python programs encrypt with the first key only, so holders of the other keys cannot read; name one key",
        ),
        ..WORKS
    },
    Setting {
        name: "output.producerConf.cryptoConfig.producerCryptoFailureAction other than FAIL and SEND",
        field: "output.producerConf.cryptoConfig.producerCryptoFailureAction",
        kinds: &[Function, Source],
        when: When::All(&[
            When::NonEmpty("output.producerConf.cryptoConfig.producerCryptoFailureAction"),
            When::Not(&When::OneOf(
                "output.producerConf.cryptoConfig.producerCryptoFailureAction",
                &["FAIL", "SEND"],
            )),
        ]),
        evidence: [Run, Rendered, Rendered],
        ..Setting::everywhere(Dangerous(UNKNOWN_ACTION))
    },
    Setting {
        name: "output.producerConf.cryptoConfig.producerCryptoFailureAction: SEND",
        field: "output.producerConf.cryptoConfig.producerCryptoFailureAction",
        kinds: &[Function],
        when: When::OneOf("output.producerConf.cryptoConfig.producerCryptoFailureAction", &["SEND"]),
        python: Nothing("they behave as with FAIL"),
        go: Nothing("they encrypt nothing"),
        ..WORKS
    },
    Setting {
        name: "output.producerConf.maxPendingMessages, maxPendingMessagesAcrossPartitions, useThreadLocalProducers",
        field: "output.producerConf.maxPendingMessages",
        kinds: &[Function],
        when: When::Any(&[
            When::Between("output.producerConf.maxPendingMessages", 1, i64::MAX),
            When::Between("output.producerConf.maxPendingMessagesAcrossPartitions", 1, i64::MAX),
            When::IsBool("output.producerConf.useThreadLocalProducers", true),
        ]),
        python: Nothing("the instance does not read them"),
        go: Nothing("the instance does not read them"),
        evidence: [Run, Read, Read],
        ..WORKS
    },
    Setting {
        name: "output.producerConf.compressionType",
        field: "output.producerConf.compressionType",
        kinds: &[Function],
        when: When::OneOf("output.producerConf.compressionType", &["NONE", "ZLIB", "ZSTD", "SNAPPY"]),
        go: Nothing("their SDK compresses with LZ4"),
        ..WORKS
    },
    Setting {
        name: "forwardSourceMessageProperty: true",
        field: "forwardSourceMessageProperty",
        kinds: &[Function],
        when: When::IsBool("forwardSourceMessageProperty", true),
        python: Nothing(
            "properties are not copied; read them from the context and pass them on in your code",
        ),
        go: Nothing("properties are not copied; read them from the context and pass them on in your code"),
        evidence: [Run, Read, Read],
        ..WORKS
    },
    Setting {
        name: "output.sinkSchemaType and sinkSerdeClassName",
        field: "output.sinkSchemaType",
        kinds: &[Function],
        when: When::Any(&[
            When::NonEmpty("output.sinkSchemaType"),
            When::NonEmpty("output.sinkSerdeClassName"),
        ]),
        go: Nothing("Go programs send the bytes that your code returns"),
        ..WORKS
    },
    Setting {
        name: "output.customSchemaSinks",
        field: "output.customSchemaSinks",
        kinds: &[Function],
        when: When::MoreThan("output.customSchemaSinks", 0),
        go: Nothing("Go programs send the bytes that your code returns"),
        evidence: [Run, Read, Rendered],
        ..WORKS
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
        evidence: [Read, Read, Rendered],
        ..WORKS
    },
];

const SCHEMA: &str =
    "only schemaProperties counts; set the schema by spec.output.sinkSchemaType or sinkSerdeClassName";
