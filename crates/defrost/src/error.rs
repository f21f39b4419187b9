//! Parts that the modules' error types share: the nearest known name, and lists that stay short.
//!
//! Each module has its own `#[non_exhaustive]` enum; text is lower case, without a final period, and names what was
//! expected, what was found and the remedy.

/// The candidate nearest to `name` (Jaro–Winkler similarity of at least 0.75), if any.
///
/// ```
/// assert_eq!(defrost::error::nearest("lr", ["epochs", "learning_rate"]), None);
/// assert_eq!(defrost::error::nearest("learning_rat", ["epochs", "learning_rate"]), Some("learning_rate"));
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `; did you mean `x`?` for the nearest candidate, or nothing: made to be appended to an error's text.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map(|candidate| format!("; did you mean `{candidate}`?")).unwrap_or_default()
}

/// At most `limit` items, comma-separated, and how many more there are.
pub fn shortened<S: AsRef<str>>(items: &[S], limit: usize) -> String {
    shortened_with(items, limit, |shown, more| format!("{shown} and {more} more"))
}

/// The same in another language: `ending` joins what is shown and the number of the others.
pub(crate) fn shortened_with<S: AsRef<str>>(
    items: &[S],
    limit: usize,
    ending: impl Fn(&str, usize) -> String,
) -> String {
    let shown = items.iter().take(limit).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(limit) {
        0 => shown,
        more => ending(&shown, more),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_shortened() {
        assert_eq!(shortened(&["a", "b"], 2), "a, b");
        assert_eq!(shortened(&["a", "b", "c"], 2), "a, b and 1 more");
    }

    #[test]
    fn a_far_name_has_no_neighbour() {
        assert_eq!(did_you_mean("zzz", ["rose", "tulip"]), "");
        assert_eq!(did_you_mean("tulips", ["rose", "tulip"]), "; did you mean `tulip`?");
    }
}
