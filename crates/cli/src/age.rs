//! Ages, as short as kubectl prints them.

use k8s_openapi::jiff::Timestamp;

/// How long ago a time was: `12s`, `5m`, `3h`, `4d`. Empty for what is no time.
pub(crate) fn age(time: &str) -> String {
    let Ok(then) = time.parse::<Timestamp>() else { return String::new() };
    span(Timestamp::now().as_second() - then.as_second())
}

fn span(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..120 => format!("{s}s"),
        s @ 120..7200 => format!("{}m", s / 60),
        s @ 7200..172_800 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        for (seconds, text) in
            [(-5, "0s"), (90, "90s"), (180, "3m"), (7200, "2h"), (90_000, "25h"), (900_000, "10d")]
        {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(age("no time"), "");
    }
}
