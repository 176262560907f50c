use super::*;

#[test]
fn every_reason_is_there_once() {
    for (index, reason) in Reason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index, "{reason}");
        let docs = reason.docs();
        for text in [docs.meaning, docs.check, docs.advice] {
            assert!(!text.is_empty(), "{reason} is not explained");
        }
    }
}
