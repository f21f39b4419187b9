//! Values of flags, from text.

use defrost::export::Batch;
use defrost::graph::Cut;

/// `last=30`, `fraction=0.7`, `from=block6d`, `all`.
pub(super) fn parse_cut(text: &str) -> Result<Cut, String> {
    if text == "all" {
        return Ok(Cut::All);
    }
    let form = || "expected `last=30`, `fraction=0.7`, `from=block6d` or `all`".to_owned();
    let (key, value) = text.split_once('=').ok_or_else(form)?;
    match key {
        "last" => value.parse().map(Cut::Last).map_err(|_| format!("`last` must be a number of layers; got {value}")),
        "fraction" => value.parse().map(Cut::Fraction).map_err(|_| format!("`fraction` must be a share; got {value}")),
        "from" if !value.is_empty() => Ok(Cut::From(value.to_owned())),
        _ => Err(form()),
    }
}

/// `key=value`.
pub(super) fn parse_setting(text: &str) -> Result<(String, String), String> {
    let setting = text.split_once('=').filter(|(key, _)| !key.trim().is_empty());
    let setting = setting.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    setting.ok_or_else(|| "expected `key=value`, such as `stages.1.learning_rate=1e-5`".to_owned())
}

pub(super) fn parse_count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a whole number of at least 1".to_owned())
}

/// `50000000`, `50M`: decimal multiples.
pub(super) fn parse_quantity(text: &str) -> Result<u64, String> {
    let multiples = [("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)];
    let suffixed = multiples.into_iter().find_map(|(suffix, multiple)| Some((text.strip_suffix(suffix)?, multiple)));
    let (number, multiple) = suffixed.unwrap_or((text, 1));
    let quantity = number.parse().ok().and_then(|number: u64| number.checked_mul(multiple)).filter(|n| *n > 0);
    quantity.ok_or_else(|| "expected a number such as 500000, 500k, 32M or 1G".to_owned())
}

pub(super) fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.001..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "expected seconds from 0.001 to 86400".to_owned())
}

pub(super) fn parse_batch(text: &str) -> Result<Batch, String> {
    match (text, text.parse()) {
        ("dynamic", _) => Ok(Batch::Dynamic),
        (_, Ok(pictures @ 1..=65_536)) => Ok(Batch::Fixed(pictures)),
        _ => Err("expected `dynamic`, or a number of pictures from 1 to 65536".to_owned()),
    }
}

pub(super) fn parse_share(text: &str) -> Result<f32, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a probability from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_may_hold_further_equals_signs() {
        let parsed = parse_setting("stages.1.learning_rate=cosine_decay(alpha=0.1)").unwrap();
        assert_eq!(parsed, ("stages.1.learning_rate".to_owned(), "cosine_decay(alpha=0.1)".to_owned()));
        assert!(parse_setting("=3").is_err() && parse_setting("seed").is_err());
    }

    #[test]
    fn quantities_are_whole_and_positive() {
        assert_eq!(
            ["7", "500k", "32M", "1G"].map(|text| parse_quantity(text).unwrap()),
            [7, 500_000, 32_000_000, 1_000_000_000]
        );
        for wrong in ["", "0", "0M", "-1", "1.5M", "M", "3T", "99999999999999999999", "18446744073709551615k"] {
            assert!(parse_quantity(wrong).is_err(), "{wrong}");
        }
        assert!(parse_seconds("0").is_err() && parse_seconds("NaN").is_err() && parse_seconds("0.5").is_ok());
    }

    #[test]
    fn cuts_have_three_forms() {
        assert_eq!(parse_cut("last=30"), Ok(Cut::Last(30)));
        assert_eq!(parse_cut("fraction=0.7"), Ok(Cut::Fraction(0.7)));
        assert_eq!(parse_cut("from=block6d"), Ok(Cut::From("block6d".to_owned())));
        assert_eq!(parse_cut("all"), Ok(Cut::All));
        for wrong in ["last=-1", "last", "from=", "first=3", "fraction=x"] {
            assert!(parse_cut(wrong).is_err(), "{wrong}");
        }
    }
}
