//! The script in a real shell: what an instance receives, also after the Secret is renewed.

use super::{COPY, DIRECTORY, KEY, PARAMETERS, following};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A folder in place of the mount and of the memory, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("follow-token-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Runs a command in place of the instance.
    fn shell(&self, plugin: &str, parameters: &str, run: &str) -> Command {
        let text = following().replace(DIRECTORY, &self.0.display().to_string());
        let text = text.replace(COPY, &self.copy().display().to_string()).replace("-rt 30", "-rt 0.1");
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("{text}exec {run}")]).env_clear().env("PATH", "/usr/bin:/bin");
        shell.env("clientAuthenticationPlugin", plugin).env(KEY, parameters);
        shell
    }

    fn renew(&self, text: &str) {
        fs::write(self.0.join(KEY), text).unwrap();
    }

    fn copy(&self) -> PathBuf {
        self.0.join("copy")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const PLUGIN: &str = "org.apache.pulsar.client.impl.auth.AuthenticationToken";

#[test]
fn a_token_becomes_a_file_that_follows_the_secret() {
    let folder = Folder::new("renewed");
    folder.renew("token:first\n");
    let mut instance = folder
        .shell(PLUGIN, "token:first", &format!("sh -c 'echo {PARAMETERS}; sleep 60'"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let until = |want: &str| {
        let begin = Instant::now();
        while fs::read_to_string(folder.copy()).ok().as_deref() != Some(want) {
            assert!(begin.elapsed() < Duration::from_secs(20), "{want} did not come");
            std::thread::yield_now();
        }
    };
    until("first");
    folder.renew("token:second");
    until("second");
    // A value that is not a token does not replace the existing token.
    folder.renew("");
    folder.renew("token:third");
    until("third");
    instance.kill().unwrap();
    instance.wait().unwrap();
}

#[test]
fn an_instance_gets_the_file_or_what_it_got_before() {
    for (plugin, parameters, file) in [
        (PLUGIN, "token:a b", true),
        ("token", "token:a", true),
        (PLUGIN, "file:///mnt/token", false),
        (PLUGIN, r#"{"token":"a"}"#, false),
        ("org.example.Other", "token:a", false),
        ("", "token:a", false),
    ] {
        let folder = Folder::new(&format!("{}{}", plugin.len(), parameters.len()));
        folder.renew(parameters);
        let output =
            folder.shell(plugin, parameters, &format!("printf %s \"${PARAMETERS}\"")).output().unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        let want = if file { format!("file://{}", folder.copy().display()) } else { parameters.to_owned() };
        assert_eq!(found, want, "{plugin} {parameters}: {}", String::from_utf8_lossy(&output.stderr));
        if file {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(folder.copy()).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    let folder = Folder::new("nothing");
    let output = folder.shell(PLUGIN, "token:a", &format!("printf %s \"${PARAMETERS}\"")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "token:a", "the key is not mounted");
}
