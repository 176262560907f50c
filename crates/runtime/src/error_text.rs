//! Errors as they are logged: without the content of objects. A user may have put a password into one, and a list that fails to
//! decode contains those of all users.

use functionmesh_objects::text::bounded;
use kube::runtime::watcher;
use std::error::Error;

/// Longest text of an error, in characters. The API server's messages repeat the object they are about.
const LIMIT: usize = 1024;

/// An error of a watch.
pub(crate) fn of_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error) => format!("initial list failed: {}", of_request(error)),
        watcher::Error::WatchStartFailed(error) => format!("watch not started: {}", of_request(error)),
        watcher::Error::WatchFailed(error) => format!("watch failed: {}", of_request(error)),
        error => bounded(error.to_string(), LIMIT),
    }
}

/// An error of a request.
pub(crate) fn of_request(error: &kube::Error) -> String {
    match error {
        kube::Error::SerdeError(error) => undecodable(error),
        error => bounded(error.to_string(), LIMIT),
    }
}

/// An error with all its causes.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let request = cause
            .downcast_ref::<kube::Error>()
            .or_else(|| cause.downcast_ref::<Box<kube::Error>>().map(Box::as_ref));
        if let Some(request) = request {
            // Its text contains its causes already.
            text = format!("{text}: {}", of_request(request));
            break;
        }
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    bounded(text, LIMIT)
}

/// The position at which a response fails to decode, without the content.
fn undecodable(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    format!("the answer cannot be decoded ({:?} error at line {line}, column {column})", error.classify())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("Service x could not be written")]
    struct Outer {
        source: Box<kube::Error>,
    }

    fn undecodable_answer() -> kube::Error {
        kube::Error::SerdeError(serde_json::from_str::<u8>("\"password\"").unwrap_err())
    }

    #[test]
    fn what_was_in_an_answer_is_not_told() {
        let texts = [
            of_request(&undecodable_answer()),
            of_watch(&watcher::Error::InitialListFailed(undecodable_answer())),
            chain(&Outer { source: Box::new(undecodable_answer()) }),
        ];
        for text in texts {
            assert!(text.contains("cannot be decoded (Data error at line 1"), "{text}");
            assert!(!text.contains("password"), "{text}");
        }
    }

    #[test]
    fn the_causes_are_told_once_and_the_text_is_bounded() {
        let status = kube::core::Status { code: 500, message: "x".repeat(9000), ..<_>::default() };
        let text = chain(&Outer { source: Box::new(kube::Error::Api(Box::new(status))) });
        assert!(text.starts_with("Service x could not be written: "), "{text}");
        assert_eq!(text.chars().count(), LIMIT + 1);
    }
}
