//! The Java instance: its command (behaviour reference 3.3).

use crate::instance::builtin_connectors::{Builtin, builtin};
use crate::instance::command::{arguments_with, instance_arguments, state_arguments};
use crate::instance::log4j::Log4j;
use crate::text::quantity::{Decimal, decimal_si};
use crate::text::shell::{quote, words};
use crate::workload::Log;
use crate::workload::Workload;
use functionmesh_api::runtime::JavaRuntime;
use serde_json::Value;

/// Where the instance is in a runner image.
const INSTANCE: &str = "/pulsar/instances/java-instance.jar";
/// Libraries that a log configuration in YAML needs in the root class loader.
const YAML_LIBRARIES: &str = "$(echo /pulsar/lib/com.fasterxml.jackson.dataformat-jackson-dataformat-yaml-*.jar):\
                              $(echo /pulsar/lib/org.yaml-snakeyaml-*.jar)";
const MAIN_CLASS: &str = "org.apache.pulsar.functions.instance.JavaInstanceMain";
const SECRETS_PROVIDER: &str = "org.apache.pulsar.functions.secretsprovider.EnvironmentBasedSecretsProvider";

/// A Java program with everything about it checked.
#[derive(Clone, Debug)]
pub(crate) struct Java {
    instance: String,
    extra_dependencies: Option<String>,
    entry_class: String,
    /// Already split and quoted for the shell.
    options: String,
    /// Name of the log file, without the ordinal.
    log_file: String,
    pub(crate) log: Log4j,
    extras: JavaExtras,
}

/// Arguments that only one kind of component has.
#[derive(Clone, Debug, Default)]
pub(crate) struct JavaExtras {
    /// Most asynchronous results that may be pending.
    pub(crate) pending_async_requests: Option<i32>,
}

impl Java {
    /// Reads `spec.java`.
    pub(crate) fn lower(java: &JavaRuntime, pulsar_name: &str, log: &Log, extras: JavaExtras) -> Self {
        // Text that is no list of words, as a quote in it is not closed, is one word.
        let mut options: Vec<String> = java
            .java_opts
            .iter()
            .flatten()
            .map(|option| words(option).unwrap_or_else(|_| quote(option)))
            .collect();
        options.retain(|words| !words.is_empty());
        let or = |value: &Option<String>, default: &str| {
            value.clone().filter(|v| !v.is_empty()).unwrap_or_else(|| default.to_owned())
        };
        Self {
            instance: or(&java.instance_path, INSTANCE),
            extra_dependencies: java.extra_dependencies_dir.clone().filter(|d| !d.is_empty()),
            entry_class: or(&java.entry_class, MAIN_CLASS),
            options: options.join(" "),
            log_file: pulsar_name.to_owned(),
            log: Log4j::lower(java.log.as_ref(), log),
            extras,
        }
    }

    /// The part of the command that prepares and runs the instance.
    pub(crate) fn script(&self, workload: &Workload, file: &str) -> String {
        let mut run = vec!["exec java -cp".to_owned(), self.class_path()];
        run.extend(self.jvm_options(workload));
        run.push(quote(&self.entry_class));
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
        run.extend(self.extras.pending_async_requests.map(|n| format!("--pending_async_requests {n}")));
        let connectors = builtin.map(|builtin| builtin.preparation).unwrap_or_default();
        format!("{}{connectors}{}", self.log.preparation(), run.join(" "))
    }

    fn class_path(&self) -> String {
        let extra = self.extra_dependencies.as_ref().map(|dir| format!(":{}", quote(&format!("{dir}/*"))));
        format!("{}:{YAML_LIBRARIES}{}", quote(&self.instance), extra.unwrap_or_default())
    }

    /// Whether the user chose a garbage collector, by an option or by a variable that the JVM reads options from.
    fn names_collector(&self, workload: &Workload) -> bool {
        let names = |options: &str| {
            let word = |c: char| !c.is_ascii_alphanumeric();
            let mut found = options.split("-XX:+Use").skip(1);
            found.any(|rest| rest.split(word).next().is_some_and(|name| name.ends_with("GC")))
        };
        let read = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"];
        let variables = workload.pod.env.iter().flatten().filter(|v| read.contains(&v.name.as_str()));
        names(&self.options) || variables.filter_map(|v| v.value.as_deref()).any(names)
    }

    fn jvm_options(&self, workload: &Workload) -> Vec<String> {
        let mut options = vec![
            quote("-Dpulsar.functions.instance.classpath=/pulsar/lib/*"),
            format!("-Dlog4j.configurationFile={}", self.log.path()),
            "-Dpulsar.function.log.dir=logs/functions".to_owned(),
            format!("-Dpulsar.function.log.file={}-${{SHARD_ID}}", quote(&self.log_file)),
            "-Dpulsar.allocator.exit_on_oom=true".to_owned(),
        ];
        if let Some(level) = self.log.level {
            options.push(format!("-Dpulsar.log.level={level} -Dbk.log.level={level}"));
        }
        options.push("-XX:MaxRAMPercentage=70".to_owned());
        options.extend(direct_memory(workload).map(|size| format!("-XX:MaxDirectMemorySize={size}")));
        // The JVM refuses to start with two.
        if !self.names_collector(workload) {
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
        if !self.options.is_empty() {
            options.push(self.options.clone());
        }
        options
    }
}

/// Whether the configuration of a connector has a value such as `${NAME}`: the instance puts the variable of that name in its
/// place if it has the provider of secrets that reads the environment, wherever the variable comes from.
fn refers_to_variables(workload: &Workload) -> bool {
    fn refers(value: &Value) -> bool {
        match value {
            Value::String(text) => text.len() > 3 && text.starts_with("${") && text.ends_with('}'),
            // The instance looks into objects, and not into lists.
            Value::Object(map) => map.values().any(refers),
            _ => false,
        }
    }
    let details = &workload.details;
    let configs = [&details.source.configs, &details.sink.configs];
    configs.into_iter().flatten().filter_map(|text| serde_json::from_str(text).ok()).any(|v| refers(&v))
}

/// A fifth of the memory limit; without a limit the JVM decides (design section 3).
fn direct_memory(workload: &Workload) -> Option<String> {
    let limit = workload.resources.as_ref()?.limits.as_ref()?.get("memory")?;
    let bytes = Decimal::parse(&limit.0)?.ceiling();
    (bytes > 0).then(|| decimal_si(bytes / 5))
}
