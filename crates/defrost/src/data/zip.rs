//! Zip archives: stored and deflated members, read by position.
//!
//! Invariant: what an archive claims never decides how much memory or time is taken. A member is inflated up to its stated
//! length, which is limited, and all members together can't state more than deflate could hold in the archive's bytes, so that
//! overlapping members (zip bombs) are refused.

use std::fs::File;
use std::io::{self, BufReader};
use std::sync::Arc;

use ::zip::{CompressionMethod, ZipArchive};

use super::stored::{ArchiveFile, Stored};
use super::tree::{Folder, place};

/// The most bytes that one member may unpack to: what a picture's file may have.
pub(super) const MEMBER_LIMIT: u64 = 512 << 20;

/// The most bytes that deflate makes of one.
const MOST_INFLATION: u64 = 1032;

/// Lists an archive; its members stay where they are.
pub(super) fn index(archive: Arc<ArchiveFile>) -> io::Result<Folder> {
    let end = archive.file.metadata()?.len();
    let mut members = ZipArchive::new(BufReader::new(File::try_clone(&archive.file)?))?;
    let mut root = Folder::default();
    let mut claimed = 0_u64;
    for number in 0..members.len() {
        let member = members.by_index_raw(number)?;
        if !member.is_file() || member.is_symlink() {
            continue;
        }
        let name = match std::str::from_utf8(member.name_raw()) {
            // Also without the flag that says so, as the Finder writes it.
            Ok(name) => name.to_owned(),
            Err(_) => member.name()?.into_owned(),
        };
        // Windows PowerShell writes `photos\cat\1.jpg`.
        let name = if name.contains('/') { name } else { name.replace('\\', "/") };
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the member {name} {what}"));
        let (offset, packed, length) = (member.data_start(), member.compressed_size(), member.size());
        let Some(offset) = offset.filter(|offset| offset.checked_add(packed).is_some_and(|last| last <= end)) else {
            return Err(wrong("is cut off"));
        };
        claimed = claimed.saturating_add(length);
        if claimed > end.saturating_mul(MOST_INFLATION) {
            return Err(wrong("and those before it claim to unpack to more bytes than the archive can hold"));
        }
        let (method, crc, encrypted) = (member.compression(), member.crc32(), member.encrypted());
        place(&mut root, &name, true, || {
            if encrypted {
                return Err(wrong("is encrypted"));
            }
            if length > MEMBER_LIMIT {
                return Err(wrong(&format!("unpacks to {length} bytes; at most {MEMBER_LIMIT} are read")));
            }
            let (packed, length) = (packed as usize, length as usize);
            let archive = Arc::clone(&archive);
            match method {
                CompressionMethod::Stored if packed == length => Ok(Stored::Member { archive, offset, length }),
                CompressionMethod::Deflated => Ok(Stored::Deflated { archive, offset, packed, length, crc }),
                CompressionMethod::Stored => Err(wrong("has two lengths")),
                other => Err(wrong(&format!("is compressed by {other}; only stored and deflated members are read"))),
            }
        })?;
    }
    Ok(root)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use ::zip::ZipWriter;
    use ::zip::write::SimpleFileOptions;
    use proptest::prelude::*;

    use super::super::DataError;
    use super::super::archive::tests::{FILES, opened};
    use super::*;

    /// A zip archive of files by name.
    pub(crate) fn zip_of(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
        let mut archive = ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        for (name, bytes) in files {
            archive.start_file(*name, options).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn stored_and_deflated_members_are_read_where_they_lie() {
        let long = [7; 10_000];
        let files = [&FILES[..], &[("set/b/3.png", &long)]].concat();
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let tree = opened("my.set.zip", &zip_of(&files, method), 0).unwrap();
            assert_eq!(tree.name(), "my.set");
            let set = &tree.root.folders["set"];
            assert_eq!((tree.root.folders.len(), set.others, set.pictures()), (1, 1, 3));
            let read = |class: &str, name: &str| set.folders[class].files[name].bytes().unwrap().into_owned();
            assert_eq!((read("a", "1.jpg"), read("a", "2.JPG")), (b"one".to_vec(), b"two".to_vec()));
            assert_eq!(read("b", "3.png"), long);
        }
    }

    #[test]
    fn no_name_leads_out() {
        let files: [(&str, &[u8]); 3] = [("../../a/1.jpg", b"1"), ("/etc/a/2.jpg", b"2"), ("a/../b/3.jpg", b"3")];
        let tree = opened("set.zip", &zip_of(&files, CompressionMethod::Stored), 0).unwrap();
        let names: Vec<&str> = tree.root.folders.keys().map(String::as_str).collect();
        assert_eq!((names, tree.root.pictures()), (vec!["a", "etc"], 3));
    }

    #[test]
    fn names_of_windows_and_of_the_finder_are_read_as_they_were_meant() {
        let files: [(&str, &[u8]); 2] = [("set\\a\\1.jpg", b"1"), ("set\\고양이\\2.jpg", b"2")];
        let mut bytes = zip_of(&files, CompressionMethod::Stored);
        // Without the flag of UTF-8, in both headers.
        for (magic, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
            let headers: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..].starts_with(magic)).collect();
            assert_eq!(headers.len(), 2);
            headers.iter().for_each(|at| bytes[at + flags + 1] &= !8);
        }
        let tree = opened("set.zip", &bytes, 0).unwrap();
        let names: Vec<&str> = tree.root.folders["set"].folders.keys().map(String::as_str).collect();
        assert_eq!(names, ["a", "고양이"]);
    }

    #[test]
    fn a_bomb_is_refused() {
        let zeros = vec![0; 4 << 20];
        let mut bytes = zip_of(&[("a/1.jpg", &zeros)], CompressionMethod::Deflated);
        assert!(opened("set.zip", &bytes, 0).is_ok());
        // The central directory's length of the member, 24 bytes into its entry.
        let entry = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
        bytes[entry + 24..entry + 28].copy_from_slice(&0xF000_0000_u32.to_le_bytes());
        let error = opened("set.zip", &bytes, 0).unwrap_err();
        assert!(error.to_string().contains("than the archive can hold"), "{error}");
        // A length below the truth ends the inflation there.
        bytes[entry + 24..entry + 28].copy_from_slice(&100_u32.to_le_bytes());
        let tree = opened("set.zip", &bytes, 0).unwrap();
        let error = tree.root.folders["a"].files["1.jpg"].bytes().unwrap_err();
        assert!(error.to_string().contains("a member is damaged"), "{error}");
    }

    #[test]
    fn damaged_archives_are_errors_not_panics() {
        let mut tried = 0;
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let bytes = zip_of(&FILES, method);
            for length in 0..bytes.len() {
                assert!(matches!(opened("set.zip", &bytes[..length], 0), Err(DataError::Archive { .. })), "{length}");
                let mut altered = bytes.clone();
                altered[length] ^= 0xff;
                if let Ok(tree) = opened("set.zip", &altered, 0) {
                    let _ = tree.root.folders.get("set").and_then(|set| set.folders.get("a")).map(|a| {
                        a.files.values().map(|stored| stored.bytes().map(|bytes| bytes.len())).collect::<Vec<_>>()
                    });
                }
                tried += 2;
            }
        }
        assert!(tried > 1000, "{tried}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_archive_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = opened("set.zip", &[&b"PK\x03\x04"[..], &bytes].concat(), 0);
        }
    }
}
