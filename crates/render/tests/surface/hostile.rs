//! Strings that break programs which put text into other text.

use std::sync::LazyLock;

/// Name of the file that hostile strings try to create.
pub(crate) const CANARY: &str = "CANARY";

/// Each breaks out of its context in another way. None has a NUL, which no argument of a program can have.
pub(crate) fn strings() -> &'static [String] {
    &STRINGS
}

static STRINGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut all: Vec<String> = [
        "it's",
        "'",
        "\"",
        "say \"hi\"",
        "'\"'\"'",
        "\u{2018}typographic\u{2019} \u{201c}quotes\u{201d}",
        "$",
        "$$",
        "$HOME",
        "${HOME}",
        "${POD_NAME##*-}",
        "$(touch CANARY)",
        "$(POD_NAME)",
        "$$(POD_NAME) $$$(brokerServiceURL)",
        "`touch CANARY`",
        "a  b ",
        "-n",
        "--help=$0",
        "line\nbreak\n",
        "tab\tand\rreturn",
        "back\\slash\\",
        "\\'\\\"\\$\\n",
        "; touch CANARY;",
        "& touch CANARY &",
        "| touch CANARY",
        "x && touch CANARY || touch CANARY",
        "< CANARY > CANARY",
        "'; touch CANARY; '",
        "\"; touch CANARY; \"",
        "* ? [a-z] {a,b}",
        // One special character each: quotes for one must not hide that another is not quoted.
        "a&b",
        "a;b",
        "a|b",
        "a>CANARY",
        "a<b",
        "*",
        "{a,b}",
        "a(b)",
        "https://h/a.jar?b=c&d=%2F",
        "~",
        "!x !!",
        "#comment",
        "%s%n%d%%",
        "über ✓ 漢字 \u{202e}",
        "🦀💥",
        "\u{1}\u{7}\u{1b}[31m\u{7f}",
        "EOF\nEOF\n",
        "<!-- & ]]> --> &amp; &lt;",
        "https://bucket.s3.amazonaws.com/a.jar?X-Amz-Signature=a%2Fb&X-Amz-Date=2026&c='d'",
    ]
    .map(str::to_owned)
    .to_vec();
    // Longer than the 4 KiB that some programs reserve for a line.
    all.push(" long".repeat(820) + "'$(POD_NAME)' $$");
    all
});
