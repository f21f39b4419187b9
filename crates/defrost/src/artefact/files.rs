//! Where the files of a classifier lie: in a folder, or as members of one file.
//!
//! The one-file form is a zip archive whose members are the folder's files, stored as they are, `model.json` first. So any zip
//! program opens it, and reading it never inflates anything.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{ArtefactError, DESCRIPTION, damaged};
use crate::fs;

/// The ending that a classifier in one file should have.
pub const EXTENSION: &str = "defrost";

/// The files of a classifier, by name.
#[derive(Debug)]
pub(super) enum Files {
    Folder(PathBuf),
    Packed { path: PathBuf, members: BTreeMap<String, Vec<u8>> },
}

impl Files {
    /// Those at `path`, a folder or a file.
    pub(super) fn open(path: &Path) -> Result<Files, ArtefactError> {
        if path.is_dir() {
            return Ok(Files::Folder(path.to_owned()));
        }
        Files::packed(path, &fs::read(path)?)
    }

    /// Those of a file's bytes.
    pub(super) fn packed(path: &Path, bytes: &[u8]) -> Result<Files, ArtefactError> {
        let members = members(bytes).map_err(|reason| damaged(path, reason))?;
        Ok(Files::Packed { path: path.to_owned(), members })
    }

    /// The place of a file, for errors.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        match self {
            Files::Folder(folder) => folder.join(name),
            Files::Packed { path, .. } => path.join(name),
        }
    }

    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, ArtefactError> {
        match self {
            Files::Folder(folder) => Ok(fs::read(&folder.join(name))?),
            Files::Packed { path, members } => {
                members.get(name).cloned().ok_or_else(|| damaged(path, format!("it has no member {name}")))
            }
        }
    }

    pub(super) fn read_text(&self, name: &str) -> Result<String, ArtefactError> {
        String::from_utf8(self.read(name)?).map_err(|_| damaged(&self.place(name), "it isn't UTF-8".to_owned()))
    }
}

/// Whether the file at `path` is a classifier in one file.
pub(super) fn is_packed(path: &Path) -> bool {
    let begins = || {
        let mut file = std::fs::File::open(path).ok()?;
        // A local header: 30 bytes, then the first member's name.
        let mut head = [0; 30 + DESCRIPTION.len()];
        file.read_exact(&mut head).ok()?;
        Some(head.starts_with(b"PK\x03\x04") && head.ends_with(DESCRIPTION.as_bytes()))
    };
    path.is_file() && begins().unwrap_or(false)
}

/// Puts files into one, in their order.
pub(super) fn pack(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>, std::io::Error> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    // The earliest time that zip knows, so that the same classifier gives the same bytes.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    for (name, bytes) in files {
        archive.start_file(name.as_str(), options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// The members of an archive. Only stored ones: so they can't be longer than the archive.
fn members(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("it is no classifier in one file: {error}");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| wrong(&error))?;
    let mut members = BTreeMap::new();
    let mut total = 0;
    for number in 0..archive.len() {
        let mut member = archive.by_index(number).map_err(|error| wrong(&error))?;
        let name = member.name().map_err(|error| wrong(&error))?.into_owned();
        if member.compression() != CompressionMethod::Stored {
            return Err(wrong(&format!("the member {name} is compressed; members must be stored")));
        }
        total += member.size();
        if total > bytes.len() as u64 {
            return Err(wrong(&"its members overlap"));
        }
        let mut content = Vec::new();
        member
            .read_to_end(&mut content)
            .map_err(|error| wrong(&format!("the member {name} can't be read: {error}")))?;
        members.insert(name, content);
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn archive() -> Vec<u8> {
        let files = [(DESCRIPTION, vec![1; 40]), ("golden/1.png", vec![2; 300]), ("a", Vec::new())];
        pack(&files.map(|(name, bytes)| (name.to_owned(), bytes))).unwrap()
    }

    #[test]
    fn compressed_members_are_refused() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(DESCRIPTION, options).unwrap();
        writer.write_all(&[0; 10_000]).unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        assert!(members(&bytes).unwrap_err().contains("must be stored"));
    }

    proptest! {
        #[test]
        fn no_archive_makes_the_reader_fail_otherwise(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            end in any::<prop::sample::Index>(),
        ) {
            let mut bytes = archive();
            let whole = members(&bytes).unwrap();
            prop_assert_eq!(whole.len(), 3);
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            for bytes in [&bytes[..], &bytes[..end.index(bytes.len())]] {
                if let Ok(members) = members(bytes) {
                    prop_assert!(members.values().map(Vec::len).sum::<usize>() <= bytes.len());
                }
            }
        }
    }
}
