//! A data set that a table describes: a manifest that was given, or `metadata.csv` beside the pictures.
//!
//! Invariant: a table names pictures by paths relative to its own folder. One inside an archive reaches nothing outside it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::folder::{Listing, Role, chosen, joined, untrained, unwrap};
use super::manifest::{self, Format, Record};
use super::stored::{Candidate, Stored};
use super::tree::{Folder, Tree};
use super::{DataError, Warning, tree};
use crate::fs;

/// The lines of a table (or of one in each of `train/`, `val/`, `test/`), each with its picture's place.
#[derive(Debug)]
pub(super) struct Table {
    /// The table, or the folder or archive that it lies in.
    pub(super) path: PathBuf,
    pub(super) rows: Vec<Row>,
    /// The classes in the order of their numbers, where it says that.
    pub(super) order: Option<Vec<String>>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) side: Role,
    /// Its label is still to be mapped.
    pub(super) candidate: Candidate,
}

impl Table {
    /// A manifest.
    pub(super) fn open(path: &Path, format: Format) -> Result<Table, DataError> {
        let bytes = fs::read(path).map_err(|error| match error.source.kind() {
            std::io::ErrorKind::NotFound => tree::missing(path, error.source),
            _ => error.into(),
        })?;
        let records = manifest::parse(path, format, &bytes)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            let Some(label) = record.label.clone() else {
                return Err(DataError::NoLabels { path: path.to_owned() });
            };
            let stored = Stored::File(folder.join(&record.path));
            rows.push(Row::new(record, label, "", None, stored));
        }
        Ok(Table { path: path.to_owned(), rows, order: None })
    }

    /// The tables of metadata in a tree: beside all pictures, or in its `train`, `val` and `test` folders. `None` where there
    /// are none, or where they name no labels: then folders do.
    pub(super) fn in_tree(tree: &Tree) -> Result<Option<Table>, DataError> {
        let (name, top) = unwrap(tree);
        let mut parts = vec![(name.clone(), top, None)];
        for (child, folder) in &top.folders {
            if let Some(role) = Role::of(child) {
                parts.push((joined(&name, child), folder, Some(role)));
            }
        }
        let mut rows = Vec::new();
        for (name, folder, side) in parts {
            for (file, stored) in folder.files.iter().filter(|(file, _)| manifest::is_metadata(file)) {
                let Some(format) = Format::of(file) else { continue };
                let path = tree.path.join(&name).join(file);
                for record in manifest::parse(&path, format, &stored.bytes()?)? {
                    let Some(label) = record.label.clone() else { return Ok(None) };
                    let stored = match (find(folder, &record.path), tree.archive) {
                        (Some(stored), _) => stored.clone(),
                        (None, Some(_)) => Stored::Absent(tree.path.join(&name).join(&record.path)),
                        (None, None) => Stored::File(tree.path.join(&name).join(&record.path)),
                    };
                    rows.push(Row::new(record, label, &name, side, stored));
                }
            }
        }
        Ok((!rows.is_empty()).then(|| Table { path: tree.path.clone(), rows, order: None }))
    }

    /// The classes: in the given order, by number where all are numbers, else in byte order.
    fn classes(&self) -> Vec<&str> {
        let names: BTreeSet<&str> = self.rows.iter().map(|row| row.label.as_str()).collect();
        if let Some(order) = &self.order {
            return order.iter().map(String::as_str).filter(|name| names.contains(name)).collect();
        }
        let mut names: Vec<&str> = names.into_iter().collect();
        let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
        if let Some(numbers) = numbers {
            let numbers: BTreeMap<&str, i64> = names.iter().copied().zip(numbers).collect();
            names.sort_by_key(|name| (numbers.get(name).copied(), *name));
        }
        names
    }

    /// Whether it says which pictures to validate on.
    fn has(&self, side: Role) -> bool {
        self.rows.iter().any(|row| row.side == side)
    }

    /// Lists the pictures by side; `filter` chooses and orders the classes. `own_validation` says whether validation lines are
    /// used.
    pub(super) fn list(self, filter: &[String], own_validation: bool) -> Result<Listing, DataError> {
        let classes = chosen(&self.path, &self.classes(), filter)?;
        let mut listing = Listing::of(classes);
        for side in [Role::Validation, Role::Test] {
            let classes: BTreeSet<&str> = self.of(side).map(|row| row.label.as_str()).collect();
            let trained: BTreeSet<&str> = self.of(Role::Train).map(|row| row.label.as_str()).collect();
            let taken = |class: &&&str| listing.classes.iter().any(|own| own == **class);
            if let Some(class) = classes.difference(&trained).find(taken) {
                return Err(self.one_sided(class, side, Role::Train));
            }
            let lacking = trained.difference(&classes).filter(taken).copied();
            match side {
                Role::Validation if own_validation && !classes.is_empty() => {
                    if let Some(class) = { lacking }.next() {
                        return Err(self.one_sided(class, Role::Train, side));
                    }
                }
                Role::Test if !classes.is_empty() => {
                    let absent: Vec<Warning> =
                        lacking.map(|class| Warning::NotInTest { class: class.to_owned() }).collect();
                    listing.warnings.extend(absent);
                }
                _ => {}
            }
        }
        if !own_validation && self.has(Role::Validation) {
            listing.warnings.push(Warning::LinesUnused { lines: self.of(Role::Validation).count() });
        }
        let has_validation = own_validation && self.has(Role::Validation);
        let [train, validation, test] = self.candidates(&listing.classes);
        listing.train = train;
        listing.validation = has_validation.then_some(validation);
        listing.test = test;
        Ok(listing)
    }

    /// Lists the pictures that a finished classifier is judged by: the test lines, else the validation lines, else all.
    pub(super) fn list_labelled(self, classes: &[String]) -> Result<Listing, DataError> {
        let side = [Role::Test, Role::Validation].into_iter().find(|side| self.has(*side));
        let mut listing = Listing::of(classes.to_vec());
        let found: BTreeSet<&str> = self
            .rows
            .iter()
            .filter(|row| side.is_none_or(|side| row.side == side))
            .map(|row| row.label.as_str())
            .collect();
        let found: Vec<&str> = found.into_iter().collect();
        listing.warnings.extend(untrained(&self.path, &found, classes)?);
        let [train, validation, test] = self.candidates(classes);
        listing.test = match side {
            Some(Role::Test) => test,
            Some(_) => validation,
            None => train,
        };
        Ok(listing)
    }

    fn of(&self, side: Role) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.side == side)
    }

    fn one_sided(&self, class: &str, side: Role, missing: Role) -> DataError {
        let (class, [side, missing]) = (class.to_owned(), [side, missing].map(Role::name));
        DataError::ClassOnOneSide { path: self.path.clone(), class, side, missing }
    }

    /// The pictures of those `classes`, by side, in the order of their paths.
    fn candidates(self, classes: &[String]) -> [Vec<Candidate>; 3] {
        let labels: BTreeMap<&str, usize> = classes.iter().map(String::as_str).zip(0..).collect();
        let mut sides = [const { Vec::new() }; 3];
        for Row { label, side, candidate } in self.rows {
            if let Some(&label) = labels.get(label.as_str()) {
                sides[side as usize].push(Candidate { label, ..candidate });
            }
        }
        sides.iter_mut().for_each(|side| side.sort_by(|a, b| a.path.cmp(&b.path)));
        sides
    }
}

impl Row {
    /// `folder` is the table's, in the data set, and `side` what it is for. Without either, the first folder of the picture's
    /// path may say it.
    fn new(record: Record, label: String, folder: &str, side: Option<Role>, stored: Stored) -> Row {
        let first = record.path.split_once('/').and_then(|(first, _)| Role::of(first));
        let side = record.side.or(side).or(first).unwrap_or(Role::Train);
        let Record { path, group, weight, line, .. } = record;
        let candidate =
            Candidate { group, weight, line: Some(line), ..Candidate::new(joined(folder, &path), 0, stored) };
        Row { label, side, candidate }
    }
}

/// The file at `path` below `folder`, if the tree has it.
fn find<'a>(folder: &'a Folder, path: &str) -> Option<&'a Stored> {
    let mut names = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => names.push(name.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    let file = names.pop()?;
    let folder = names.into_iter().try_fold(folder, |folder, name| folder.folders.get(name))?;
    folder.files.get(file)
}
