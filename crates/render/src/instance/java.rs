//! The command of a Java instance.

use crate::instance::arguments::{arguments_with, instance_arguments, state_arguments};
use crate::instance::builtin_connectors::{Builtin, builtin};
use crate::instance::runtime::Java;
use crate::text::quantity::{Decimal, decimal_si};
use crate::text::shell::quote;
use crate::workload::Workload;
use serde_json::Value;

/// Libraries that a log configuration in YAML needs in the root class loader.
const YAML_LIBRARIES: &str = "$(echo /pulsar/lib/com.fasterxml.jackson.dataformat-jackson-dataformat-yaml-*.jar):\
                              $(echo /pulsar/lib/org.yaml-snakeyaml-*.jar)";
const SECRETS_PROVIDER: &str = "org.apache.pulsar.functions.secretsprovider.EnvironmentBasedSecretsProvider";

/// The part of the command that prepares and runs the instance.
pub(crate) fn script(java: &Java, workload: &Workload, file: &str) -> String {
    let mut run = vec!["exec java -cp".to_owned(), class_path(java)];
    run.extend(jvm_options(java, workload));
    run.push(quote(&java.entry_class));
    let builtin = builtin(workload, file);
    match &builtin {
        None => {
            run.push(format!("--jar {}", quote(file)));
            run.extend(instance_arguments(workload));
        }
        Some(Builtin { details, jars, .. }) => {
            run.push(jars.clone());
            run.extend(arguments_with(workload, details));
        }
    }
    if !workload.secrets.is_empty() || refers_to_variables(workload) {
        run.push(format!("--secrets_provider {SECRETS_PROVIDER}"));
    }
    run.extend(state_arguments(workload));
    let provider = workload.state.as_ref().and_then(|state| state.java_class.as_ref());
    run.extend(provider.map(|class| format!("--state_storage_impl_class {}", quote(class))));
    run.extend(java.extras.pending_async_requests.map(|n| format!("--pending_async_requests {n}")));
    let connectors = builtin.map(|builtin| builtin.preparation).unwrap_or_default();
    format!("{}{connectors}{}", java.log.preparation(), run.join(" "))
}

fn class_path(java: &Java) -> String {
    let extra = java.extra_dependencies.as_ref().map(|dir| format!(":{}", quote(&format!("{dir}/*"))));
    format!("{}:{YAML_LIBRARIES}{}", quote(&java.instance), extra.unwrap_or_default())
}

/// Whether the user selected a garbage collector, in an option or in a variable that the JVM reads options from.
fn names_collector(java: &Java, workload: &Workload) -> bool {
    let names = |options: &str| {
        let word = |c: char| !c.is_ascii_alphanumeric();
        let mut found = options.split("-XX:+Use").skip(1);
        found.any(|rest| rest.split(word).next().is_some_and(|name| name.ends_with("GC")))
    };
    let read = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"];
    let variables = workload.pod.env.iter().flatten().filter(|v| read.contains(&v.name.as_str()));
    names(&java.options) || variables.filter_map(|v| v.value.as_deref()).any(names)
}

fn jvm_options(java: &Java, workload: &Workload) -> Vec<String> {
    let mut options = vec![
        quote("-Dpulsar.functions.instance.classpath=/pulsar/lib/*"),
        format!("-Dlog4j.configurationFile={}", java.log.path()),
        "-Dpulsar.function.log.dir=logs/functions".to_owned(),
        format!("-Dpulsar.function.log.file={}-${{SHARD_ID}}", quote(&java.log_file)),
        "-Dpulsar.allocator.exit_on_oom=true".to_owned(),
    ];
    if let Some(level) = java.log.level {
        options.push(format!("-Dpulsar.log.level={level} -Dbk.log.level={level}"));
    }
    options.push("-XX:MaxRAMPercentage=70".to_owned());
    options.extend(direct_memory(workload).map(|size| format!("-XX:MaxDirectMemorySize={size}")));
    // The JVM does not start with two collectors.
    if !names_collector(java, workload) {
        options.push("-XX:+UseG1GC".to_owned());
    }
    options.extend(
        [
            "-XX:+HeapDumpOnOutOfMemoryError",
            "-XX:HeapDumpPath=/pulsar/tmp/heapdump-%p.hprof",
            "-XX:+ExitOnOutOfMemoryError",
        ]
        .map(str::to_owned),
    );
    options.push(quote("-Xlog:gc*:file=/pulsar/logs/gc.log:time,level,tags:filecount=5,filesize=10M"));
    if !java.options.is_empty() {
        options.push(java.options.clone());
    }
    options
}
/// Whether the configuration of a connector has a value such as `${NAME}`, which the instance replaces by the
/// environment variable if it has the secrets provider that reads the environment.
fn refers_to_variables(workload: &Workload) -> bool {
    fn refers(value: &Value) -> bool {
        match value {
            Value::String(text) => text.len() > 3 && text.starts_with("${") && text.ends_with('}'),
            // The instance replaces values in objects, not in lists.
            Value::Object(map) => map.values().any(refers),
            _ => false,
        }
    }
    let details = &workload.details;
    let configs = [&details.source.configs, &details.sink.configs];
    configs.into_iter().flatten().filter_map(|text| serde_json::from_str(text).ok()).any(|v| refers(&v))
}

/// A fifth of the memory limit; without a limit, the JVM's default applies.
fn direct_memory(workload: &Workload) -> Option<String> {
    let limit = workload.resources.as_ref()?.limits.as_ref()?.get("memory")?;
    let bytes = Decimal::parse(&limit.0)?.ceiling();
    (bytes > 0).then(|| decimal_si(bytes / 5))
}
