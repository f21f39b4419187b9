//! Commands that a reader can paste.

/// `text` as one word of a shell's command line.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        assert_eq!(quoted("a b/it's.csv"), "'a b/it'\\''s.csv'");
        assert_eq!(quoted("사진/x.csv"), "사진/x.csv");
        assert_eq!(quoted(""), "''");
    }
}
