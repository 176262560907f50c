//! `kubectl fmesh logs`.

use crate::fake::Fake;
use crate::objects::{cluster, function};

#[test]
fn the_flag_of_kubectl_for_all_pods_is_accepted_and_the_default() {
    let words = [&["logs", "fn", "f"][..], &["logs", "fn", "f", "--all-pods"]];
    let [without, with] = words.map(|words| {
        let fake = cluster(Fake::new()).lists("get functions*", &[function("f")]);
        let answer = fake.run(words);
        (answer.code, fake.calls().into_iter().filter(|call| call.contains("--prefix")).collect::<Vec<_>>())
    });
    assert_eq!(without, with);
    assert!(with.1.len() == 1 && with.1[0].contains("--selector=compute.functionmesh.io/name=f"), "{with:?}");
}
