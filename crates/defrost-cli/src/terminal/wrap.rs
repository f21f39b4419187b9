//! Long lines on a narrow terminal: broken between words, never inside a command.

use super::cells_wide;

/// A text in lines of at most `width` cells, the continued ones two cells further in.
///
/// What stands in backticks is copied as a whole: it is not broken, and overhangs where it is longer than a line.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    text.split('\n').map(|line| wrapped_line(line, width)).collect::<Vec<_>>().join("\n")
}

fn wrapped_line(line: &str, width: usize) -> String {
    if shown_wide(line) <= width {
        return line.to_owned();
    }
    let indent = line.len() - line.trim_start_matches(' ').len() + 2;
    let mut text = String::new();
    let mut filled = 0;
    for word in words(line) {
        let wide = shown_wide(word.trim_end_matches(' '));
        // A line that holds nothing yet but its indent has no better place to offer.
        if filled > indent && filled + wide > width {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            filled = indent;
        }
        text.push_str(word);
        filled += shown_wide(word);
    }
    text
}

/// The pieces of a line, each with the spaces that follow it. Spaces in backticks and those that begin a line don't part anything.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quoted, mut after_space) = (0, false, true);
    for (place, character) in line.char_indices() {
        let space = character == ' ';
        if after_space && !space && !quoted && !line[start..place].trim().is_empty() {
            words.push(&line[start..place]);
            start = place;
        }
        quoted ^= character == '`';
        after_space = space;
    }
    words.push(&line[start..]);
    words
}

/// Cells on the screen; codes for colours take none.
fn shown_wide(text: &str) -> usize {
    let mut wide = 0;
    for (number, piece) in text.split('\u{1b}').enumerate() {
        let shown = if number == 0 { piece } else { piece.split_once('m').map_or("", |(_, rest)| rest) };
        wide += cells_wide(shown);
    }
    wide
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 13), "one two three");
        assert_eq!(wrapped("one two three four\nfive", 9), "one two\n  three\n  four\nfive");
        assert_eq!(wrapped("  hint: one two", 12), "  hint: one\n    two");
        assert_eq!(wrapped("사진을 읽을 수 없습니다", 12), "사진을 읽을\n  수\n  없습니다");
    }

    #[test]
    fn commands_and_colours_stay_whole() {
        let text = "go on with `defrost train --resume --out runs/a` now";
        assert_eq!(wrapped(text, 30), "go on with\n  `defrost train --resume --out runs/a`\n  now");
        let coloured = "\u{1b}[31merror:\u{1b}[0m a b";
        assert_eq!(wrapped(coloured, 10), coloured);
        assert_eq!(wrapped("unbreakablewordoflength a", 10), "unbreakablewordoflength\n  a");
    }
}
