//! Conditions for an instance to start and keep running: JVM options, paths, variables, helper containers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod common;

use common::*;
use functionmesh_render::OperatorConfig;
use functionmesh_render::{Defaults, Environment};
use serde_json::Value;

fn command(patch: &str) -> String {
    script(main_container(&rendered(&function(patch)))).to_owned()
}

#[test]
fn the_jvm_gets_one_garbage_collector() {
    assert!(command("{}").contains(" -XX:+UseG1GC "));
    for patch in [
        "{java: {javaOpts: ['-XX:+UseZGC']}}",
        "{java: {javaOpts: ['-Xss1m -XX:+UseParallelGC']}}",
        "{pod: {env: [{name: JAVA_TOOL_OPTIONS, value: '-XX:+UseSerialGC'}]}}",
    ] {
        assert!(!command(patch).contains("UseG1GC"), "{patch}");
    }
    let other = "{java: {javaOpts: ['-XX:+UseStringDeduplication -XX:-UseGCOverheadLimit']}}";
    assert!(command(other).contains("UseG1GC"));
}

#[test]
fn connectors_get_variables_that_come_from_anywhere() {
    let provider =
        "--secrets_provider org.apache.pulsar.functions.secretsprovider.EnvironmentBasedSecretsProvider";
    for (config, given) in [
        ("{k: '${PASSWORD}'}", true),
        ("{deep: {k: '${PASSWORD}'}}", true),
        ("{k: 'x${PASSWORD}', l: ['${PASSWORD}'], m: '${}'}", false),
    ] {
        let sink = object(
            "Sink",
            &format!("{{sinkConfig: {config}, pod: {{env: [{{name: PASSWORD, value: x}}]}}}}"),
        );
        assert_eq!(script(main_container(&rendered(&sink))).contains(provider), given, "{config}");
    }
}

#[test]
fn a_relative_path_is_below_pulsar_wherever_it_comes_from() {
    for location in ["", ", @Location: 'function://a/b/c'", ", @Location: 'https://h/x'"] {
        for (runtime, field, start) in [
            ("java", "jar", " --jar @app "),
            ("python", "py", " --py @app "),
            ("golang", "go", "exec /pulsar/app "),
        ] {
            let location = location.replace('@', field);
            let patch = format!("{{java: null, className: a.B, {runtime}: {{{field}: app{location}}}}}");
            for environment in [Environment::default(), with_init_containers()] {
                let desired = rendered_in(&function(&patch), &environment, &Defaults::default());
                let command = script(main_container(&desired));
                let folder = if environment.init_containers { "/pulsar/" } else { "" };
                assert!(command.contains(&start.replace('@', folder)), "{command}");
                assert_eq!(command.starts_with("cd /pulsar/ && "), start.contains('@') && folder.is_empty());
            }
        }
    }
    let generic = "{java: null, genericRuntime: {functionFile: ./app, language: nodejs}}";
    let generic = command(generic);
    assert!(
        generic.starts_with("cd /pulsar/ && ") && generic.contains("--function_file ./app "),
        "{generic}"
    );
}

#[test]
fn a_python_program_starts_on_images_that_cannot_be_changed() {
    let command = command("{java: null, className: a.B, python: {py: a.py, installDependencies: false}}");
    assert!(command.contains("log.py 2> /dev/null || true; }"), "{command}");
    assert!(command.contains("then python=python3; fi && exec ${python} "), "{command}");
    assert!(!command.contains("--install_usercode_dependencies"), "{command}");
}

/// dash does not export variables whose names are not valid in a shell.
#[test]
fn secrets_of_any_name_reach_a_generic_program() {
    let patch = "{java: null, genericRuntime: {functionFile: a, language: nodejs}, secretsMap: {my-key: {path: s, key: k}, OK: {path: s, key: k}}, \
                 pod: {env: [{name: a.b, value: c d}]}}";
    let desired = rendered(&function(patch));
    let container = main_container(&desired);
    let want = r#"exec env a.b="$FUNCTION_VARIABLE_0" my-key="$FUNCTION_VARIABLE_1" pulsar_rust_instance "#;
    assert!(script(container).contains(want), "{}", script(container));
    let find = |name: &str| container.env.iter().flatten().find(|v| v.name == name).unwrap();
    assert_eq!(find("FUNCTION_VARIABLE_0").value.as_deref(), Some("c d"));
    assert_eq!(find("FUNCTION_VARIABLE_1").value_from, find("my-key").value_from);
    for shell in ["dash", "bash", "sh"] {
        let program = script(container).split_once("exec ").unwrap().1.split_once(" pulsar_rust").unwrap().0;
        let mut run = std::process::Command::new(shell);
        run.args(["-c", &format!("exec {program}")]).env_clear().env("PATH", "/usr/bin:/bin");
        run.env("FUNCTION_VARIABLE_0", "c d").env("FUNCTION_VARIABLE_1", "secret");
        let Ok(output) = run.output() else { continue };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("a.b=c d\n") && text.contains("my-key=secret\n"), "{shell}: {text}");
    }
}

#[test]
fn containers_beside_the_main_one_are_as_configured() {
    let mut environment = with_init_containers();
    let config = "downloader: {image: r/d, imagePullPolicy: Always, resources: {requests: {cpu: 0.1}, limits: {memory: 64Mi}}}\n\
                  filebeat: {image: r/f, resources: {requests: {cpu: 5m}}}\nrunnerImagePullSecrets: [{name: registry}]\n";
    OperatorConfig::parse(config).unwrap().apply(&mut environment);
    let object = |own: &str| {
        function(&format!(
            "{{java: {{jarLocation: 'https://h/a.jar'}}, logTopic: l, logTopicAgent: sidecar{own}}}"
        ))
    };
    let desired = rendered_in(&object(""), &environment, &Defaults::default());
    let (downloader, filebeat) = (container(&desired, "downloader"), container(&desired, "filebeat"));
    let resources = |container: &k8s_openapi::api::core::v1::Container| -> Value {
        serde_json::to_value(container.resources.clone()).unwrap()
    };
    assert_eq!(
        (downloader.image.as_deref(), downloader.image_pull_policy.as_deref()),
        (Some("r/d"), Some("Always"))
    );
    assert_eq!(
        resources(downloader),
        serde_json::json!({"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}})
    );
    // The tools in other images are unknown.
    assert!(script(downloader).contains("&& fetch https://h/a.jar /pulsar/download/a.jar"));
    assert_eq!(
        (filebeat.image.as_deref(), filebeat.image_pull_policy.as_deref()),
        (Some("r/f"), Some("IfNotPresent"))
    );
    assert_eq!(resources(filebeat), serde_json::json!({"requests": {"cpu": "5m"}}));
    assert_eq!(pod(&desired).image_pull_secrets.as_ref().unwrap()[0].name, "registry");
    let desired = rendered_in(
        &object(", downloaderImage: own/d, filebeatImage: own/f"),
        &environment,
        &Defaults::default(),
    );
    assert_eq!(container(&desired, "downloader").image.as_deref(), Some("own/d"));
    assert_eq!(container(&desired, "filebeat").image.as_deref(), Some("own/f"));
}
