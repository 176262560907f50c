//! All objects of a fixture in one document, compared with a snapshot: a changed byte restarts every pod of a function.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use functionmesh_api::{Function, Sink, Source};
use functionmesh_render::{Component, Defaults, Desired, Environment, Invalid, render};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.yaml"));
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn lower<K: Component>(object: &Value) -> Result<Desired, Invalid> {
    let mut metadata: ObjectMeta = serde_json::from_value(object["metadata"].clone()).unwrap();
    metadata.namespace.get_or_insert_with(|| "default".to_owned());
    metadata.uid.get_or_insert_with(|| "00000000-0000-0000-0000-000000000000".to_owned());
    let spec = serde_json::from_value(object["spec"].clone()).unwrap();
    Ok(render(&K::lower(&metadata, spec)?, &Environment::default(), &Defaults::default()))
}

fn rendered(object: &Value) -> Result<Desired, Invalid> {
    match object["kind"].as_str() {
        Some("Function") => lower::<Function>(object),
        Some("Source") => lower::<Source>(object),
        _ => lower::<Sink>(object),
    }
}

fn document(name: &str) -> String {
    let Desired { service, stateful_set, .. } = rendered(&fixture(name)).unwrap();
    [serde_yaml::to_string(&service).unwrap(), serde_yaml::to_string(&stateful_set).unwrap()].join("---\n")
}

/// The script of the main container.
fn script(object: &Value) -> String {
    let stateful_set = rendered(object).unwrap().stateful_set;
    let pod = stateful_set.spec.template.spec.unwrap();
    pod.containers.last().unwrap().command.clone().unwrap().remove(2)
}

/// The details in the form in which the instance receives them.
fn details(object: &Value) -> String {
    let script = script(object);
    let (_, rest) = script.split_once("--function_details '").unwrap();
    rest.split_once("' --pulsar_serviceurl").unwrap().0.replace(r#"'"'"'"#, "'")
}

#[test]
fn fixtures_render_to_their_snapshots() {
    for name in ["function", "source", "sink", "function-everything"] {
        insta::assert_snapshot!(name, document(name));
    }
}

#[test]
fn the_same_input_renders_to_the_same_bytes() {
    let first = document("function-everything");
    for _ in 0..20 {
        assert_eq!(document("function-everything"), first);
    }
}

fn base() -> Value {
    serde_yaml::from_str(
        r"
kind: Function
metadata: {name: fn, namespace: ns1, uid: 00000000-1111-2222-3333-444444444444}
spec:
  name: fn
  tenant: public
  namespace: default
  clusterName: kubernetes
  className: org.Example
  replicas: 2
  autoAck: true
  maxPendingAsyncRequests: 1000
  forwardSourceMessageProperty: true
  processingGuarantee: atleast_once
  logTopic: persistent://public/default/log
  logTopicAgent: runtime
  input: {topics: ['persistent://public/default/in'], typeClassName: '[B'}
  output:
    topic: persistent://public/default/out
    typeClassName: '[B'
    producerConf: {batchBuilder: KEY_BASED}
  resources:
    requests: {cpu: 50m, memory: 1G}
    limits: {cpu: '0.2', memory: 1.1G}
  secretsMap: {name: {path: s, key: username}}
  funcConfig: {b: p<q, a: 1}
  pulsar: {pulsarConfig: pc}
  java:
    jar: /pulsar/examples/api-examples.jar
    log: {logConfig: {name: cm, key: k}}
",
    )
    .unwrap()
}

#[test]
fn details_are_those_of_the_go_operator() {
    let want = r#"{"tenant":"public","namespace":"default","name":"fn","className":"org.Example","logTopic":"persistent://public/default/log","userConfig":"{\"a\":1,\"b\":\"p\\u003cq\"}","secretsMap":"{\"name\":{\"path\":\"s\",\"key\":\"username\"}}","autoAck":true,"parallelism":1,"source":{"typeClassName":"[B","inputSpecs":{"persistent://public/default/in":{}},"subscriptionPosition":"EARLIEST"},"sink":{"typeClassName":"[B","topic":"persistent://public/default/out","producerSpec":{"batchBuilder":"KEY_BASED"},"forwardSourceMessageProperty":true},"resources":{"cpu":0.05,"ram":"1000000000"},"componentType":"FUNCTION"}"#;
    assert_eq!(details(&base()), want);
}

/// The command up to the details.
#[test]
fn the_command_is_that_of_the_go_operator() {
    let script = script(&base());
    let want = "SHARD_ID=${POD_NAME##*-} && echo shardId=${SHARD_ID} && exec java -cp /pulsar/instances/java-instance.jar:$(echo /pulsar/lib/com.fasterxml.jackson.dataformat-jackson-dataformat-yaml-*.jar):$(echo /pulsar/lib/org.yaml-snakeyaml-*.jar) '-Dpulsar.functions.instance.classpath=/pulsar/lib/*' -Dlog4j.configurationFile=/pulsar/conf/java-log/java_instance_log4j.xml -Dpulsar.function.log.dir=logs/functions -Dpulsar.function.log.file=fn-${SHARD_ID} -Dpulsar.allocator.exit_on_oom=true -XX:MaxRAMPercentage=70 -XX:MaxDirectMemorySize=220M -XX:+UseG1GC -XX:+HeapDumpOnOutOfMemoryError -XX:HeapDumpPath=/pulsar/tmp/heapdump-%p.hprof -XX:+ExitOnOutOfMemoryError '-Xlog:gc*:file=/pulsar/logs/gc.log:time,level,tags:filecount=5,filesize=10M' org.apache.pulsar.functions.instance.JavaInstanceMain --jar /pulsar/examples/api-examples.jar --instance_id ${SHARD_ID} --function_id ${SHARD_ID}-00000000-1111-2222-3333-444444444444 --function_version 0 --function_details ";
    assert!(script.starts_with(want), "{script}");
    let tail = r#" --pulsar_serviceurl "$brokerServiceURL" --max_buffered_tuples 100 --port 9093 --metrics_port 9094 --expected_healthcheck_interval 0 --cluster_name kubernetes --use_tls false --secrets_provider org.apache.pulsar.functions.secretsprovider.EnvironmentBasedSecretsProvider --pending_async_requests 1000"#;
    assert!(script.ends_with(tail), "{script}");
}

#[test]
fn details_of_a_sink_are_those_of_the_go_operator() {
    let object: Value = serde_yaml::from_str(
        r"
kind: Sink
metadata: {name: k, namespace: ns1, uid: u}
spec:
  name: k
  className: org.Sink
  replicas: 1
  processingGuarantee: atleast_once
  retainOrdering: true
  autoAck: true
  input:
    topics: [t1, t2]
    topicPattern: public/default/p.*
    customSerdeSources: {t3: Serde}
    customSchemaSources: {t4: AVRO}
    sourceSpecs:
      t1:
        receiverQueueSize: 0
        schemaType: JSON
        schemaProperties: {sp: v}
        cryptoConfig:
          cryptoKeyReaderClassName: CK
          encryptionKeys: [k1]
          consumerCryptoFailureAction: DISCARD
          cryptoKeyReaderConfig: {K: '1'}
      t5: {receiverQueueSize: 7, isRegexPattern: false}
    typeClassName: '[B'
  sinkConfig: {k: v}
  negativeAckRedeliveryDelayMs: 5
  timeout: 7
  maxMessageRetry: 2
  subscriptionPosition: latest
  pulsar: {pulsarConfig: pc}
  java: {jar: connectors/s.nar, log: {logConfig: {name: cm, key: k}}}
  resources:
    requests: {memory: 1G, cpu: 51m, storage: 5Gi}
    limits: {memory: 1G}
",
    )
    .unwrap();
    let want = r#"{"tenant":"public","namespace":"default","name":"k","className":"org.apache.pulsar.functions.api.utils.IdentityFunction","autoAck":true,"parallelism":1,"source":{"typeClassName":"[B","subscriptionType":"FAILOVER","inputSpecs":{"public/default/p.*":{"isRegexPattern":true},"t1":{"schemaType":"JSON","receiverQueueSize":{},"schemaProperties":{"sp":"v"},"cryptoSpec":{"cryptoKeyReaderClassName":"CK","cryptoKeyReaderConfig":"{\"K\":\"1\"}","producerEncryptionKeyName":["k1"],"consumerCryptoFailureAction":"DISCARD"}},"t2":{},"t3":{"serdeClassName":"Serde"},"t4":{"schemaType":"AVRO"},"t5":{"receiverQueueSize":{"value":7}}},"timeoutMs":"7","negativeAckRedeliveryDelayMs":"5"},"sink":{"className":"org.Sink","configs":"{\"k\":\"v\"}","typeClassName":"[B"},"resources":{"cpu":0.051000000000000004,"ram":"1000000000","disk":"5368709120"},"retryDetails":{"maxMessageRetries":2,"deadLetterTopic":"public-default-k-DLQ"},"componentType":"SINK","retainOrdering":true}"#;
    assert_eq!(details(&object), want);
}

#[test]
fn every_problem_is_reported_with_its_field() {
    let mut object = base();
    object["metadata"]["name"] = "x".repeat(50).into();
    object["spec"]["pulsar"] = Value::Null;
    object["spec"]["java"]["jar"] = "".into();
    object["spec"]["output"]["topic"] = "persistent://public/default/in".into();
    object["spec"]["maxReplicas"] = 0.into();
    object["spec"]["pod"] = serde_json::json!({"labels": {"app": "other"}});
    let fields: Vec<String> = rendered(&object).unwrap_err().0.into_iter().map(|p| p.field).collect();
    let want = [
        "spec.output.topic",
        "metadata.name",
        "spec.pulsar.pulsarConfig",
        "spec.java.jar",
        "spec.maxReplicas",
        "spec.pod.labels.app",
    ];
    assert_eq!(fields, want);
}

#[test]
fn the_replicas_do_not_reach_the_template() {
    let mut object = base();
    let before = rendered(&object).unwrap().stateful_set.spec.template;
    object["spec"]["replicas"] = 5.into();
    let after = rendered(&object).unwrap().stateful_set;
    assert_eq!((after.spec.replicas, after.spec.template), (Some(5), before));
}
