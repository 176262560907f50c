//! Completion: scripts for shells, and the words that kubectl asks for.

use super::fake::Fake;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn each_shell_has_a_script() {
    for (shell, text) in
        [("bash", "complete -F"), ("zsh", "#compdef kubectl-fmesh"), ("fish", "complete -c kubectl-fmesh")]
    {
        let answer = Fake::new().run(&["completion", shell]);
        assert!(answer.code == Some(0) && answer.stdout.contains(text), "{shell}: {answer:#?}");
        assert!(answer.stdout.contains("doctor") && !answer.stdout.contains("c4n4ry"), "{shell}");
    }
}

#[test]
fn kubectl_gets_names_from_the_cluster() {
    let fake = Fake::new()
        .answers(
            "get functions.compute.functionmesh.io --output=name",
            "function.compute.functionmesh.io/enrich\nfunction.compute.functionmesh.io/count\n",
        )
        .answers("get namespaces --output=name", "namespace/demo\nnamespace/default\n");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/completion/kubectl_complete-fmesh");
    symlink(env!("CARGO_BIN_EXE_kubectl-fmesh"), fake.folder().join("kubectl-fmesh")).unwrap();
    let complete = |words: &[&str]| {
        let output = fake.prepared(Command::new(script), words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete(&["status", "fn", ""]), "enrich\ncount\n:4\n");
    assert_eq!(complete(&["status", "-n", "demo", "function/e"]), "function/enrich\n:4\n");
    assert_eq!(complete(&["status", "-n", "de"]), "demo\ndefault\n:4\n");
    assert!(complete(&["doctor", "--"]).contains("--within\n"));
    assert!(complete(&[""]).contains("report\n") && !complete(&[""]).contains("__complete"));
    assert!(fake.calls().iter().any(|call| call.contains("--namespace=demo")), "{:?}", fake.calls());
    assert!(fs::metadata(script).is_ok());
}
