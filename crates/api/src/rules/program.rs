//! Rules for the program, its package and the services it talks to.

use crate::rules::rule::{Rule, given, if_given, text};

/// A location that can be downloaded; the scheme may have any case, and a version is any text, as in `@release/1.2`.
/// `\x40` is the at sign, which has a special meaning in these expressions.
const LOCATION: &str =
    "(?is)^(https?://.*|(function|source|sink)://([^/\\x40]+/){2}[^/\\x40]+(\\x40[^\\x40]*)?)$";

/// The Pulsar cluster and the package service.
pub(super) fn services() -> Vec<Rule> {
    vec![
        Rule::required(
            ".pulsar",
            text("pulsar.pulsarConfig"),
            "spec.pulsar.pulsarConfig must name the ConfigMap with webServiceURL and brokerServiceURL of the \
             Pulsar cluster",
        ),
        Rule::required(
            ".pulsarPackageService",
            if_given("pulsarPackageService", &text("pulsarPackageService.pulsarConfig")),
            "spec.pulsarPackageService.pulsarConfig must name the ConfigMap with the addresses of the package \
             service; set it or remove spec.pulsarPackageService",
        ),
    ]
}

/// A Java program.
fn java() -> Vec<Rule> {
    vec![
        Rule::required(
            ".java.jar",
            if_given("java", "@.java.jar != ''"),
            "spec.java.jar must be the path of the package in the container; it is empty",
        ),
        Rule::required(
            ".className",
            if_given("java", &text("className")),
            "spec.className must name the class to run when spec.java is set",
        ),
        location(
            "java.jarLocation",
            ".java.jarLocation",
            "spec.java.jarLocation must be http://..., https://..., or function://, source:// or sink:// followed by \
             tenant/namespace/name, optionally followed by @version; for a path such as public/default/x see docs/migrate.md",
        ),
    ]
}

fn location(path: &str, field: &'static str, message: &'static str) -> Rule {
    Rule::invalid(field, format!("!{} || @.{path}.matches('{LOCATION}')", text(path)), message)
}

/// What a Source or Sink runs.
pub(super) fn connector() -> Vec<Rule> {
    let only = Rule::required(
        ".java",
        given("java"),
        "spec.java must be set, as sources and sinks run as Java programs; set spec.java.jar to the path of the \
         connector in the container",
    );
    [vec![only], java()].concat()
}

/// What a Function runs.
pub(super) fn function() -> Vec<Rule> {
    let runtimes = ["java", "python", "golang"].map(given);
    let any = format!("{} || {}", runtimes.join(" || "), given("genericRuntime"));
    // The Go operator accepts `genericRuntime` together with another runtime and then ignores it.
    let count: Vec<String> = runtimes.iter().map(|set| format!("({set} ? 1 : 0)")).collect();
    let own = vec![
        Rule::required(
            "",
            any,
            "spec must have exactly one of java, python, golang and genericRuntime; set the one of your function",
        )
        .of_the_whole(),
        Rule::invalid(
            "",
            format!("{} <= 1", count.join(" + ")),
            "spec must have exactly one of java, python, golang and genericRuntime; remove all but the one of your \
             function",
        )
        .of_the_whole(),
        Rule::required(
            ".className",
            if_given("python", &text("className")),
            "spec.className must name the class to run when spec.python is set, as module.class",
        ),
        Rule::required(
            ".python.py",
            if_given("python", "@.python.py != ''"),
            "spec.python.py must be the path of the package in the container; it is empty",
        ),
        location(
            "python.pyLocation",
            ".python.pyLocation",
            "spec.python.pyLocation must be http://..., https://..., or function://, source:// or sink:// followed \
             by tenant/namespace/name, optionally followed by @version; for a path such as public/default/x see docs/migrate.md",
        ),
        Rule::required(
            ".golang.go",
            if_given("golang", "@.golang.go != ''"),
            "spec.golang.go must be the path of the program in the container; it is empty",
        ),
        location(
            "golang.goLocation",
            ".golang.goLocation",
            "spec.golang.goLocation must be http://..., https://..., or function://, source:// or sink:// followed \
             by tenant/namespace/name, optionally followed by @version; for a path such as public/default/x see docs/migrate.md",
        ),
        Rule::invalid(
            ".statefulConfig",
            format!("!({} && {})", given("golang"), given("statefulConfig.pulsar")),
            "spec.statefulConfig must not be set with golang: Go functions have no state; remove one of them",
        ),
        Rule::required(
            ".statefulConfig.pulsar.serviceUrl",
            if_given("statefulConfig.pulsar", "@.statefulConfig.pulsar.serviceUrl != ''"),
            "spec.statefulConfig.pulsar.serviceUrl must be the address of the state store, such as bk://host:4181; \
             it is empty",
        ),
    ];
    [own, java()].concat()
}
