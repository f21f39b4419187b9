//! A data set's folders and files, the same for a folder on disk and for an archive.
//!
//! Invariant: what the systems leave in folders (hidden files, `__MACOSX`, `Thumbs.db`) isn't in the tree at all.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::archive::{self, Packing};
use super::folder::joined;
use super::stored::Stored;
use super::{DataError, cifar, manifest};
use crate::error::nearest;
use crate::fs::FsError;
use crate::image::is_picture_name;

/// The most folders that a member of an archive may lie in: the tree is walked by recursion.
const DEEPEST: usize = 64;

/// Names that a system makes for itself, besides those that begin with a dot.
const LITTER: [&str; 4] = ["__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir"];

/// Whether a file's name is that of a Parquet file.
pub(super) fn is_parquet(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// One level of the tree. Names are in byte order.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) folders: BTreeMap<String, Folder>,
    /// Pictures, by their names' endings, CIFAR's files, and tables of metadata.
    pub(super) files: BTreeMap<String, Stored>,
    /// How many other files lie here.
    pub(super) others: usize,
}

impl Folder {
    /// How many pictures lie here directly.
    pub(super) fn pictures_here(&self) -> usize {
        self.files.keys().filter(|name| is_picture_name(Path::new(name))).count()
    }

    /// The Parquet files here and below, with their paths.
    pub(super) fn parquet_files(&self, folder: &str) -> Vec<String> {
        let here = self.files.keys().filter(|name| is_parquet(name)).map(|name| joined(folder, name));
        let below = self.folders.iter().flat_map(|(name, below)| below.parquet_files(&joined(folder, name)));
        here.chain(below).collect()
    }

    /// How many pictures lie here and below.
    pub(super) fn pictures(&self) -> usize {
        self.pictures_here() + self.folders.values().map(Folder::pictures).sum::<usize>()
    }

    pub(super) fn insert(&mut self, name: &str, stored: impl FnOnce() -> io::Result<Stored>) -> io::Result<()> {
        if is_picture_name(Path::new(name)) || cifar::is_member(name) || manifest::is_metadata(name) || is_parquet(name)
        {
            self.files.insert(name.to_owned(), stored()?);
        } else {
            self.others += 1;
        }
        Ok(())
    }
}

/// A folder or archive that was given, with what is in it.
#[derive(Debug)]
pub(super) struct Tree {
    /// As it was given.
    pub(super) path: PathBuf,
    pub(super) root: Folder,
    /// How it is packed, if it is an archive.
    pub(super) archive: Option<Packing>,
}

impl Tree {
    /// Lists a folder, or an archive's members.
    pub(super) fn open(path: &Path) -> Result<Tree, DataError> {
        Tree::open_within(path, archive::ARCHIVE_LIMIT)
    }

    /// As [`open`](Tree::open), with at most `limit` bytes of a compressed tar archive.
    pub(super) fn open_within(path: &Path, limit: u64) -> Result<Tree, DataError> {
        let metadata = std::fs::metadata(path).map_err(|source| missing(path, source))?;
        let (root, archive) = match metadata.is_dir() {
            true => (walk(path)?, None),
            false => archive::open(path, limit).map(|(root, packing)| (root, Some(packing)))?,
        };
        Ok(Tree { path: path.to_owned(), root, archive })
    }

    /// The data set's name: the folder's, or the archive's without its endings.
    pub(super) fn name(&self) -> String {
        let named = match self.path.file_name() {
            Some(name) => name.to_owned(),
            // `.` and `..` have no name of their own.
            None => match self.path.canonicalize() {
                Ok(full) => full.file_name().unwrap_or(full.as_os_str()).to_owned(),
                Err(_) => self.path.as_os_str().to_owned(),
            },
        };
        let name = named.to_string_lossy().into_owned();
        match archive::ending(&name) {
            Some(ending) if self.archive.is_some() => name[..name.len() - ending.len()].to_owned(),
            _ => name,
        }
    }
}

/// The error for a path that can't be opened: with a did-you-mean of its siblings where it doesn't exist.
pub(super) fn missing(path: &Path, source: io::Error) -> DataError {
    if source.kind() != io::ErrorKind::NotFound {
        return FsError::at("read", path)(source).into();
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut siblings: Vec<String> = std::fs::read_dir(parent)
        .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    siblings.sort();
    // A picture isn't meant where a script of a similar name lies beside it.
    siblings.retain(|sibling| {
        let sibling = Path::new(sibling);
        sibling.extension() == path.extension() || sibling.file_stem() == path.file_stem()
    });
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hint = match nearest(&name, siblings.iter().map(String::as_str)) {
        Some(sibling) => format!("; did you mean `{}`?", path.with_file_name(sibling).display()),
        None => String::new(),
    };
    DataError::Missing { path: path.to_owned(), hint }
}

/// Lists a folder and everything below it; links are followed, but never back to a folder above.
pub(super) fn walk(path: &Path) -> Result<Folder, DataError> {
    let mut folder = Folder::default();
    let listing = std::fs::read_dir(path).map_err(FsError::at("read", path))?;
    for entry in listing {
        let entry = entry.map_err(FsError::at("read", path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_litter(&name) {
            continue;
        }
        let at = entry.path();
        match std::fs::metadata(&at) {
            Ok(metadata) if metadata.is_dir() => {
                if !leads_back(&at) {
                    folder.folders.insert(name, walk(&at)?);
                }
            }
            // Reading a pipe would wait for a writer, reading a device need never end.
            Ok(metadata) if !metadata.is_file() => folder.others += 1,
            // A link to nothing is treated as a file: reading it says what is wrong.
            Ok(_) | Err(_) => {
                folder.insert(&name, || Ok(Stored::File(at.clone()))).map_err(FsError::at("read", &at))?
            }
        }
    }
    Ok(folder)
}

/// Whether `folder` is a link to one of the folders that it lies in.
fn leads_back(folder: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    std::fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_symlink())
        && match (real(folder), folder.parent().and_then(real)) {
            (Some(target), Some(parent)) => parent.starts_with(target),
            _ => false,
        }
}

fn is_litter(name: &str) -> bool {
    name.starts_with('.') || LITTER.contains(&name)
}

/// Puts an archive's member into the tree: a file, or a folder with nothing in it yet. No name leads out of the tree: it is a
/// list of folders below the root, without `..`, drives or the root itself.
pub(super) fn place(
    root: &mut Folder,
    path: &str,
    is_file: bool,
    stored: impl FnOnce() -> io::Result<Stored>,
) -> io::Result<()> {
    let mut names: Vec<String> = Vec::new();
    for component in Path::new(path).components() {
        if let Component::Normal(name) = component {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    if names.len() > DEEPEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a member lies in too many folders"));
    }
    if names.iter().any(|name| is_litter(name)) {
        return Ok(());
    }
    let file = if is_file { names.pop() } else { None };
    let mut folder = root;
    for name in names {
        folder = folder.folders.entry(name).or_default();
    }
    match file {
        Some(name) => folder.insert(&name, stored),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_name_and_a_system_s_files_are_not_there() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a/1.jpg", "a/.2.jpg", ".git/3.jpg", "__MACOSX/4.jpg", "a/Thumbs.db", ".DS_Store", "a/readme.txt"]
        {
            crate::fs::write_atomic(&folder.path().join(name), b"").unwrap();
        }
        let root = walk(folder.path()).unwrap();
        assert_eq!((root.folders.len(), root.others, root.pictures()), (1, 0, 1));
        assert_eq!(root.folders["a"].others, 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        crate::fs::write_atomic(&at("elsewhere/1.jpg"), b"").unwrap();
        crate::fs::write_atomic(&at("set/a/2.jpg"), b"").unwrap();
        std::os::unix::fs::symlink(at("elsewhere"), at("set/b")).unwrap();
        std::os::unix::fs::symlink(at("set"), at("set/a/loop")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("set/a/broken.jpg")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("set/a/socket.jpg")).unwrap();
        let root = walk(&at("set")).unwrap();
        assert_eq!((root.folders["a"].pictures(), root.folders["b"].pictures()), (2, 1));
        assert_eq!(root.folders["a"].others, 1);
        assert!(root.folders["a"].folders.is_empty());
    }
}
