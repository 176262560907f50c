//! The package of a component: its path in the container and its download location.

use crate::instance::admin_cli::{Admin, AdminTool};
use crate::instance::pulsar_connection::Messaging;
use crate::text::shell::quote;

/// Pulsar's home directory in the runner images, and their working directory.
const HOME: &str = "/pulsar/";
/// Where the init container downloads to.
pub(crate) const DOWNLOADS: &str = "/pulsar/download";

/// A package.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// Its path as the user wrote it, possibly relative to `/pulsar`.
    pub(crate) file: String,
    /// Where to download it from; `None` if the image contains it.
    pub(crate) location: Option<String>,
}

/// Download tools in an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tools {
    pub(crate) admin: AdminTool,
    pub(crate) wget: bool,
}

impl Tools {
    /// All of them.
    pub(crate) const FULL: Self = Self { admin: AdminTool::Pulsarctl, wget: true };
}

/// Whether this is an image that is known to contain pulsarctl and wget.
pub(crate) fn has_all_tools(image: &str) -> bool {
    image.match_indices("pulsar-functions-").any(|(at, prefix)| {
        let rest = image.get(at + prefix.len()..).unwrap_or_default();
        ["pulsarctl-", "sn-", "generic-"].iter().filter_map(|kind| rest.strip_prefix(kind)).any(|rest| {
            ["java", "python", "go", "nodejs", "base"]
                .iter()
                .filter_map(|language| rest.strip_prefix(language))
                .any(|rest| rest.starts_with("-runner"))
        })
    })
}

impl Package {
    pub(crate) fn new(file: &str, location: Option<&String>) -> Self {
        Self { file: file.to_owned(), location: location.filter(|l| !l.is_empty()).cloned() }
    }

    /// The last part of the path.
    pub(crate) fn base_name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or_default()
    }

    /// The path in the main container, below `/pulsar` when relative.
    pub(crate) fn absolute_file(&self) -> String {
        if self.file.starts_with('/') { self.file.clone() } else { clean(&format!("{HOME}{}", self.file)) }
    }

    /// The path in the main container if init containers download packages. Downloaded packages and relative paths are
    /// below `/pulsar`; packages in the image keep their path.
    pub(crate) fn file_below_home(&self) -> String {
        if self.location.is_none() {
            return self.absolute_file();
        }
        // The path is normalized, so that the volume is never mounted over `/pulsar` itself.
        let file = clean(&self.absolute_file());
        if file.starts_with(HOME) { file } else { format!("{HOME}{}", file.trim_start_matches('/')) }
    }

    /// Where the download volume is mounted in the main container: at the file if it is directly in `/pulsar`, which
    /// must stay visible, otherwise at its directory. Returns the mount path and the subpath.
    pub(crate) fn mount(&self) -> (String, Option<String>) {
        let file = self.file_below_home();
        match file.rsplit_once('/') {
            Some((folder, base)) if folder.len() < HOME.len() => (file.clone(), Some(base.to_owned())),
            Some((folder, _)) => (folder.to_owned(), None),
            None => (file, None),
        }
    }

    /// Whether it is downloaded from a web server.
    pub(crate) fn is_from_web(&self) -> bool {
        self.location.as_deref().is_some_and(is_web)
    }

    /// Whether it is downloaded from Pulsar's package service.
    pub(crate) fn is_from_pulsar(&self) -> bool {
        self.location.as_deref().is_some_and(|location| has_scheme(location, &PACKAGES))
    }

    /// The command that downloads the package to `target`. `None` if the image contains it.
    ///
    /// Web addresses are not passed to Pulsar's function worker, which could download them (`functions download`) but
    /// is usually disabled.
    pub(crate) fn download(&self, target: &str, tools: Tools, service: &Messaging) -> Option<String> {
        let location = normal(self.location.as_deref()?);
        let (from, to) = (quote(&location), quote(target));
        if is_web(&location) {
            return Some(if tools.wget {
                format!("wget {from} -O {to}")
            } else {
                format!("{FETCH} && fetch {from} {to}")
            });
        }
        let admin = Admin::new(tools.admin, service, service.auth());
        Some(admin.run(&if self.is_from_pulsar() {
            format!("packages download {from} --path {to}")
        } else {
            format!("functions download --path {from} --destination-file {to}")
        }))
    }
}

/// Downloads `$1` to `$2` with a tool that the image has. The error message does not contain the address, which may be
/// signed. wget is tried last, because that of busybox may not verify certificates. curl would expand `[`, `]`, `{` and
/// `}`.
const FETCH: &str = "fetch() { has() { command -v \"$1\" > /dev/null 2>&1; }; \
                     if has curl; then curl -fgsSL -o \"$2\" \"$1\"; \
                     elif has python3; then python3 -c 'import shutil, sys, urllib.request; \
                     shutil.copyfileobj(urllib.request.urlopen(sys.argv[1]), open(sys.argv[2], \"wb\"))' \"$1\" \"$2\"; \
                     elif has wget; then wget -O \"$2\" \"$1\"; \
                     else echo 'The package cannot be downloaded: the image has none of curl, python3 and wget. Use an image \
                     with one of them, or a package of Pulsar (function://, source://, sink://).' >&2; return 1; fi; }";

/// A path without empty parts, `.` and `..`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Schemes of web addresses.
const WEB: [&str; 2] = ["http", "https"];
/// Schemes of packages in Pulsar.
const PACKAGES: [&str; 3] = ["function", "source", "sink"];

/// Whether a location has one of these schemes, in any case.
fn has_scheme(location: &str, schemes: &[&str]) -> bool {
    let scheme = location.split_once("://").map_or("", |(scheme, _)| scheme);
    schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

fn is_web(location: &str) -> bool {
    has_scheme(location, &WEB)
}

/// The location with its scheme in lower case, as Pulsar's tools expect it.
fn normal(location: &str) -> String {
    match location.split_once("://") {
        Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None => location.to_owned(),
    }
}

/// What is wrong with a location, if anything. A location without a scheme, such as `public/default/x`, is the path of
/// an upload to Pulsar's function worker; existing components may have one.
pub(crate) fn location_problem(location: &str) -> Option<&'static str> {
    const PROBLEM: &str = "must be http://..., https://..., or function://, source:// or sink:// followed by \
                           tenant/namespace/name, optionally followed by @version; what was uploaded to a path such as \
                           public/default/x has to be uploaded as a package again, see docs/migrate.md";
    let (_, rest) = location.split_once("://").unwrap_or(("", location));
    if is_web(location) {
        return None;
    }
    if !has_scheme(location, &PACKAGES) {
        return Some(PROBLEM);
    }
    // A version may contain slashes, as in `@release/1.2`.
    let (name, version) = rest.split_once('@').unwrap_or((rest, ""));
    let parts: Vec<&str> = name.split('/').collect();
    let complete = parts.len() == 3 && parts.iter().all(|part| !part.is_empty());
    (!complete || version.contains('@')).then_some(PROBLEM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::pulsar_connection::Side;
    use functionmesh_api::messaging::PulsarMessaging;

    fn package(file: &str, location: &str) -> Package {
        Package::new(file, Some(&location.to_owned()))
    }

    #[test]
    fn tools_follow_from_the_image() {
        for image in [
            "streamnative/pulsar-functions-pulsarctl-java-runner:1",
            "x/pulsar-functions-sn-go-runner",
            "pulsar-functions-generic-base-runner@sha256:0",
        ] {
            assert!(has_all_tools(image), "{image}");
        }
        for image in ["streamnative/pulsar-functions-java-runner:1", "pulsar-functions-sn-ruby-runner", ""] {
            assert!(!has_all_tools(image), "{image}");
        }
    }

    /// A package that the image contains stays where it is.
    #[test]
    fn paths_are_below_pulsar_when_init_containers_download() {
        for (file, location, path, mount) in [
            ("a.jar", "function://a/b/c", "/pulsar/a.jar", ("/pulsar/a.jar", Some("a.jar"))),
            ("/tmp/d/a.jar", "function://a/b/c", "/pulsar/tmp/d/a.jar", ("/pulsar/tmp/d", None)),
            ("/pulsar/x/a.jar", "http://a", "/pulsar/x/a.jar", ("/pulsar/x", None)),
            ("sub/a.jar", "", "/pulsar/sub/a.jar", ("/pulsar/sub", None)),
            ("/opt/a.jar", "", "/opt/a.jar", ("/opt", None)),
            ("./a.jar", "http://a", "/pulsar/a.jar", ("/pulsar/a.jar", Some("a.jar"))),
            ("/pulsar//a.jar", "http://a", "/pulsar/a.jar", ("/pulsar/a.jar", Some("a.jar"))),
            ("/pulsar/x/../a.jar", "http://a", "/pulsar/a.jar", ("/pulsar/a.jar", Some("a.jar"))),
            ("../a.jar", "http://a", "/pulsar/a.jar", ("/pulsar/a.jar", Some("a.jar"))),
        ] {
            let package = package(file, location);
            assert_eq!(package.file_below_home(), path);
            if package.location.is_some() {
                assert_eq!(package.mount(), (mount.0.to_owned(), mount.1.map(str::to_owned)), "{file}");
            }
        }
    }

    #[test]
    fn schemes_are_compared_in_any_case() {
        let service = Messaging::new(Side::Runtime, PulsarMessaging::default());
        let tools = Tools { wget: true, ..Tools::FULL };
        for (location, web, pulsar, command) in [
            ("HTTPS://h/A.jar", true, false, "wget https://h/A.jar -O a.jar"),
            ("Function://A/b/c", false, true, "packages download function://A/b/c --path a.jar"),
            (
                "public/default/x",
                false,
                false,
                "functions download --path public/default/x --destination-file a.jar",
            ),
        ] {
            let package = package("a.jar", location);
            assert_eq!((package.is_from_web(), package.is_from_pulsar()), (web, pulsar), "{location}");
            let download = package.download("a.jar", tools, &service).unwrap();
            assert!(download.ends_with(command), "{download}");
        }
    }

    /// Programs that are built into a shell, such as busybox, are found independently of `PATH`.
    #[test]
    fn packages_are_fetched_with_what_the_image_has_in_every_shell() {
        use crate::testing::{Folder, shells};
        let folder = Folder::new("fetch");
        let script = format!("{FETCH} && fetch 'http://h/a b' /pulsar/x && echo started");
        let run = |shell: &[&str]| {
            let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
                .map(|path| path.join(shell[0]))
                .find(|path| path.is_file());
            let mut command = std::process::Command::new(found.unwrap());
            command.args(&shell[1..]).args(["-c", &script]).env("PATH", &folder.0);
            let output = command.output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (output.status.success(), text(&output.stdout), text(&output.stderr))
        };
        for shell in shells() {
            for name in ["wget", "python3", "curl"] {
                if name == "wget" && shell[0] == "busybox" {
                    continue;
                }
                let path = folder.tool(name, "", 0);
                let body = format!("#!/bin/sh\necho {name} \"$@\"\n");
                std::fs::write(path, body).unwrap();
                let (success, said, _) = run(&shell);
                assert!(
                    success && said.starts_with(name) && said.ends_with("started\n"),
                    "{shell:?}: {said}"
                );
                assert!(said.contains("http://h/a b") && said.contains("/pulsar/x"), "{shell:?}: {said}");
            }
            folder.tool("curl", "", 22);
            assert!(!run(&shell).0, "{shell:?}: a download that fails");
            for name in ["wget", "python3", "curl"] {
                drop(std::fs::remove_file(folder.0.join(name)));
            }
            let (success, said, error) = run(&shell);
            if shell[0] != "busybox" {
                assert!(!success && said.is_empty(), "{shell:?}: {said}");
                assert!(error.contains("none of curl, python3 and wget"), "{shell:?}: {error}");
            }
        }
    }

    #[test]
    fn locations_are_checked() {
        for good in [
            "http://h/x?a=b&c",
            "HTTPS://h",
            "function://a/b/c",
            "SINK://a/b/c@1",
            "source://a/b/c@release/1.2",
        ] {
            assert_eq!(location_problem(good), None, "{good}");
        }
        for bad in [
            "public/default/x",
            "file:///a",
            "builtin://x",
            "function://a/b",
            "function://a@1/b/c",
            "function://a/b/c/d",
            "function://a/b/c@1@2",
            "function://a//c",
            "",
        ] {
            assert!(location_problem(bad).is_some(), "{bad}");
        }
    }
}
