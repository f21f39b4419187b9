//! Data sets that are folders: `train/`, `val/` and `test/` with class folders in them, or class folders alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::stored::Candidate;
use super::tree::{Folder, Tree};
use super::{DataError, Warning, cifar, manifest};
use crate::error::did_you_mean;
use crate::image::is_picture_name;

/// What a data set holds, before any picture is read.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) classes: Vec<String>,
    pub(super) train: Vec<Candidate>,
    /// `None`: there is no validation folder, so that a split has to be made.
    pub(super) validation: Option<Vec<Candidate>>,
    pub(super) test: Vec<Candidate>,
    pub(super) ignored: usize,
    pub(super) warnings: Vec<Warning>,
}

impl Listing {
    pub(super) fn of(classes: Vec<String>) -> Listing {
        let (train, validation, test, warnings) = (Vec::new(), None, Vec::new(), Vec::new());
        Listing { classes, train, validation, test, ignored: 0, warnings }
    }

    /// The error for the first class folder without pictures.
    pub(super) fn require_pictures(&self) -> Result<(), DataError> {
        let empty = self.warnings.iter().find_map(|warning| match warning {
            Warning::EmptyClass { folder, .. } => Some(folder.clone()),
            _ => None,
        });
        empty.map_or(Ok(()), |path| Err(DataError::EmptyClass { path }))
    }

    fn set_validation(
        &mut self,
        part: &Part<'_>,
        prefix: &str,
        known: &[&str],
        trained: &Path,
        filter: &[String],
    ) -> Result<(), DataError> {
        part.require_classes()?;
        part.require_trained(known, trained, filter)?;
        if let Some(class) = self.classes.iter().find(|class| !part.folder.folders.contains_key(*class)) {
            let (found, missing) = (trained.to_owned(), part.path());
            return Err(DataError::NotInValidation { class: class.clone(), found, missing });
        }
        self.validation = Some(part.candidates(prefix, &mut self.ignored, &mut self.warnings, &self.classes));
        Ok(())
    }
}

/// What a folder at the top, or a line of a table, is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Train,
    Validation,
    Test,
}

impl Role {
    /// In the words of `split.csv`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Train => "train",
            Role::Validation => "validation",
            Role::Test => "test",
        }
    }

    pub(super) fn of(name: &str) -> Option<Role> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Role::Train),
            "val" | "valid" | "validation" => Some(Role::Validation),
            "test" | "testing" => Some(Role::Test),
            _ => None,
        }
    }
}

/// A folder of class folders, and its name: relative to the data set, with forward slashes, empty for the data set
/// itself.
#[derive(Debug, Clone)]
struct Part<'a> {
    tree: &'a Tree,
    name: String,
    folder: &'a Folder,
}

impl<'a> Part<'a> {
    fn child(&self, name: &str, folder: &'a Folder) -> Part<'a> {
        Part { tree: self.tree, name: joined(&self.name, name), folder }
    }

    fn path(&self) -> PathBuf {
        match self.name.as_str() {
            "" => self.tree.path.clone(),
            name => self.tree.path.join(name),
        }
    }

    fn classes(&self) -> Vec<&'a str> {
        self.folder.folders.keys().map(String::as_str).collect()
    }

    fn require_classes(&self) -> Result<(), DataError> {
        match (self.folder.folders.is_empty(), self.folder.pictures_here()) {
            (false, _) if self.folder.pictures() > 0 => Ok(()),
            (true, pictures) if pictures > 0 => Err(DataError::NoClassFolders { path: self.path(), pictures }),
            _ => Err(DataError::NoPictures { path: self.path() }),
        }
    }

    fn loose(&self) -> Option<Warning> {
        let pictures = self.folder.pictures_here();
        (pictures > 0).then(|| Warning::Loose { folder: self.path(), pictures })
    }

    /// Every class here (that the filter takes) must be one of `known`, which are trained.
    fn require_trained(&self, known: &[&str], trained: &Path, filter: &[String]) -> Result<(), DataError> {
        let taken = |class: &&str| filter.is_empty() || filter.iter().any(|chosen| chosen == class);
        match self.classes().into_iter().filter(taken).find(|class| !known.contains(class)) {
            None => Ok(()),
            Some(class) => {
                let (found, missing) = (self.path(), trained.to_owned());
                Err(DataError::NotInTraining { class: class.to_owned(), found, missing })
            }
        }
    }

    /// The pictures of those `classes` that are here, by path. Pictures in a class's sub-folders are the class's.
    fn candidates(
        &self,
        prefix: &str,
        ignored: &mut usize,
        warnings: &mut Vec<Warning>,
        classes: &[String],
    ) -> Vec<Candidate> {
        warnings.extend(self.loose());
        *ignored += self.folder.others;
        let mut found = Vec::new();
        for (label, class) in classes.iter().enumerate() {
            let Some(folder) = self.folder.folders.get(class) else { continue };
            if folder.pictures() == 0 {
                warnings.push(Warning::EmptyClass { class: class.clone(), folder: self.path().join(class) });
                continue;
            }
            let name = joined(prefix, &joined(&self.name, class));
            gather(folder, &name, label, &mut found, ignored);
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }
}

/// `folder/name`, or the name alone where the folder is the data set itself.
pub(super) fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// What lies beside the parts: other files, and what to warn of.
#[derive(Debug, Default)]
struct Beside {
    ignored: usize,
    warnings: Vec<Warning>,
}

/// Descends where a folder holds nothing but one other, as unpacked archives do.
pub(super) fn unwrap(tree: &Tree) -> (String, &Folder) {
    let (mut name, mut folder) = (String::new(), &tree.root);
    while let (true, 1, Some((child, below))) =
        (folder.files.is_empty(), folder.folders.len(), folder.folders.first_key_value())
    {
        let has_table = below.files.keys().any(|file| manifest::is_metadata(file));
        let holds_more = !below.folders.is_empty() || below.files.keys().any(|file| cifar::is_member(file));
        if Role::of(child).is_some() || !has_table && (below.pictures_here() > 0 || !holds_more) {
            break;
        }
        (name, folder) = (joined(&name, child), below);
    }
    (name, folder)
}

/// The parts of a data set, by their roles, or the data set itself as training pictures; and what lies beside them.
fn parts(tree: &Tree) -> Result<(BTreeMap<Role, Part<'_>>, Beside), DataError> {
    let (name, folder) = unwrap(tree);
    let top = Part { tree, name, folder };
    let roles: Vec<(&String, &Folder, Option<Role>)> =
        folder.folders.iter().map(|(name, folder)| (name, folder, Role::of(name))).collect();
    // A class may be called `train`, too: then its folder holds pictures, not class folders.
    let holds_classes = |folder: &Folder| folder.pictures_here() == 0 && folder.pictures() > 0;
    let by_role = !roles.is_empty()
        && (roles.iter().all(|(_, _, role)| role.is_some())
            || roles.iter().any(|(_, folder, role)| *role == Some(Role::Train) && holds_classes(folder)));
    if !by_role {
        return Ok((BTreeMap::from([(Role::Train, top)]), Beside::default()));
    }
    let mut parts: BTreeMap<Role, Part<'_>> = BTreeMap::new();
    let mut beside = Beside { ignored: folder.others, warnings: top.loose().into_iter().collect() };
    for (name, folder, role) in roles {
        let part = top.child(name, folder);
        match role {
            None => beside.warnings.push(Warning::Unused { folder: part.name }),
            Some(role) => {
                if let Some(first) = parts.insert(role, part) {
                    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
                    return Err(DataError::TwoFolders {
                        path: top.path(),
                        first: last(&first.name),
                        second: name.clone(),
                    });
                }
            }
        }
    }
    Ok((parts, beside))
}

/// Lists the pictures of a folder (or archive of folders); `filter` chooses and orders the classes. `own_validation`
/// says whether a validation folder in it is used.
pub(super) fn list(tree: &Tree, filter: &[String], own_validation: bool) -> Result<Listing, DataError> {
    let (mut parts, Beside { ignored, warnings }) = parts(tree)?;
    let Some(train) = parts.remove(&Role::Train) else {
        let found = parts.values().next().map(|part| part.name.clone()).unwrap_or_default();
        return Err(DataError::NoTrainingFolder { path: tree.path.clone(), found });
    };
    train.require_classes()?;
    let known = train.classes();
    let classes = chosen(&train.path(), &known, filter)?;
    let mut listing = Listing { ignored, warnings, ..Listing::of(classes) };
    listing.train = train.candidates("", &mut listing.ignored, &mut listing.warnings, &listing.classes);
    if let Some(part) = parts.remove(&Role::Validation) {
        if own_validation {
            listing.set_validation(&part, "", &known, &train.path(), filter)?;
        } else {
            listing.warnings.push(Warning::Unused { folder: part.name });
        }
    }
    if let Some(part) = parts.remove(&Role::Test) {
        part.require_classes()?;
        part.require_trained(&known, &train.path(), filter)?;
        listing.test = part.candidates("", &mut listing.ignored, &mut listing.warnings, &listing.classes);
        let absent = listing.classes.iter().filter(|class| !part.folder.folders.contains_key(*class));
        listing.warnings.extend(absent.map(|class| Warning::NotInTest { class: class.clone() }));
    }
    Ok(listing)
}

/// Takes the class folders of another folder as the validation set of what `trained` holds.
pub(super) fn validate_on(
    listing: &mut Listing,
    tree: &Tree,
    trained: &Path,
    filter: &[String],
) -> Result<(), DataError> {
    let (name, folder) = unwrap(tree);
    let classes = listing.classes.clone();
    let known: Vec<&str> = classes.iter().map(String::as_str).collect();
    listing.set_validation(&Part { tree, name, folder }, &tree.name(), &known, trained, filter)
}

/// Lists the pictures that a finished classifier is judged by: `test/`, else `val/`, else the class folders themselves.
pub(super) fn list_labelled(tree: &Tree, classes: &[String]) -> Result<Listing, DataError> {
    let (mut parts, Beside { ignored, mut warnings }) = parts(tree)?;
    let part = [Role::Test, Role::Validation, Role::Train].into_iter().find_map(|role| parts.remove(&role));
    let Some(part) = part else { return Err(DataError::NoPictures { path: tree.path.clone() }) };
    part.require_classes()?;
    warnings.extend(untrained(&part.path(), &part.classes(), classes)?);
    let mut listing = Listing { ignored, warnings, ..Listing::of(classes.to_vec()) };
    listing.test = part.candidates("", &mut listing.ignored, &mut listing.warnings, &listing.classes);
    Ok(listing)
}

/// A warning where some of the `found` classes aren't the classifier's, an error where none is.
pub(super) fn untrained(path: &Path, found: &[&str], classes: &[String]) -> Result<Option<Warning>, DataError> {
    let strange = |class: &&&str| classes.iter().all(|known| known != **class);
    let left_out: Vec<String> = found.iter().filter(strange).map(|class| (*class).to_owned()).collect();
    if left_out.len() == found.len() {
        return Err(DataError::NoKnownClass { path: path.to_owned(), found: left_out, known: classes.to_vec() });
    }
    Ok((!left_out.is_empty()).then_some(Warning::Untrained { classes: left_out }))
}

/// The classes that the filter takes of those that are there, in the filter's order: at least two.
pub(super) fn chosen(path: &Path, known: &[&str], filter: &[String]) -> Result<Vec<String>, DataError> {
    if filter.is_empty() {
        return match known {
            [class] => Err(DataError::OneClass { path: path.to_owned(), class: (*class).to_owned() }),
            all => Ok(all.iter().map(|class| (*class).to_owned()).collect()),
        };
    }
    for (place, class) in filter.iter().enumerate() {
        if filter[..place].contains(class) {
            return Err(DataError::RepeatedClass { class: class.clone() });
        }
        if !known.contains(&class.as_str()) {
            return Err(DataError::UnknownClass {
                class: class.clone(),
                path: path.to_owned(),
                hint: did_you_mean(class, known.iter().copied()),
                known: known.iter().map(|class| (*class).to_owned()).collect(),
            });
        }
    }
    match filter {
        [class] => {
            let known = known.iter().map(|class| (*class).to_owned()).collect();
            Err(DataError::OneChosen { class: class.clone(), known })
        }
        chosen => Ok(chosen.to_vec()),
    }
}

fn gather(folder: &Folder, name: &str, label: usize, found: &mut Vec<Candidate>, ignored: &mut usize) {
    *ignored += folder.others;
    for (file, stored) in &folder.files {
        if is_picture_name(Path::new(file)) {
            found.push(Candidate::new(joined(name, file), label, stored.clone()));
        } else {
            *ignored += 1;
        }
    }
    for (below, folder) in &folder.folders {
        gather(folder, &joined(name, below), label, found, ignored);
    }
}
