//! Runs a container's command as the kubelet and a shell would, with programs that only record their calls.

use k8s_openapi::api::core::v1::Container;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Records its calls. Programs are links to it: a file that this process has just written could still be open for writing in a
/// child of another thread, and would not start ("text file busy").
const STUB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/surface/stub.sh");
const UNZIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/surface/unzip.sh");
const MKTEMP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/surface/mktemp.sh");
/// The paths that containers use, and the corresponding paths relative to the working directory. The paths are replaced in the
/// text of the command: changing the root directory would require permissions that a test does not have.
const FOLDERS: [(&str, &str); 2] = [("/pulsar/", "../pulsar/"), ("/usr/share/filebeat/", "../filebeat/")];
/// The content of the ConfigMap and the Secrets: text that breaks unless it is quoted.
const SERVICE: [(&str, &str); 7] = [
    ("webServiceURL", "http://web:8080/ a"),
    ("brokerServiceURL", "pulsar://broker:6650/ 'b'"),
    ("clientAuthenticationPlugin", "org.example.Plugin $HOME"),
    ("clientAuthenticationParameters", "{\"a\": \"b  c\"}"),
    ("tlsAllowInsecureConnection", "true"),
    ("tlsHostnameVerificationEnable", "false"),
    ("tlsTrustCertsFilePath", "/etc/tls/a b*"),
];

/// A program with its arguments, or a variable of a container.
pub(crate) type Record = Vec<String>;

/// A folder in place of the container's file system; removed at the end.
pub(crate) struct Sandbox(PathBuf);

impl Sandbox {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("sandbox-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        for folder in ["bin", "pulsar/bin", "pulsar/instances/python-instance", "filebeat/config"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("pulsar/instances/python-instance/log.py"), "").unwrap();
        let sandbox = Self(root);
        for program in ["java", "python", "curl", "wget", "pulsarctl", "pulsar_rust_instance", "sleep"] {
            sandbox.add_program(&format!("bin/{program}"));
        }
        sandbox.add_program("pulsar/bin/pulsar-admin");
        symlink(UNZIP, sandbox.0.join("bin/unzip")).unwrap();
        symlink(MKTEMP, sandbox.0.join("bin/mktemp")).unwrap();
        for connector in ["kafka", "jdbc"] {
            sandbox.add_connector(connector);
        }
        sandbox.add_program("filebeat/filebeat");
        sandbox
    }

    /// Adds a program at a path.
    pub(crate) fn add_program(&self, path: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !path.exists() {
            symlink(STUB, &path).unwrap();
        }
    }

    /// Adds a connector to those that the image brings.
    fn add_connector(&self, name: &str) {
        let archive = self.0.join(format!("pulsar/connectors/pulsar-io-{name}-1.nar"));
        let content = archive.with_extension("nar.content").join("META-INF");
        fs::create_dir_all(content.join("services")).unwrap();
        fs::create_dir_all(content.join("bundled-dependencies")).unwrap();
        fs::write(content.join(format!("bundled-dependencies/{name}.jar")), "").unwrap();
        let about = format!(
            "name: {name}\nsourceClass: org.example.{name}.Source\nsinkClass: org.example.{name}.Sink\n"
        );
        fs::write(content.join("services/pulsar-io.yaml"), about).unwrap();
        fs::write(archive, "").unwrap();
    }

    /// Runs the command of a container; returns the variables that it sets and the programs that were run.
    pub(crate) fn run(&self, container: &Container) -> Result<Vec<Record>, String> {
        self.run_with(container, &SERVICE)
    }

    /// As [`Sandbox::run`] with other content of the ConfigMap and the Secrets.
    pub(crate) fn run_with(
        &self,
        container: &Container,
        service: &[(&str, &str)],
    ) -> Result<Vec<Record>, String> {
        let environment = environment(container, service);
        let own = container.env.iter().flatten().map(|variable| {
            vec![
                format!("variable of {}", container.name),
                variable.name.clone(),
                environment[&variable.name].clone(),
            ]
        });
        let mut records: Vec<Record> = own.collect();
        let command: Vec<String> =
            container.command.iter().flatten().map(|part| here(&expand(part, &environment))).collect();
        let dump = self.0.join("dump");
        fs::write(&dump, "").unwrap();
        let output = Command::new(&command[0])
            .args(&command[1..])
            .current_dir(self.0.join("pulsar"))
            .env_clear()
            .envs(&environment)
            .env("PATH", format!("{}:/usr/bin:/bin", self.0.join("bin").display()))
            .env("HOME", "/nowhere")
            .env("DUMP_FILE", &dump)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", container.name))?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {}: {error}", container.name, output.status));
        }
        records.extend(read(&fs::read_to_string(&dump).unwrap()));
        Ok(records)
    }

    /// Whether a file of this name is anywhere.
    pub(crate) fn has_file(&self, name: &str) -> bool {
        fn find(folder: &Path, name: &str) -> bool {
            fs::read_dir(folder).unwrap().map(Result::unwrap).any(|entry| {
                entry.file_name() == name
                    || (entry.file_type().unwrap().is_dir() && find(&entry.path(), name))
            })
        }
        find(&self.0, name)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The remaining records are below the target folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Text with the container's paths replaced by those of the sandbox.
fn here(text: &str) -> String {
    FOLDERS.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
}

/// The records of the programs, with the paths of the container.
fn read(dump: &str) -> Vec<Record> {
    let mut records = Vec::new();
    let mut parts = dump.split_terminator('\0');
    while let Some(count) = parts.next() {
        let count: usize = count.parse().unwrap();
        let there = |text: &str| {
            FOLDERS.iter().fold(text.to_owned(), |text, (there, here)| text.replace(here, there))
        };
        records.push(parts.by_ref().take(count + 1).map(there).collect());
    }
    records
}

/// The variables of a container, as the kubelet resolves them from their sources.
fn environment(container: &Container, service: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        environment
            .extend(service.iter().map(|(key, value)| (format!("{prefix}{key}"), (*value).to_owned())));
    }
    for variable in container.env.iter().flatten() {
        let field = variable.value_from.as_ref().map(|from| from.field_ref.is_some());
        let value = match (&variable.value, field) {
            (Some(value), _) => expand(value, &environment),
            (None, Some(true)) => "enrich-function-3".to_owned(),
            (None, _) => "secret $HOME".to_owned(),
        };
        environment.insert(variable.name.clone(), value);
    }
    environment
}

/// What the kubelet does to commands and to values of variables: `$(NAME)` is the value of a variable, if there is one,
/// and `$$` is `$`.
fn expand(text: &str, environment: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let reference = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        match reference.and_then(|(name, after)| Some((environment.get(name)?, after))) {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => out.push('$'),
        }
    }
    out + rest
}

#[test]
fn expansion_is_the_kubelet_s() {
    let environment = BTreeMap::from([("A".to_owned(), "a".to_owned())]);
    for (text, want) in [
        ("$(A)", "a"),
        ("$$(A)", "$(A)"),
        ("$$$(A)$", "$a$"),
        ("$(B) $A ${A} $(A", "$(B) $A ${A} $(A"),
        ("$$$$", "$$"),
    ] {
        assert_eq!(expand(text, &environment), want, "{text}");
    }
}
