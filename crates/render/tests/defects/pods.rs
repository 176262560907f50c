//! The pods: quantities, defaults, packages, credentials, volumes, probes, autoscaling.

use crate::common::*;
use functionmesh_render::OperatorConfig;
use functionmesh_render::{Defaults, Environment};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn d008_maps_have_one_order() {
    let secrets = "{secretsMap: {b: {path: s, key: b}, a: {path: s, key: a}, c: {path: s, key: c}}}";
    let common = defaults("{env: {Z: z, Y: y, X: x}}");
    let object = function(secrets);
    let first = rendered_in(&object, &Environment::default(), &common);
    let names: Vec<&str> = env(main_container(&first)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["X", "Y", "Z", "POD_NAME", "a", "b", "c"]);
    for _ in 0..20 {
        assert_eq!(rendered_in(&object, &Environment::default(), &common), first);
    }
}

#[test]
fn d018_one_quantity_has_one_meaning() {
    let of =
        |resources: &str| details(&function(&format!("{{resources: {resources}}}")))["resources"].clone();
    let thousand = of("{requests: {cpu: 1000m, memory: 1024Mi}}");
    assert_eq!(thousand, of("{requests: {cpu: 1, memory: 1Gi}}"));
    assert_eq!(thousand, json!({"cpu": 1, "ram": "1073741824"}));
    let set =
        |cpu: &str| rendered(&function(&format!("{{resources: {{limits: {{cpu: {cpu}}}}}}}"))).stateful_set;
    assert_eq!(set("1000m"), set("1"));
}

#[test]
fn d020_all_of_a_backend_config_counts() {
    let common = defaults(
        "{pod: {securityContext: {runAsUser: 7}, affinity: {nodeAffinity: {}}, serviceAccountName: sa, labels: {app: x, team: a}}}",
    );
    let desired = rendered_in(&function("{}"), &Environment::default(), &common);
    let pod = pod(&desired);
    assert_eq!(pod.security_context.as_ref().unwrap().run_as_user, Some(7));
    assert!(pod.affinity.as_ref().unwrap().node_affinity.is_some());
    assert!(pod.affinity.as_ref().unwrap().pod_anti_affinity.is_some());
    let labels = desired.stateful_set.spec.template.metadata.as_ref().unwrap().labels.as_ref().unwrap();
    assert_eq!((labels["app"].as_str(), labels["team"].as_str()), ("function-mesh", "a"));
    // The object's setting takes precedence.
    let own = function("{pod: {securityContext: {runAsUser: 8}, serviceAccountName: own}}");
    let desired = rendered_in(&own, &Environment::default(), &common);
    assert_eq!(crate::common::pod(&desired).security_context.as_ref().unwrap().run_as_user, Some(8));
    assert_eq!(crate::common::pod(&desired).service_account_name.as_deref(), Some("own"));
    assert_eq!(
        crate::common::pod(&desired).service_account.as_deref(),
        Some("own"),
        "the old name says the same"
    );
}

#[test]
fn mounting_the_token_follows_the_service_account_unless_set() {
    let mounted = |spec: &str, common: &str| {
        let desired = rendered_in(&function(spec), &Environment::default(), &defaults(common));
        crate::common::pod(&desired).automount_service_account_token
    };
    let (none, off) = ("{}", "{pod: {automountServiceAccountToken: false}}");
    assert_eq!(mounted(none, none), None);
    assert_eq!(mounted(off, none), Some(false));
    assert_eq!(mounted(none, off), Some(false));
    assert_eq!(mounted("{pod: {automountServiceAccountToken: true}}", off), Some(true));
}

#[test]
fn d022_the_autoscaler_has_the_name_of_what_it_scales() {
    let desired = rendered(&function("{maxReplicas: 3}"));
    let autoscaler = desired.horizontal_autoscaler.unwrap();
    assert_eq!(autoscaler.metadata.name, desired.stateful_set.metadata.name);
    assert_eq!(autoscaler.spec.scale_target_ref.name, "fn");
}

#[test]
fn d025_the_object_has_a_pull_policy() {
    let always = function("{imagePullPolicy: Always}");
    assert_eq!(main_container(&rendered(&always)).image_pull_policy.as_deref(), Some("Always"));
    let environment = Environment { image_pull_policy: Some("Never".to_owned()), ..Environment::default() };
    let desired = rendered_in(&always, &environment, &Defaults::default());
    assert_eq!(main_container(&desired).image_pull_policy.as_deref(), Some("Never"));
    assert_eq!(problems(&function("{imagePullPolicy: Sometimes}")), ["spec.imagePullPolicy"]);
}

#[test]
fn d046_the_generic_runtime_downloads_with_an_init_container() {
    let object = function(
        "{java: null, genericRuntime: {functionFile: f.zip, functionFileLocation: 'function://a/b/c', language: nodejs}}",
    );
    let desired = rendered_in(&object, &with_init_containers(), &Defaults::default());
    let downloader = container(&desired, "downloader");
    assert!(script(downloader).ends_with("packages download function://a/b/c --path /pulsar/download/f.zip"));
    let mounts: Vec<&str> =
        main_container(&desired).volume_mounts.iter().flatten().map(|m| m.name.as_str()).collect();
    let volumes: Vec<&str> = pod(&desired).volumes.iter().flatten().map(|v| v.name.as_str()).collect();
    assert_eq!((mounts, volumes), (vec!["downloader-volume"], vec!["downloader-volume"]));
    assert!(script(main_container(&desired)).contains("--function_file /pulsar/f.zip "));
}

#[test]
fn d047_a_package_of_the_image_stays_where_it_is() {
    let desired =
        rendered_in(&function("{java: {jar: /opt/x.jar}}"), &with_init_containers(), &Defaults::default());
    assert!(script(main_container(&desired)).contains("--jar /opt/x.jar "));
}

#[test]
fn d048_tools_are_found_in_configured_images_too() {
    let object = function("{java: {jarLocation: 'function://a/b/c'}}");
    let mut environment = Environment::default();
    OperatorConfig::parse("runnerImages: {java: mirror/pulsar-functions-pulsarctl-java-runner:1}")
        .unwrap()
        .apply(&mut environment);
    let desired = rendered_in(&object, &environment, &Defaults::default());
    assert!(script(main_container(&desired)).contains(" && pulsarctl --admin-service-url"));
    let desired = rendered(&object);
    assert!(script(main_container(&desired)).starts_with("/pulsar/bin/pulsar-admin --admin-url"));
    let desired = rendered(&function("{java: {jarLocation: 'http://h/a.jar?x=1&y=2'}}"));
    let want = " && fetch 'http://h/a.jar?x=1&y=2' /pulsar/a.jar && ";
    assert!(script(main_container(&desired)).contains(want));
}

#[test]
fn d049_every_container_has_its_own_environment() {
    let object = function("{pod: {sidecars: [{name: side, env: [{name: OWN, value: '1'}]}]}}");
    let common = defaults("{env: {A: a, B: b, C: c, OWN: no}}");
    let desired = rendered_in(&object, &Environment::default(), &common);
    assert_eq!(env(container(&desired, "side")), [("A", "a"), ("B", "b"), ("C", "c"), ("OWN", "1")]);
    let names: BTreeSet<&str> = env(main_container(&desired)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["A", "B", "C", "OWN", "POD_NAME"].into());
}

#[test]
fn d050_the_log_is_not_lost_in_silence() {
    let patch = |parameters: &str| {
        format!(
            "{{logTopic: t, logTopicAgent: sidecar, pulsar: {{authConfig: {{genericAuth: {{clientAuthenticationPlugin: \
             org.apache.pulsar.client.impl.auth.oauth2.AuthenticationOAuth2, clientAuthenticationParameters: '{parameters}'}}}}}}}}"
        )
    };
    let field = "spec.pulsar.authConfig.genericAuth.clientAuthenticationParameters";
    assert_eq!(problems(&function(&patch("no json"))), [field]);
    let desired = rendered(&function(&patch(r#"{"issuerUrl": "i", "privateKey": "p"}"#)));
    let variables = env(container(&desired, "filebeat"));
    assert!(variables.contains(&("oauth2IssuerUrl", "i")) && variables.contains(&("oauth2PrivateKey", "p")));
}

#[test]
fn d052_texts_in_the_credentials_are_escaped() {
    let object = function(
        r#"{pulsar: {authConfig: {oauth2Config: {audience: 'a"b', issuerUrl: 'i\', keySecretName: s, keySecretKey: k}}}}"#,
    );
    let desired = rendered(&object);
    let script = script(main_container(&desired));
    let text = script.split_once("--client_auth_params '").unwrap().1.split_once("' --use_tls").unwrap().0;
    let parameters: Value = serde_json::from_str(text).unwrap();
    assert_eq!((&parameters["audience"], &parameters["issuerUrl"]), (&json!("a\"b"), &json!("i\\")));
}

/// D.2 as well: TLS and OAuth 2 from one key of one Secret.
#[test]
fn d053_volumes_have_names_of_their_own() {
    let same = function(
        "{pulsar: {tlsConfig: {enabled: true, certSecretName: s, certSecretKey: k}, authConfig: {oauth2Config: \
         {audience: a, issuerUrl: i, keySecretName: s, keySecretKey: k}}}}",
    );
    let desired = rendered(&same);
    let volumes = pod(&desired).volumes.as_ref().unwrap();
    assert_eq!(volumes.iter().filter(|v| v.name == "s-k").count(), 1);
    let paths: Vec<&str> = main_container(&desired)
        .volume_mounts
        .iter()
        .flatten()
        .filter(|m| m.name == "s-k")
        .map(|m| m.mount_path.as_str())
        .collect();
    assert_eq!(paths, ["/etc/tls/pulsar-functions", "/etc/oauth2"]);
    // Two Secrets whose names differ only in characters that a volume name cannot have.
    let other = function(
        "{pulsar: {tlsConfig: {certSecretName: a.b, certSecretKey: k}, authConfig: {oauth2Config: \
         {audience: a, issuerUrl: i, keySecretName: a-b, keySecretKey: k}}}}",
    );
    let desired = rendered(&other);
    let names: Vec<&str> = pod(&desired).volumes.iter().flatten().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["a-b-k", "a-b-k-2", "cm-java-log-conf"]);
    let mounts: Vec<&str> =
        main_container(&desired).volume_mounts.iter().flatten().map(|m| m.name.as_str()).collect();
    assert_eq!(mounts, names);
}

/// The Go operator's pod is always refused.
#[test]
fn d053_two_keys_at_one_path_are_refused() {
    let secrets = |a: &str, b: &str| {
        let secret = |key: &str| format!("{{secretName: s, secretKey: {key}, asVolume: /keys}}");
        function(&format!(
            "{{input: {{sourceSpecs: {{t: {{cryptoConfig: {{cryptoKeyReaderClassName: C, cryptoSecrets: [{}, {}]}}}}}}}}}}",
            secret(a),
            secret(b)
        ))
    };
    assert_eq!(problems(&secrets("a", "b")), ["spec.*.cryptoConfig.cryptoSecrets.asVolume"]);
    assert!(problems(&secrets("a", "a")).is_empty());
}

#[test]
fn d056_names_are_not_escaped_for_html() {
    let object = function(
        "{java: null, python: {py: a.py, log: {rotatePolicy: SizedPolicyWith10MB}}, name: \"a&b'c%\"}",
    );
    let desired = rendered(&object);
    let script = script(main_container(&desired));
    assert!(script.contains(r#"args=('"'"'logs/functions/a&b\'"'"'c%%.log'"'"', "#), "{script}");
}

#[test]
fn d057_readiness_is_probed_and_memory_without_a_limit_is_the_business_of_the_jvm() {
    let desired = rendered(&function("{}"));
    assert!(main_container(&desired).readiness_probe.is_some());
    assert!(!script(main_container(&desired)).contains("MaxDirectMemorySize"));
}

#[test]
fn r012_behavior_alone_leaves_the_metrics_to_the_api_server() {
    let behavior =
        "{maxReplicas: 3, pod: {autoScalingBehavior: {scaleDown: {stabilizationWindowSeconds: 1}}}}";
    let spec = rendered(&function(behavior)).horizontal_autoscaler.unwrap().spec;
    assert_eq!((spec.metrics, spec.behavior.is_some()), (None, true));
}

#[test]
fn r016_a_presigned_address_is_one_argument() {
    let location = "https://h/a.jar?X-Expires=900&X-Sig=a%2Fb";
    for environment in [Environment::default(), with_init_containers()] {
        let object = function(&format!("{{imageHasGet: true, java: {{jarLocation: '{location}'}}}}"));
        let desired = rendered_in(&object, &environment, &Defaults::default());
        let name = if environment.init_containers { "downloader" } else { "pulsar-function" };
        let text = script(container(&desired, name));
        assert!(text.starts_with(&format!("wget '{location}' -O ")), "{text}");
    }
}
