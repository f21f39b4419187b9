//! Perceptual hashes of a data set's pictures, kept between runs: a picture is decoded for its hash once.
//!
//! Invariant: the file is a memory, not a truth. It ends in a sum over its content and begins with the decoder's name; one that
//! doesn't fit is written anew.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use super::DataError;
use super::stored::Sample;
use crate::fs;
use crate::image::{Decoding, Limits, PerceptualHash, decoder_name};
use crate::progress::{Phase, Progress};

/// The name of the file in the cache's folder that holds the perceptual hashes.
pub const LOOKS_FILE: &str = "perceptual-hashes";
/// Bytes of a picture's content and hash.
const RECORD: usize = 40;
/// The most pictures that are remembered; beyond it those of other data sets are forgotten.
const MOST: usize = 1 << 20;

/// The perceptual hash of each picture; `None` for one that can't be decoded. Hashes that `folder` doesn't hold are computed, in
/// parallel, and added to it, if they can be.
///
/// # Errors
/// When the user stops; what was computed is kept.
pub fn looks(
    samples: &[Sample],
    folder: Option<&Path>,
    progress: Progress<'_>,
) -> Result<Vec<Option<PerceptualHash>>, DataError> {
    let path = folder.map(|folder| folder.join(LOOKS_FILE));
    let mut known = path.as_deref().map(recall).unwrap_or_default();
    let missing: BTreeMap<[u8; 32], &Sample> = samples
        .iter()
        .filter(|sample| !known.contains_key(&sample.content))
        .map(|sample| (sample.content, sample))
        .collect();
    let limits = Limits::default();
    let hash = |(content, sample): (&[u8; 32], &&Sample)| {
        if progress.cancelled() {
            return None;
        }
        let picture = sample.picture(&limits);
        progress.advance(1);
        Some((*content, PerceptualHash::of(&picture.ok()?)))
    };
    if !missing.is_empty() {
        progress.begin(Phase::Looks, missing.len() as u64, "look-alikes");
    }
    let fresh: Vec<([u8; 32], PerceptualHash)> = missing.par_iter().filter_map(hash).collect();
    if !missing.is_empty() {
        progress.end();
    }
    let learned = !fresh.is_empty();
    known.extend(fresh);
    if let Some(path) = path.filter(|_| learned) {
        if known.len() > MOST {
            let own: BTreeMap<_, _> =
                samples.iter().filter_map(|s| Some((s.content, *known.get(&s.content)?))).take(MOST).collect();
            remember(&path, &own);
        } else {
            remember(&path, &known);
        }
    }
    match progress.cancelled() {
        true => Err(DataError::Cancelled),
        false => Ok(samples.iter().map(|sample| known.get(&sample.content).copied()).collect()),
    }
}

fn header() -> Vec<u8> {
    format!("perceptual hashes 1, {}\n", decoder_name(Decoding::Full)).into_bytes()
}

/// What the file holds; nothing where it is missing, damaged or another decoder's.
fn recall(path: &Path) -> BTreeMap<[u8; 32], PerceptualHash> {
    let bytes = fs::read(path).unwrap_or_default();
    let records = || {
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
        let records = body.strip_prefix(header().as_slice())?;
        (blake3::hash(body).as_bytes() == sum && records.len().is_multiple_of(RECORD)).then_some(records)
    };
    let (records, _) = records().unwrap_or_default().as_chunks::<RECORD>();
    let pair = |record: &[u8; RECORD]| {
        let (content, hash) = (record.first_chunk::<32>()?, record.last_chunk::<8>()?);
        Some((*content, PerceptualHash::from(u64::from_le_bytes(*hash))))
    };
    records.iter().filter_map(pair).collect()
}

/// A file that can't be written costs the next run time, nothing else.
fn remember(path: &Path, known: &BTreeMap<[u8; 32], PerceptualHash>) {
    let mut bytes = header();
    for (content, hash) in known {
        bytes.extend_from_slice(content);
        bytes.extend_from_slice(&hash.bits().to_le_bytes());
    }
    let sum = blake3::hash(&bytes);
    bytes.extend_from_slice(sum.as_bytes());
    let _ = fs::write_atomic(path, &bytes);
}

#[cfg(test)]
mod tests {
    use super::super::{DataOptions, Drawing, draw, open};
    use super::*;

    #[test]
    fn a_hash_is_computed_once_and_a_damaged_file_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let photos = folder.path().join("photos");
        draw(&photos, &Drawing { per_class: 3, size: 64, seed: 1 }).unwrap();
        let samples = open(&photos, &DataOptions::default()).unwrap().train;
        let cache = folder.path().join("cache");
        let hashed = |folder: Option<&Path>| looks(&samples, folder, Progress::none()).unwrap();
        let hashes = hashed(Some(&cache));
        assert!(hashes.iter().all(Option::is_some));
        assert_eq!(hashes, hashed(None));
        let path = cache.join(LOOKS_FILE);
        let good = fs::read(&path).unwrap();
        assert_eq!(recall(&path).len(), samples.len());
        for place in (0..good.len()).step_by(7) {
            let mut altered = good.clone();
            altered[place] ^= 1;
            fs::write_atomic(&path, &altered).unwrap();
            assert!(recall(&path).is_empty(), "{place}");
            fs::write_atomic(&path, &good[..place]).unwrap();
            assert!(recall(&path).is_empty(), "{place}");
        }
        assert_eq!(hashed(Some(&cache)), hashes);
        assert_eq!(fs::read(&path).unwrap(), good);
        // What is in the file is not decoded again.
        std::fs::remove_dir_all(&photos).unwrap();
        assert_eq!(hashed(Some(&cache)), hashes);
        assert!(hashed(None).iter().all(Option::is_none));
    }
}
