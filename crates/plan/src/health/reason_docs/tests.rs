use super::*;

#[test]
fn every_reason_is_there_once() {
    for (index, reason) in Reason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index, "{reason}");
        let explained = reason.explained();
        for text in [explained.meaning, explained.check, explained.advice] {
            assert!(!text.is_empty(), "{reason} is not explained");
        }
    }
}
