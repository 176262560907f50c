//! Compares output with what a page shows.
//!
//! Columns may be wider or narrower. An age (`41s`, `3m20s`) stands for any age, a date and a time of day for
//! any others, `...` within a line for the rest of a word or of the line, and a line that is only `...` for any number of lines.

/// Why output is not what the page shows; nothing when it is.
pub fn difference(shown: &[String], printed: &str) -> Option<String> {
    let printed: Vec<&str> = printed.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let shown: Vec<&str> = shown.iter().map(|line| line.trim_end()).filter(|line| !line.is_empty()).collect();
    if matches(&shown, &printed) {
        return None;
    }
    Some(format!("shown:\n{}\nprinted:\n{}", shown.join("\n"), printed.join("\n")))
}

fn matches(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line.trim() == "..." => {
            (0..=printed.len()).any(|skip| matches(rest, printed.get(skip..).unwrap_or_default()))
        }
        Some((line, rest)) => {
            let Some((first, others)) = printed.split_first() else { return false };
            line_matches(line, first) && matches(rest, others)
        }
    }
}

fn line_matches(shown: &str, printed: &str) -> bool {
    let (shown, printed): (Vec<&str>, Vec<&str>) =
        (shown.split_whitespace().collect(), printed.split_whitespace().collect());
    if let Some((&"...", start)) = shown.split_last() {
        return printed.len() >= start.len()
            && words_match(start, printed.get(..start.len()).unwrap_or_default());
    }
    words_match(&shown, &printed)
}

fn words_match(shown: &[&str], printed: &[&str]) -> bool {
    shown.len() == printed.len()
        && shown.iter().zip(printed).all(|(shown, printed)| word_matches(shown, printed))
}

fn word_matches(shown: &str, printed: &str) -> bool {
    if let Some((start, end)) = shown.split_once("...") {
        return printed.len() >= start.len() + end.len()
            && printed.starts_with(start)
            && printed.ends_with(end);
    }
    [is_age, is_date, is_time_of_day].iter().any(|is| is(shown) && is(printed)) || shown == printed
}

/// `2026-11-30`, also before a comma.
fn is_date(word: &str) -> bool {
    has_numbers(word.trim_end_matches(','), '-', &[4, 2, 2])
}

/// `12:00:00`.
fn is_time_of_day(word: &str) -> bool {
    has_numbers(word, ':', &[2, 2, 2])
}

/// Whether a word consists of numbers with so many digits.
fn has_numbers(word: &str, separator: char, digits: &[usize]) -> bool {
    let parts: Vec<&str> = word.split(separator).collect();
    parts.iter().map(|part| part.len()).eq(digits.iter().copied())
        && parts.iter().all(|part| part.bytes().all(|c| c.is_ascii_digit()))
}

/// `41s`, `3m20s`, `5d`, also in parentheses.
fn is_age(word: &str) -> bool {
    let word = word.trim_matches(|c| c == '(' || c == ')');
    let mut digits = false;
    for c in word.chars() {
        match c {
            '0'..='9' => digits = true,
            's' | 'm' | 'h' | 'd' | 'y' if digits => digits = false,
            _ => return false,
        }
    }
    !word.is_empty() && !digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(shown: &str, printed: &str) -> bool {
        let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
        difference(&shown, printed).is_none()
    }

    #[test]
    fn widths_and_ages_may_differ() {
        assert!(same("NAME  READY  AGE\nf  True  41s", "NAME      READY   AGE\nf         True    3m2s\n"));
        assert!(!same("f  True  41s", "f  False  41s"));
        assert!(!same("f  1", "f  2"));
        assert!(same("Ready (8s)", "Ready (3h)"));
        assert!(same("on 2026-11-28 12:00:00 UTC", "on 2027-01-01 03:04:05 UTC"));
        assert!(same("expires on 2026-11-28,", "expires on 2027-01-01,"));
        assert!(!same("1.2.3 1-2-3", "1.2.4 1-2-4"));
    }

    #[test]
    fn dots_stand_for_the_rest() {
        assert!(same("pod/f-... created", "pod/f-7x created"));
        assert!(same("a ...", "a b c"));
        assert!(same("a\n...\nd", "a\nb\nc\nd"));
        assert!(same("a\n...", "a"));
        assert!(!same("a\n...\nd", "a\nb"));
    }

    #[test]
    fn more_or_fewer_lines_are_a_difference() {
        assert!(!same("a", "a\nb"));
        assert!(!same("a\nb", "a"));
    }
}
