//! Go programs.

use crate::common::*;
use serde_json::{Value, json};

/// The configuration that a Go program gets, with the variables as the shell sets them.
pub(crate) fn go_configuration(patch: &str) -> Value {
    let object = function(&format!("{{java: null, golang: {{go: /pulsar/go}}, {patch}}}"));
    let desired = rendered(&object);
    let script = script(main_container(&desired));
    let word = script.split_once("-instance-conf ").unwrap().1;
    let text = word
        .replace(r#"'"${brokerServiceURL}"'"#, "pulsar://b")
        .replace(r#"'"${SHARD_ID}"'"#, "0")
        .replace(r#"'"'"'"#, "\u{1}")
        .replace('\'', "")
        .replace('\u{1}', "'");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn d003_a_go_function_may_have_a_pattern_or_settings_only() {
    let pattern = go_configuration("input: {topics: null, topicPattern: 'persistent://a/b/p.*'}");
    assert_eq!(pattern["sourceSpecsTopic"], "persistent://a/b/p.*");
    assert_eq!(pattern["isRegexPatternSubscription"], true);
    let settings = go_configuration("input: {topics: null, sourceSpecs: {t1: {schemaType: JSON}}}");
    assert_eq!(settings["sourceSpecsTopic"], "t1");
    assert_eq!(settings["sourceInputSpecs"]["t1"], r#"{"schemaType":"JSON"}"#);
}

/// The configuration of a Go program as the shell expands it in an environment.
fn go_run(patch: &str, environment: &[(&str, &str)]) -> Value {
    let object = function(&format!("{{java: null, golang: {{go: /pulsar/go}}, {patch}}}"));
    let script = script(main_container(&rendered(&object))).to_owned();
    let (_, program) = script.split_once("echo shardId=${SHARD_ID} && ").unwrap();
    let program = program
        .replace("ls -l /pulsar/go && chmod +x /pulsar/go && ", "")
        .replace("exec /pulsar/go -instance-conf", "printf %s");
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &program]).env_clear().env("SHARD_ID", "0").env("brokerServiceURL", "pulsar://b");
    let output = shell.envs(environment.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn credentials_from_secrets_reach_a_go_program() {
    const TOKEN: &str = "org.apache.pulsar.client.impl.auth.AuthenticationToken";
    let secrets = "pulsar: {pulsarConfig: p, authSecret: a, tlsSecret: t}";
    let found = go_run(
        secrets,
        &[
            ("clientAuthenticationPlugin", TOKEN),
            ("clientAuthenticationParameters", "token:a\"b\\c d\n"),
            ("tlsTrustCertsFilePath", "/etc/tls/ca.crt"),
            ("tlsAllowInsecureConnection", "true"),
            ("tlsHostnameVerificationEnable", "false"),
        ],
    );
    assert_eq!(found["clientAuthenticationPlugin"], TOKEN);
    assert_eq!(found["clientAuthenticationParameters"], "token:a\"b\\c d");
    assert_eq!(found["tlsTrustCertsFilePath"], "/etc/tls/ca.crt");
    assert_eq!(found["tlsAllowInsecureConnection"], true);
    assert_eq!(found["tlsHostnameVerificationEnable"], false);
    // Certificates are verified unless the Secret says otherwise; the instance supports no other plugin.
    let found =
        go_run(secrets, &[("clientAuthenticationPlugin", "Other"), ("clientAuthenticationParameters", "x")]);
    assert_eq!(
        (found.get("clientAuthenticationPlugin"), &found["tlsTrustCertsFilePath"]),
        (None, &json!(""))
    );
    assert_eq!(
        (&found["tlsAllowInsecureConnection"], &found["tlsHostnameVerificationEnable"]),
        (&json!(false), &json!(true))
    );
    let found = go_run("pulsar: {pulsarConfig: p}", &[]);
    assert_eq!(
        (found.get("tlsTrustCertsFilePath"), &found["pulsarServiceURL"]),
        (None, &json!("pulsar://b"))
    );
}

#[test]
fn d044_the_configuration_of_a_go_function_is_json() {
    let configuration = go_configuration(r#"funcConfig: {a: 1, text: "it's $HOME; `id` \"q\""}"#);
    assert_eq!(configuration["userConfig"], r#"{"a":1,"text":"it's $HOME; `id` \"q\""}"#);
}

#[test]
fn d045_a_go_function_gets_all_topics_its_token_and_tls() {
    let configuration = go_configuration(
        "input: {topics: [a, b]}, pulsar: {tlsConfig: {enabled: true, certSecretName: s, certSecretKey: ca.crt}, authConfig: \
         {genericAuth: {clientAuthenticationPlugin: org.apache.pulsar.client.impl.auth.AuthenticationToken, \
         clientAuthenticationParameters: 'token:x'}}}",
    );
    assert_eq!(configuration["sourceSpecsTopic"], "a");
    assert_eq!(configuration["sourceInputSpecs"], json!({"a": "{}", "b": "{}"}));
    assert_eq!(configuration["clientAuthenticationParameters"], "token:x");
    assert_eq!(configuration["tlsTrustCertsFilePath"], "/etc/tls/pulsar-functions/ca.crt");
}
