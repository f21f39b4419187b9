//! A data set's folders and files, the same for a folder on disk and for a tar archive.
//!
//! Invariant: what the systems leave in folders (hidden files, `__MACOSX`, `Thumbs.db`) isn't in the tree at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::DataError;
use super::cifar;
use super::stored::{ArchiveFile, Stored};
use crate::error::nearest;
use crate::fs::FsError;
use crate::image::is_picture_name;

/// The most bytes of pictures that are kept in memory from a compressed archive: 4 GiB. An uncompressed one has no
/// limit, its members are read by position.
pub const ARCHIVE_LIMIT: u64 = 4 << 30;

/// The most folders that a member of an archive may lie in: the tree is walked by recursion.
const DEEPEST: usize = 64;

/// Names that a system makes for itself, besides those that begin with a dot.
const LITTER: [&str; 4] = ["__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir"];

/// One level of the tree. Names are in byte order.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) folders: BTreeMap<String, Folder>,
    /// Pictures, by their names' endings, and CIFAR's files.
    pub(super) files: BTreeMap<String, Stored>,
    /// How many other files lie here.
    pub(super) others: usize,
}

impl Folder {
    /// How many pictures lie here directly.
    pub(super) fn pictures_here(&self) -> usize {
        self.files.keys().filter(|name| is_picture_name(Path::new(name))).count()
    }

    /// How many pictures lie here and below.
    pub(super) fn pictures(&self) -> usize {
        self.pictures_here() + self.folders.values().map(Folder::pictures).sum::<usize>()
    }

    fn insert(&mut self, name: &str, stored: impl FnOnce() -> io::Result<Stored>) -> io::Result<()> {
        if is_picture_name(Path::new(name)) || cifar::is_member(name) {
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
    /// Whether it is an archive.
    pub(super) archive: bool,
}

impl Tree {
    /// Lists a folder, or reads a `.tar`, `.tar.gz` or `.tgz`.
    pub(super) fn open(path: &Path) -> Result<Tree, DataError> {
        Tree::open_within(path, ARCHIVE_LIMIT)
    }

    fn open_within(path: &Path, limit: u64) -> Result<Tree, DataError> {
        let metadata = std::fs::metadata(path).map_err(|source| missing(path, source))?;
        let archive = !metadata.is_dir();
        let root = if archive { read_archive(path, limit)? } else { walk(path)? };
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
        match archive_ending(&name) {
            Some(ending) if self.archive => name[..name.len() - ending.len()].to_owned(),
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

fn archive_ending(name: &str) -> Option<&'static str> {
    [".tar.gz", ".tgz", ".tar"].into_iter().find(|ending| name.to_ascii_lowercase().ends_with(ending))
}

fn read_archive(path: &Path, limit: u64) -> Result<Folder, DataError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if archive_ending(&name).is_none() {
        let remedy = if is_picture_name(path) {
            "give the folder that holds the class folders"
        } else if name.to_ascii_lowercase().ends_with(".zip") {
            "unpack it and give the folder"
        } else {
            "give a folder that holds one folder for each class"
        };
        return Err(DataError::NotAFolder { path: path.to_owned(), remedy });
    }
    let mut file = File::open(path).map_err(FsError::at("read", path))?;
    let mut magic = [0; 2];
    let gzip = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    let tree = file.seek(SeekFrom::Start(0)).and_then(|_| match gzip {
        true => unpack(MultiGzDecoder::new(file), limit),
        false => index(Arc::new(ArchiveFile { file, path: path.to_owned() })).map(Some),
    });
    match tree {
        Ok(Some(root)) => Ok(root),
        Ok(None) => Err(DataError::ArchiveTooLarge { path: path.to_owned(), limit }),
        Err(source) => Err(DataError::Archive { path: path.to_owned(), source }),
    }
}

/// Lists an uncompressed archive; its members stay where they are.
fn index(archive: Arc<ArchiveFile>) -> io::Result<Folder> {
    let end = archive.file.metadata()?.len();
    let mut root = Folder::default();
    for entry in tar::Archive::new(&archive.file).entries_with_seek()? {
        let entry = entry?;
        let (offset, size) = (entry.raw_file_position(), entry.size());
        if offset.checked_add(size).is_none_or(|last| last > end) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last member is cut off"));
        }
        let length = usize::try_from(size).map_err(io::Error::other)?;
        let stored = || Ok(Stored::Member { archive: Arc::clone(&archive), offset, length });
        place(&mut root, entry.header(), &entry.path_bytes(), stored)?;
    }
    Ok(root)
}

/// Reads a compressed archive's pictures into memory; `None` when they are more than `limit` bytes.
fn unpack(compressed: impl Read, limit: u64) -> io::Result<Option<Folder>> {
    let mut root = Folder::default();
    let mut left = limit;
    let mut archive = tar::Archive::new(compressed);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let header = entry.header().clone();
        let path = entry.path_bytes().into_owned();
        let size = entry.size();
        let mut too_large = false;
        place(&mut root, &header, &path, || {
            if size > left {
                too_large = true;
                return Ok(Stored::Memory(Arc::new([])));
            }
            left -= size;
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            match bytes.len() as u64 == size {
                true => Ok(Stored::Memory(bytes.into())),
                false => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last member is cut off")),
            }
        })?;
        if too_large {
            return Ok(None);
        }
    }
    Ok(Some(root))
}

/// Puts an archive's member into the tree; links and devices aren't pictures.
fn place(
    root: &mut Folder,
    header: &tar::Header,
    path: &[u8],
    stored: impl FnOnce() -> io::Result<Stored>,
) -> io::Result<()> {
    let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
    let mut names: Vec<String> = Vec::new();
    for component in path.components() {
        if let Component::Normal(name) = component {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    if names.len() > DEEPEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a member lies in too many folders"));
    }
    let kind = header.entry_type();
    if names.iter().any(|name| is_litter(name)) || !(kind.is_file() || kind.is_dir()) {
        return Ok(());
    }
    let file = if kind.is_file() { names.pop() } else { None };
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
    use std::io::Write;

    use super::*;

    /// A tar archive of files by name.
    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, *bytes).unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    fn opened(name: &str, bytes: &[u8], limit: u64) -> Result<Tree, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        crate::fs::write_atomic(&path, bytes).unwrap();
        Tree::open_within(&path, limit)
    }

    const FILES: [(&str, &[u8]); 5] = [
        ("set/a/1.jpg", b"one"),
        ("./set/a/2.JPG", b"two"),
        ("set/notes.txt", b"notes"),
        ("set/a/._1.jpg", b"litter"),
        ("__MACOSX/set/a/1.jpg", b"litter"),
    ];

    #[test]
    fn both_kinds_of_archive_hold_the_same_tree() {
        let plain = tar_of(&FILES);
        for (name, bytes) in
            [("my.set.tar", plain.clone()), ("my.set.tgz", gzip(&plain)), ("my.set.TAR.GZ", gzip(&plain))]
        {
            let tree = opened(name, &bytes, 6).unwrap();
            assert_eq!((tree.name().as_str(), tree.archive), ("my.set", true));
            assert_eq!(tree.root.folders.keys().collect::<Vec<_>>(), ["set"]);
            let set = &tree.root.folders["set"];
            assert_eq!((set.others, set.pictures()), (1, 2));
            let files = &set.folders["a"].files;
            let read: Vec<_> = files.iter().map(|(name, stored)| (name.as_str(), stored.bytes().unwrap())).collect();
            assert_eq!(read, [("1.jpg", b"one".as_slice().into()), ("2.JPG", b"two".as_slice().into())]);
        }
    }

    #[test]
    fn a_compressed_archive_stays_within_its_limit() {
        let error = opened("set.tar.gz", &gzip(&tar_of(&FILES)), 5).unwrap_err();
        assert!(matches!(error, DataError::ArchiveTooLarge { limit: 5, .. }), "{error}");
    }

    #[test]
    fn damaged_archives_are_errors_not_panics() {
        let plain = tar_of(&FILES);
        let mut tried = 0;
        for (name, bytes) in [("set.tar", plain.clone()), ("set.tar.gz", gzip(&plain))] {
            for length in (0..bytes.len()).step_by(37) {
                // What is cut between two members passes for a shorter archive; no member may.
                if let Ok(tree) = opened(name, &bytes[..length], 100) {
                    let found = tree.root.folders.get("set").and_then(|set| set.folders.get("a"));
                    for (name, stored) in found.iter().flat_map(|folder| &folder.files) {
                        let whole: &[u8] = if name == "1.jpg" { b"one" } else { b"two" };
                        assert_eq!(stored.bytes().unwrap(), whole);
                    }
                }
                let mut altered = bytes.clone();
                altered[length] ^= 0xff;
                let _ = opened(name, &altered, 100);
                tried += 2;
            }
        }
        assert!(tried > 100, "{tried}");
    }

    #[test]
    fn a_path_of_endless_folders_is_refused() {
        let deep = format!("{}1.jpg", "a/".repeat(5000));
        let error = opened("set.tar", &tar_of(&[(&deep, b"one")]), 100).unwrap_err();
        assert!(error.to_string().contains("too many folders"), "{error}");
    }

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
