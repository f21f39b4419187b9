//! The split of an earlier run, kept when pictures are added.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::columns::Columns;
use super::folder::Role;
use super::split::Content;
use super::{ClassCount, DataError, Dataset};

/// The name of the table in a run's folder.
const SPLIT: &str = "split.csv";

/// What became of an earlier split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The table.
    pub path: PathBuf,
    /// Pictures that it lists.
    pub known: usize,
    /// Pictures that it doesn't list.
    pub added: usize,
    /// Pictures that it lists and that aren't here any more.
    pub gone: usize,
}

/// A picture that a run's `split.csv` lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitLine {
    /// Relative to the data set; empty where the table has no such column, as a user's own may.
    pub path: String,
    /// Its class, or empty likewise.
    pub class: String,
    role: Role,
    /// BLAKE3 of the encoded file, as [`Sample::content`](super::Sample::content).
    pub content: [u8; 32],
}

impl SplitLine {
    /// Reads the table at `path`.
    ///
    /// # Errors
    /// When it can't be read, lacks the columns `split` and `content`, or a line of it is wrong.
    pub fn read(path: &Path) -> Result<Vec<SplitLine>, DataError> {
        let table = Columns::read(path)?;
        if !table.has("split") || !table.has("content") {
            return Err(table.lacks("the columns `split` and `content`, as a run's `split.csv` has them"));
        }
        let mut lines = Vec::new();
        for line in table.lines() {
            let text = |name: &str| line.get(name).unwrap_or_default().to_owned();
            let Some(role) = Role::of(&text("split")) else {
                return Err(line.wrong("the split `train`, `validation` or `test`", format!("`{}`", text("split"))));
            };
            let Some(content) = line.content()? else {
                return Err(line.wrong("a content of 64 hexadecimal digits", "``".to_owned()));
            };
            lines.push(SplitLine { path: text("path"), class: text("class"), role, content });
        }
        Ok(lines)
    }

    /// `train`, `validation` or `test`.
    pub fn side(&self) -> &'static str {
        self.role.name()
    }

    /// How many pictures of each class the lines list, in the order of `classes`.
    pub fn counts(lines: &[SplitLine], classes: &[String]) -> Vec<ClassCount> {
        let count =
            |class: &String, role: Role| lines.iter().filter(|line| line.role == role && line.class == *class).count();
        let counts = classes.iter().map(|class| ClassCount {
            class: class.clone(),
            train: count(class, Role::Train),
            validation: count(class, Role::Validation),
            test: count(class, Role::Test),
        });
        counts.collect()
    }
}

/// The side of each picture in an earlier split, by content.
#[derive(Debug)]
pub(super) struct Earlier {
    path: PathBuf,
    sides: BTreeMap<Content, Role>,
}

impl Earlier {
    /// Reads `split.csv`, or that of the run at `path`. A picture that it lists on several sides was on test, else trained.
    pub(super) fn read(path: &Path) -> Result<Earlier, DataError> {
        let path = if path.is_dir() { path.join(SPLIT) } else { path.to_owned() };
        let mut sides = BTreeMap::new();
        for SplitLine { role, content, .. } in SplitLine::read(&path)? {
            let known = sides.entry(content).or_insert(role);
            *known = stricter(*known, role);
        }
        Ok(Earlier { path, sides })
    }

    pub(super) fn side(&self, content: &Content) -> Option<Role> {
        self.sides.get(content).copied()
    }

    /// What the table knows of `data`.
    pub(super) fn kept(&self, data: &Dataset) -> Kept {
        let here: BTreeSet<Content> =
            data.sides().into_iter().flat_map(|(_, side)| side).map(|sample| sample.content).collect();
        let known = here.iter().filter(|content| self.sides.contains_key(*content)).count();
        Kept { path: self.path.clone(), known, added: here.len() - known, gone: self.sides.len() - known }
    }
}

/// Of two sides of one picture, the one that promises most: what was ever on test is never trained on.
fn stricter(a: Role, b: Role) -> Role {
    [Role::Test, Role::Train].into_iter().find(|side| [a, b].contains(side)).unwrap_or(Role::Validation)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fs;

    fn read(text: &[u8]) -> Result<Earlier, DataError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write_atomic(&folder.path().join(SPLIT), text).unwrap();
        Earlier::read(folder.path())
    }

    #[test]
    fn what_was_ever_on_test_stays_there() {
        let [a, b] = ["a".repeat(64), "b".repeat(64)];
        let text = format!("path,class,split,content\n1,x,train,{a}\n2,x,test,{a}\n3,x,validation,{b}\n");
        let earlier = read(text.as_bytes()).unwrap();
        assert_eq!(earlier.side(&[0xaa; 32]), Some(Role::Test));
        assert_eq!(earlier.side(&[0xbb; 32]), Some(Role::Validation));
        assert_eq!(earlier.side(&[0xcc; 32]), None);
    }

    #[test]
    fn mistakes_name_the_line() {
        let message = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        assert!(message("path,label\na,b\n").contains("line 1: expected the columns `split` and `content`"));
        assert!(
            message("split,content\ntrain,12\n")
                .contains("line 2: expected a content of 64 hexadecimal digits; got `12`")
        );
        assert!(message(&format!("split,content\nhold,{}\n", "a".repeat(64))).contains("line 2: expected the split"));
        assert!(message("split,content\ntrain\n").contains("line 2"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_split_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&[&b"split,content\n"[..], &bytes].concat());
        }
    }
}
