//! Quoting of user input for the shell.
//!
//! Every user string passes through [`quote`] or [`words`], so it reaches the program's argv byte for byte, whatever it
//! contains. (The Go operator inserts user strings into scripts unquoted.)

/// Quotes one string as one shell word. Plain words stay unquoted, to keep commands readable in `kubectl describe`.
///
/// The kubelet expands `$(NAME)` and `$$` in a container's command before any shell sees it, so both are doubled.
pub(crate) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", protect(text).replace('\'', r#"'"'"'"#))
}

/// A shell option with a variable as its value; nothing if the variable is unset or empty, because programs reject an
/// option without a value.
pub(crate) fn option_if_set(option: &str, name: &str) -> String {
    format!("${{{name}:+{option} \"${name}\"}}")
}

/// A shell variable as one word; `default` if it is unset or empty.
pub(crate) fn or_default(name: &str, default: &str) -> String {
    format!("\"${{{name}:-{default}}}\"")
}

/// Protects a string from the kubelet's expansion of `$(NAME)` and `$$` (Kubernetes API, `Container.command`).
pub(crate) fn protect(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        out.push(c);
        if c == '$' && matches!(rest.peek(), Some('$' | '(')) {
            out.push('$');
        }
    }
    out
}

/// A piece of a word: text to take literally, or an environment variable for the shell to expand.
pub(crate) enum Piece {
    Literal(String),
    Variable { name: String, quoted: bool },
}

impl Piece {
    /// Text to take literally.
    pub(crate) fn literal(text: &str) -> Self {
        Piece::Literal(text.to_owned())
    }

    /// A variable that is never split into several words.
    pub(crate) fn variable(name: &str) -> Self {
        Piece::Variable { name: name.to_owned(), quoted: true }
    }
}

/// Splits `text` into words as a shell would and writes them back safely quoted, joined by single spaces.
///
/// Understands single quotes, double quotes, backslashes and `$NAME`/`${NAME}`; everything else, command substitution
/// and globs included, is literal.
///
/// # Errors
/// The problem, if a quote is not closed.
pub(crate) fn words(text: &str) -> Result<String, String> {
    let mut out: Vec<String> = Vec::new();
    let mut word: Option<Vec<Piece>> = None;
    let mut rest = text.chars().peekable();
    let mut quote_open: Option<char> = None;
    while let Some(c) = rest.next() {
        match (quote_open, c) {
            (Some(open), c) if c == open => quote_open = None,
            (None, '\'' | '"') => {
                quote_open = Some(c);
                literal(&mut word, "");
            }
            (None, c) if c.is_ascii_whitespace() => out.extend(word.take().map(|w| write_word(&w))),
            (None, '\\') => {
                if let Some(next) = rest.next() {
                    literal(&mut word, next.encode_utf8(&mut [0; 4]));
                }
            }
            (Some('"'), '\\') => match rest.peek().copied() {
                Some(next @ ('"' | '\\' | '$' | '`')) => {
                    rest.next();
                    literal(&mut word, next.encode_utf8(&mut [0; 4]));
                }
                _ => literal(&mut word, "\\"),
            },
            (None | Some('"'), '$') => match variable(&mut rest) {
                Some(name) => {
                    let quoted = quote_open.is_some();
                    word.get_or_insert_default().push(Piece::Variable { name, quoted });
                }
                None => literal(&mut word, "$"),
            },
            (_, c) => literal(&mut word, c.encode_utf8(&mut [0; 4])),
        }
    }
    if let Some(open) = quote_open {
        return Err(format!("the quote {open} is not closed"));
    }
    out.extend(word.map(|w| write_word(&w)));
    Ok(out.join(" "))
}

/// Appends to the last literal piece of the word, starting a new one if needed.
fn literal(word: &mut Option<Vec<Piece>>, text: &str) {
    let pieces = word.get_or_insert_default();
    if let Some(Piece::Literal(last)) = pieces.last_mut() {
        last.push_str(text);
    } else {
        pieces.push(Piece::Literal(text.to_owned()));
    }
}

/// Reads `NAME` or `{NAME}` after a dollar sign; leaves the input alone when it is neither.
fn variable(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut ahead = rest.clone();
    let braced = ahead.next_if_eq(&'{').is_some();
    let mut name = String::new();
    while let Some(c) = ahead.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
    }
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !named || (braced && ahead.next() != Some('}')) {
        return None;
    }
    *rest = ahead;
    Some(name)
}

/// Writes one word of the shell.
pub(crate) fn write_word(pieces: &[Piece]) -> String {
    let only_empty = matches!(pieces, [Piece::Literal(text)] if text.is_empty());
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) if text.is_empty() && !only_empty => String::new(),
            Piece::Literal(text) => quote(text),
            Piece::Variable { name, quoted: true } => format!("\"${{{name}}}\""),
            Piece::Variable { name, quoted: false } => format!("${{{name}}}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const HOSTILE: &[&str] = &[
        "",
        "plain",
        "it's",
        "a\"b",
        "$HOME",
        "`id`",
        "$(id)",
        "$$",
        "$$$(x)$$",
        "a b\tc\nd",
        "über ✓",
        "a;b|c&d>e<f",
        "\\",
        "-n",
        "!x",
        "*",
        "~",
        "#x",
        "{a,b}",
    ];

    /// What the kubelet does to a command with no matching environment variable.
    fn kubelet(text: &str) -> String {
        text.replace("$$", "\u{0}").replace('\u{0}', "$")
    }

    fn argv(script: &str) -> Vec<String> {
        let script = format!("printf '%s\\0' {}", kubelet(script));
        let out = Command::new("sh").args(["-c", &script]).env("NAME", "value").output().unwrap();
        assert!(out.status.success(), "{script}");
        let text = String::from_utf8(out.stdout).unwrap();
        text.strip_suffix('\0').unwrap_or(&text).split('\0').map(str::to_owned).collect()
    }

    #[test]
    fn quoted_strings_reach_argv_unchanged() {
        for text in HOSTILE {
            assert_eq!(argv(&quote(text)), [*text], "{text:?}");
        }
    }

    #[test]
    fn words_are_split_like_a_shell_does() {
        let cases: &[(&str, &[&str])] = &[
            ("-Xss1m  -Da=b", &["-Xss1m", "-Da=b"]),
            ("-Da='b c' -De=\"f g\"", &["-Da=b c", "-De=f g"]),
            ("-Dn=$NAME -Dm=${NAME}x \"$NAME\"", &["-Dn=value", "-Dm=valuex", "value"]),
            ("$(id) `id` *", &["$(id)", "`id`", "*"]),
            (r"a\ b \$NAME", &["a b", "$NAME"]),
            ("'' x", &["", "x"]),
            ("${NAME:-x} $1", &["${NAME:-x}", "$1"]),
        ];
        for (text, want) in cases {
            assert_eq!(argv(&words(text).unwrap()), *want, "{text}");
        }
        assert!(words("'open").is_err());
    }
}
