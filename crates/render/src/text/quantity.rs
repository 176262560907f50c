//! Arithmetic on Kubernetes quantities, with the rounding of the Go library.

/// A quantity as an integer times a power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    /// Reads a quantity such as `50m`, `1.1G`, `512Mi` or `1e3`. `None` when it is none, or far out of range.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text
            .char_indices()
            .find(|(i, c)| !(c.is_ascii_digit() || *c == '.' || (*i == 0 && (*c == '-' || *c == '+'))))
            .map_or(text.len(), |(i, _)| i);
        let (number, suffix) = text.split_at_checked(end)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.trim_start_matches(['-', '+']).is_empty() && fraction.is_empty() {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let mantissa: i128 = digits.parse().ok()?;
        let places = i32::try_from(fraction.len()).ok()?;
        let (factor, exponent) = scale(suffix)?;
        // Quantities beyond 10^18 or below 10^-18 are not supported.
        let exponent = exponent.checked_sub(places).filter(|e| (-30..=18).contains(e))?;
        Some(Self { mantissa: mantissa.checked_mul(factor)?, exponent }.canonical())
    }

    /// Trailing zeros removed, then the exponent lowered to a multiple of three: `0.2` is 200 x 10^-3, as Go keeps it.
    fn canonical(mut self) -> Self {
        if self.mantissa == 0 {
            return Self { mantissa: 0, exponent: 0 };
        }
        while self.mantissa % 10 == 0 {
            self.mantissa /= 10;
            self.exponent += 1;
        }
        while self.exponent.rem_euclid(3) != 0 {
            self.mantissa = self.mantissa.saturating_mul(10);
            self.exponent -= 1;
        }
        self
    }

    /// The value as Go's `AsApproximateFloat64`: mantissa times the power of ten, in binary floating point, so `51m`
    /// becomes 0.051000000000000004 as in every recorded command.
    #[allow(clippy::cast_precision_loss, reason = "the loss is the specified behaviour")]
    pub fn approximate(self) -> f64 {
        let power: f64 = format!("1e{}", self.exponent).parse().unwrap_or(1.0);
        self.mantissa as f64 * power
    }

    /// The value in whole units, rounded up.
    pub fn ceiling(self) -> i128 {
        let size = 10_i128.saturating_pow(self.exponent.unsigned_abs());
        if self.exponent >= 0 {
            return self.mantissa.saturating_mul(size);
        }
        self.mantissa.div_euclid(size) + i128::from(self.mantissa.rem_euclid(size) != 0)
    }

    /// The value in thousandths, rounded up.
    pub fn milli_ceiling(self) -> i128 {
        Self { mantissa: self.mantissa, exponent: self.exponent.saturating_add(3) }.ceiling()
    }

    /// Whether the value is below zero.
    pub fn is_negative(self) -> bool {
        self.mantissa < 0
    }
}

/// The canonical form of a quantity in Kubernetes, so that `1000m` and `1` render to the same bytes: with a binary
/// suffix where the text has one and the value is a whole number from 1024 on, else decimal. `None` when the text is no
/// quantity.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let value = Decimal::parse(text)?;
    let whole = value.exponent >= 0 || value.mantissa.rem_euclid(power_of_ten(value.exponent)) == 0;
    if text.trim().ends_with('i') && whole && value.ceiling().abs() >= 1024 {
        let (mut number, mut suffix) = (value.ceiling(), "");
        for next in ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] {
            if number % 1024 != 0 {
                break;
            }
            number /= 1024;
            suffix = next;
        }
        return Some(format!("{number}{suffix}"));
    }
    let exponent = text.contains(['e', 'E']) && !text.ends_with('E') && !text.ends_with("Ei");
    let suffix = match (exponent, value.exponent) {
        (_, 0) => String::new(),
        (true, power) => format!("e{power}"),
        (false, power) => {
            let at = usize::try_from(power / 3 + 3).ok()?;
            (*["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].get(at)?).to_owned()
        }
    };
    Some(format!("{}{suffix}", value.mantissa))
}

fn power_of_ten(exponent: i32) -> i128 {
    10_i128.saturating_pow(exponent.unsigned_abs())
}

/// The factor and power of ten of a suffix.
fn scale(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        other => (1, other.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

/// An integer in canonical decimal notation: divided by a thousand while exact, with the suffix k, M, G, T, P or E.
pub(crate) fn decimal_si(mut n: i128) -> String {
    let mut suffix = "";
    for next in ["k", "M", "G", "T", "P", "E"] {
        if n == 0 || n % 1000 != 0 {
            break;
        }
        n /= 1000;
        suffix = next;
    }
    format!("{n}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_their_values() {
        for (text, approximate, ceiling) in [
            ("50m", 0.05, 1),
            ("51m", 0.051_000_000_000_000_004, 1),
            ("0.2", 0.2, 1),
            ("1.1G", 1.1e9, 1_100_000_000),
            ("512Mi", 536_870_912.0, 536_870_912),
            ("1e3", 1000.0, 1000),
            ("2", 2.0, 2),
            ("1.5Ki", 1536.0, 1536),
            ("-1", -1.0, -1),
            ("100u", 0.0001, 1),
        ] {
            let q = Decimal::parse(text).unwrap();
            assert!((q.approximate() - approximate).abs() < f64::EPSILON * approximate.abs(), "{text}");
            assert_eq!(q.ceiling(), ceiling, "{text}");
        }
        for text in ["", "x", "1x", ".", "1e99", "-", "--1", "99999999999999999999999999999999999999999"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    /// As `kubectl get` shows them after the API server has read them.
    #[test]
    fn a_value_has_one_spelling() {
        for (text, want) in [
            ("1000m", "1"),
            ("0.2", "200m"),
            ("1.1G", "1100M"),
            ("1024Mi", "1Gi"),
            ("0.5Gi", "512Mi"),
            ("100Ki", "100Ki"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("3E8", "300e6"),
            ("2E", "2E"),
            ("1000000003", "1000000003"),
            ("0", "0"),
            ("100u", "100u"),
            ("500M", "500M"),
            ("64000k", "64M"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(want), "{text}");
        }
        assert_eq!(canonical("x"), None);
    }

    #[test]
    fn integers_print_in_decimal_si() {
        for (n, text) in
            [(220_000_000, "220M"), (214_748_364, "214748364"), (1000, "1k"), (0, "0"), (400_000_000, "400M")]
        {
            assert_eq!(decimal_si(n), text);
        }
    }
}
