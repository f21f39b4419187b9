//! Archives as trees: tar, compressed tar, zip. Nothing is unpacked to disk.
//!
//! Invariant: members of tar and zip archives stay where they are and are read by position; only of a compressed tar archive,
//! which has no positions, the pictures are kept in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::stored::{ArchiveFile, Stored};
use super::tree::{Folder, place};
use super::{DataError, zip};
use crate::fs::FsError;
use crate::image::is_picture_name;

/// The most bytes of pictures that are kept in memory from a compressed archive: 4 GiB. An uncompressed one has no
/// limit, its members are read by position.
pub const ARCHIVE_LIMIT: u64 = 4 << 30;

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Tar,
    TarGz,
    Zip,
}

/// An archive's ending, of those that can be read.
pub(super) fn ending(name: &str) -> Option<&'static str> {
    [".tar.gz", ".tgz", ".tar", ".zip"].into_iter().find(|ending| name.to_ascii_lowercase().ends_with(ending))
}

/// Lists an archive's members; keeps at most `limit` bytes of a compressed tar archive in memory.
pub(super) fn open(path: &Path, limit: u64) -> Result<(Folder, Packing), DataError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(ending) = ending(&name) else {
        let remedy = if is_picture_name(path) {
            "give the folder that holds the class folders"
        } else {
            "give a folder that holds one folder for each class, or a table (.csv, .tsv, .jsonl) of paths and labels"
        };
        return Err(DataError::NotAFolder { path: path.to_owned(), remedy });
    };
    let mut file = File::open(path).map_err(FsError::at("read", path))?;
    // What it is, its first bytes say: browsers and people rename archives.
    let mut magic = [0; 4];
    let packing = match file.read_exact(&mut magic) {
        Ok(()) if magic[..2] == [0x1f, 0x8b] => Packing::TarGz,
        // A member's head, or the end of an archive without members.
        Ok(()) if magic == *b"PK\x03\x04" || magic == *b"PK\x05\x06" => Packing::Zip,
        _ if ending == ".zip" => Packing::Zip,
        _ => Packing::Tar,
    };
    let archive = |file| Arc::new(ArchiveFile { file, path: path.to_owned() });
    let tree = file.seek(SeekFrom::Start(0)).and_then(|_| match packing {
        Packing::TarGz => unpack(MultiGzDecoder::new(file), limit),
        Packing::Tar => index(archive(file)).map(Some),
        Packing::Zip => zip::index(archive(file)).map(Some),
    });
    match tree {
        Ok(Some(root)) => Ok((root, packing)),
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
        place_entry(&mut root, entry.header(), &entry.path_bytes(), stored)?;
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
        place_entry(&mut root, &header, &path, || {
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

/// Links and devices aren't pictures.
fn place_entry(
    root: &mut Folder,
    header: &tar::Header,
    path: &[u8],
    stored: impl FnOnce() -> io::Result<Stored>,
) -> io::Result<()> {
    let kind = header.entry_type();
    match kind.is_file() || kind.is_dir() {
        true => place(root, &String::from_utf8_lossy(path), kind.is_file(), stored),
        false => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::super::tree::Tree;
    use super::*;

    /// A tar archive of files by name.
    pub(crate) fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
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

    pub(crate) fn opened(name: &str, bytes: &[u8], limit: u64) -> Result<Tree, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        crate::fs::write_atomic(&path, bytes).unwrap();
        Tree::open_within(&path, limit)
    }

    pub(crate) const FILES: [(&str, &[u8]); 5] = [
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
            assert_eq!((tree.name().as_str(), tree.archive.is_some()), ("my.set", true));
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
}
