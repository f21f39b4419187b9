//! Right classes for pictures that were labelled or predicted wrongly: `relabel.csv`.
//!
//! A line names a picture by its `content`, by its `path` relative to the table, or by both, and says its `class`. What is among
//! the data gets that class, wherever it lies and on whichever side it is; what is not is added to the training pictures: such
//! pictures were chosen because a classifier failed on them, so that figures measured on them would say nothing of others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::columns::Columns;
use super::exclude::Exclude;
use super::folder::Role;
use super::split::Content;
use super::stored::{Candidate, Sample, Stored};
use super::{DataError, Dataset, Skipped, Warning};
use crate::fs;

/// A line of `relabel.csv`. Only `class`, and `path` or `content`, are needed; the rest tells people where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// The picture's file, relative to the table.
    pub path: Option<String>,
    /// BLAKE3 of the file.
    pub content: Option<[u8; 32]>,
    /// What the person called it.
    pub name: String,
    /// The class that was predicted.
    pub predicted: String,
    /// The right one.
    pub class: String,
    /// When it was marked, in UTC.
    pub time: String,
}

const HEADER: [&str; 6] = ["path", "content", "name", "predicted", "class", "time"];

/// Reads a `relabel.csv`.
///
/// # Errors
/// When it can't be read or a line doesn't say what it must.
pub fn read_marks(path: &Path) -> Result<Vec<Mark>, DataError> {
    Ok(numbered(path)?.into_iter().map(|(_, mark)| mark).collect())
}

/// Writes a `relabel.csv`.
///
/// # Errors
/// When the file can't be written.
pub fn write_marks(path: &Path, marks: &[Mark]) -> Result<(), DataError> {
    let rows = marks.iter().map(|mark| {
        let content = mark.content.map(|content| blake3::Hash::from(content).to_hex().to_string());
        let Mark { path, name, predicted, class, time, .. } = mark.clone();
        [path.unwrap_or_default(), content.unwrap_or_default(), name, predicted, class, time]
    });
    super::dataset::write_csv(path, HEADER, rows)
}

/// The lines with their numbers.
fn numbered(path: &Path) -> Result<Vec<(usize, Mark)>, DataError> {
    let table = Columns::read(path)?;
    if !table.has("class") || !table.has("path") && !table.has("content") {
        return Err(table.lacks("the columns `class` and `path` or `content`"));
    }
    let mark = |line: super::columns::Line<'_>| {
        let text = |name: &str| line.get(name).unwrap_or_default().to_owned();
        let (path, content) = (line.get("path").map(str::to_owned), line.content()?);
        if path.is_none() && content.is_none() {
            return Err(line.wrong("a path or a content", "neither".to_owned()));
        }
        let Some(class) = line.get("class").map(str::to_owned) else {
            return Err(line.wrong("a class", "none".to_owned()));
        };
        let (name, predicted, time) = (text("name"), text("predicted"), text("time"));
        Ok((line.number, Mark { path, content, name, predicted, class, time }))
    };
    table.lines().map(mark).collect()
}

/// The right classes, by content.
#[derive(Debug)]
pub(super) struct Relabel {
    path: PathBuf,
    lines: BTreeMap<Content, Line>,
    /// Lines without a content whose file isn't there.
    absent: Vec<usize>,
    added: BTreeSet<Content>,
}

#[derive(Debug)]
struct Line {
    number: usize,
    class: String,
    file: Option<PathBuf>,
}

impl Relabel {
    /// Reads the table, and the files of lines that tell no content.
    pub(super) fn read(path: &Path) -> Result<Relabel, DataError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut relabel =
            Relabel { path: path.to_owned(), lines: BTreeMap::new(), absent: Vec::new(), added: BTreeSet::new() };
        for (number, Mark { path: name, content, class, .. }) in numbered(path)? {
            let file = name.map(|name| folder.join(name));
            let content = match (content, &file) {
                (Some(content), _) => content,
                (None, Some(file)) if file.is_file() => *blake3::hash(&fs::read(file)?).as_bytes(),
                (None, _) => {
                    relabel.absent.push(number);
                    continue;
                }
            };
            if let Some(Line { number: first, class: other, .. }) = relabel.lines.get(&content)
                && *other != class
            {
                return Err(DataError::Table {
                    path: path.to_owned(),
                    line: number,
                    expected: format!("the class `{other}`, which line {first} gives the same picture"),
                    got: format!("`{class}`"),
                });
            }
            relabel.lines.entry(content).or_insert(Line { number, class, file });
        }
        Ok(relabel)
    }

    /// Gives the pictures of `data` their right classes and adds those that are missing, unless they are left out.
    pub(super) fn apply(&mut self, data: &mut Dataset, mut exclude: Option<&mut Exclude>) -> Result<(), DataError> {
        let mut labels = BTreeMap::new();
        for (content, line) in &self.lines {
            let Some(label) = data.classes.iter().position(|class| *class == line.class) else {
                return Err(DataError::NoSuchClass {
                    table: self.path.clone(),
                    line: line.number,
                    class: line.class.clone(),
                    classes: data.classes.clone(),
                });
            };
            labels.insert(*content, label);
        }
        let mut met = BTreeSet::new();
        for sample in [&mut data.train, &mut data.validation, &mut data.test].into_iter().flatten() {
            if let Some(label) = labels.get(&sample.content) {
                met.insert(sample.content);
                data.relabelled += usize::from(sample.label != *label);
                sample.label = *label;
            }
        }
        let mut unmet = std::mem::take(&mut self.absent);
        for (content, line) in self.lines.iter().filter(|(content, _)| !met.contains(*content)) {
            let shown = line.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
            if exclude.as_mut().is_some_and(|exclude| exclude.leaves_out(&shown, Some(content))) {
                data.excluded += usize::from(line.file.is_some());
                continue;
            }
            match added(content, line, labels[content], shown) {
                Some(Ok(sample)) => {
                    self.added.insert(*content);
                    data.train.push(sample);
                }
                Some(Err(skipped)) => data.skipped.push(skipped),
                None => unmet.push(line.number),
            }
        }
        data.added = self.added.len();
        data.train.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(first) = unmet.iter().min().copied() {
            let (table, lines) = (self.path.clone(), unmet.len());
            data.warnings.push(Warning::NothingToRelabel { table, lines, first });
        }
        Ok(())
    }

    /// The side of a picture that was added.
    pub(super) fn side(&self, content: &Content) -> Option<Role> {
        self.added.contains(content).then_some(Role::Train)
    }
}

/// The picture of a line that is not among the data; `None` where there is no such file.
fn added(content: &Content, line: &Line, label: usize, shown: String) -> Option<Result<Sample, Skipped>> {
    let file = line.file.as_ref().filter(|file| file.is_file())?;
    let sample = Candidate::new(shown, label, Stored::File(file.clone())).read(true);
    Some(match sample {
        Ok(sample) if sample.content != *content => {
            let reason = format!("it isn't the picture of line {} any more; mark it again", line.number);
            Err(Skipped { path: sample.path, label, content: Some(sample.content), reason })
        }
        read => read,
    })
}
