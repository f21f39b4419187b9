//! Long lines on a narrow terminal: broken between words, never inside a command.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Stands for a space that no line breaks at.
const KEPT_SPACE: &str = "\u{a0}";

/// A text in lines of at most `width` cells, the continued ones two cells further in.
///
/// What stands in backticks is copied as a whole: it is not broken, and overhangs where it is longer than a line.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let line = |line: &str| {
        let indent = " ".repeat(line.len() - line.trim_start_matches(' ').len() + 2);
        let options = Options::new(width)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation)
            .wrap_algorithm(WrapAlgorithm::FirstFit);
        textwrap::fill(&commands_kept(line), options).replace(KEPT_SPACE, " ")
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn commands_kept(line: &str) -> String {
    let pieces = line.split('`').enumerate();
    let kept = pieces.map(|(number, piece)| match number % 2 {
        0 => piece.to_owned(),
        _ => piece.replace(' ', KEPT_SPACE),
    });
    kept.collect::<Vec<_>>().join("`")
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
    }
}
