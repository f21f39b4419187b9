//! Pictures that are left out, by a table with the columns `path`, `content` or both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::columns::Columns;
use super::split::Content;
use super::{DataError, Warning};

/// The pictures to leave out, and which lines have met one.
#[derive(Debug)]
pub(super) struct Exclude {
    path: PathBuf,
    lines: Vec<Line>,
    by_path: BTreeMap<String, Vec<usize>>,
    by_content: BTreeMap<Content, Vec<usize>>,
}

#[derive(Debug)]
struct Line {
    number: usize,
    content: Option<Content>,
    met: bool,
}

impl Exclude {
    /// Reads the table. Where a line has both, both must agree: of two copies only the one at that path is meant, and a file
    /// that has changed since isn't.
    pub(super) fn read(path: &Path) -> Result<Exclude, DataError> {
        let table = Columns::read(path)?;
        if !table.has("path") && !table.has("content") {
            return Err(table.lacks("a column `path` or `content`"));
        }
        let mut exclude =
            Exclude { path: path.to_owned(), lines: Vec::new(), by_path: BTreeMap::new(), by_content: BTreeMap::new() };
        for line in table.lines() {
            let (index, content) = (exclude.lines.len(), line.content()?);
            match (line.get("path"), content) {
                (Some(path), _) => exclude.by_path.entry(path.to_owned()).or_default().push(index),
                (None, Some(content)) => exclude.by_content.entry(content).or_default().push(index),
                (None, None) => return Err(line.wrong("a path or a content", "neither".to_owned())),
            }
            exclude.lines.push(Line { number: line.number, content, met: false });
        }
        Ok(exclude)
    }

    /// Whether the picture is left out; `content` is `None` where its bytes couldn't be read.
    pub(super) fn leaves_out(&mut self, path: &str, content: Option<&Content>) -> bool {
        let Exclude { lines, by_path, by_content, .. } = self;
        let named = by_path.get(path).into_iter().flatten();
        let known = content.and_then(|content| by_content.get(content)).into_iter().flatten();
        let mut left_out = false;
        for index in named.chain(known) {
            let line = &mut lines[*index];
            if line.content.is_none_or(|wanted| content.is_none_or(|content| wanted == *content)) {
                (line.met, left_out) = (true, true);
            }
        }
        left_out
    }

    /// A warning of the lines that met no picture.
    pub(super) fn unmet(&self) -> Option<Warning> {
        let mut unmet = self.lines.iter().filter(|line| !line.met);
        let first = unmet.next()?.number;
        Some(Warning::NothingToExclude { table: self.path.clone(), lines: 1 + unmet.count(), first })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fs;

    fn read(text: &[u8]) -> Result<Exclude, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("exclude.csv");
        fs::write_atomic(&path, text).unwrap();
        Exclude::read(&path)
    }

    #[test]
    fn a_line_means_a_path_a_content_or_the_one_at_the_other() {
        let [a, b] = ["a".repeat(64), "b".repeat(64)];
        let text = format!("reason,path,content\nbad,x/1.jpg,\nold,,{a}\ncopy,x/2.jpg,{b}\nlost,x/9.jpg,{b}\n");
        let mut exclude = read(text.as_bytes()).unwrap();
        let mut out = |path: &str, content: u8| exclude.leaves_out(path, Some(&[content; 32]));
        assert_eq!([out("x/1.jpg", 1), out("x/3.jpg", 0xaa), out("x/2.jpg", 0xbb)], [true; 3]);
        assert_eq!([out("x/2.jpg", 0xcc), out("x/4.jpg", 0xbb), out("x/4.jpg", 1)], [false; 3]);
        assert!(matches!(exclude.unmet(), Some(Warning::NothingToExclude { lines: 1, first: 5, .. })));
        assert!(exclude.leaves_out("x/9.jpg", None));
        assert_eq!(exclude.unmet(), None);
    }

    #[test]
    fn mistakes_name_the_line() {
        let message = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        assert!(message("file\nx\n").ends_with("line 1: expected a column `path` or `content`; got file"));
        assert!(
            message("path,content\na,xyz\n").contains("line 2: expected a content of 64 hexadecimal digits; got `xyz`")
        );
        assert!(message("path,content\n,\n").ends_with("line 2: expected a path or a content; got neither"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_list_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&[&b"path,content\n"[..], &bytes].concat());
        }
    }
}
