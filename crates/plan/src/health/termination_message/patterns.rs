//! Lists of patterns with their replacements.

use regex_lite::Regex;
use std::borrow::Cow;

pub(super) fn compiled(patterns: &[(&str, &str)]) -> Vec<(Regex, String)> {
    // A pattern that does not compile would be left out; a test compiles all of them.
    let compile = |(pattern, by): &(&str, &str)| Some((Regex::new(pattern).ok()?, (*by).to_owned()));
    patterns.iter().filter_map(compile).collect()
}

pub(crate) fn replaced(text: &str, patterns: &[(Regex, String)]) -> String {
    let mut text = Cow::Borrowed(text);
    for (pattern, by) in patterns {
        if let Cow::Owned(changed) = pattern.replace_all(&text, by.as_str()) {
            text = Cow::Owned(changed);
        }
    }
    text.into_owned()
}
