//! Plants faults into a copy of a data set and says which of them a diagnosis has found: the measurement behind
//! `docs/guides/doctor.md`.
//!
//! ```text
//! plant faults SOURCE COPY SEED    copies, leaks and damaged files; the list of them goes to COPY.json
//! plant swaps SOURCE COPY SEED     5 % of the labels are changed; the list goes to COPY.json
//! plant found COPY.json DIAGNOSIS.json           what of the faults is found, as a table
//! plant curve PLANTED.json DIAGNOSIS.json …      precision and recall of the label errors, over all pairs of files
//! ```
//!
//! SOURCE holds `train/` and `val/` with a folder for each class. DIAGNOSIS.json is what `defrost doctor COPY --json` prints.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use defrost::fs;
use defrost::rng::Stream;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, GenericImageView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

type Outcome = Result<(), Box<dyn Error>>;

/// A fault, and the finding that it should become.
#[derive(Serialize, Deserialize)]
struct Planted {
    /// What was done: `re-encoded`, `cut off`, …
    how: String,
    /// Kinds of findings that tell of it.
    kinds: Vec<String>,
    /// Paths that one finding must name together.
    paths: Vec<String>,
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["faults", source, copy, seed] => faults(Path::new(source), Path::new(copy), seed.parse()?),
        ["swaps", source, copy, seed] => swaps(Path::new(source), Path::new(copy), seed.parse()?),
        ["found", planted, diagnosis] => found(planted, diagnosis),
        ["curve", ref files @ ..] if !files.is_empty() && files.len().is_multiple_of(2) => curve(files),
        _ => Err("plant faults|swaps SOURCE COPY SEED, plant found|curve PLANTED.json DIAGNOSIS.json".into()),
    }
}

/// The pictures of a folder, below it, in byte order.
fn pictures(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(folder)?.to_string_lossy().into_owned()),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A copy of a data set, with the pictures that no fault has used yet in random order.
struct Copy {
    folder: PathBuf,
    unused: Vec<String>,
    stream: Stream,
    planted: Vec<Planted>,
}

impl Copy {
    fn new(source: &Path, folder: &Path, seed: u64) -> Result<Copy, Box<dyn Error>> {
        let names = pictures(source)?;
        for name in &names {
            fs::write_atomic(&folder.join(name), &fs::read(&source.join(name))?)?;
        }
        let stream = Stream::new(seed, "plant", &[]);
        let order = Stream::new(seed, "pictures", &[]).permutation(names.len());
        let unused = order.into_iter().map(|number| names[number].clone()).collect();
        Ok(Copy { folder: folder.to_owned(), unused, stream, planted: Vec::new() })
    }

    /// A picture of a side that no fault has used.
    fn take(&mut self, side: &str) -> Result<String, Box<dyn Error>> {
        let place = self.unused.iter().position(|name| name.starts_with(side)).ok_or("too few pictures")?;
        Ok(self.unused.remove(place))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
        Ok(fs::read(&self.folder.join(name))?)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Outcome {
        Ok(fs::write_atomic(&self.folder.join(name), bytes)?)
    }

    fn plant(&mut self, how: &str, kinds: &[&str], paths: &[&str]) {
        let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        self.planted.push(Planted { how: how.to_owned(), kinds: owned(kinds), paths: owned(paths) });
    }

    fn finish(&self) -> Outcome {
        Ok(fs::write_atomic(&self.folder.with_extension("json"), &serde_json::to_vec_pretty(&self.planted)?)?)
    }
}

/// `train/roses/a.jpg` → `val/tulips/SUFFIX-a.jpg`, for parts that change.
fn renamed(name: &str, side: Option<&str>, class: Option<&str>, suffix: &str) -> String {
    let parts: Vec<&str> = name.split('/').collect();
    format!("{}/{}/{suffix}-{}", side.unwrap_or(parts[0]), class.unwrap_or(parts[1]), parts[2])
}

fn another_class(name: &str, stream: &mut Stream, classes: &[String]) -> String {
    let others: Vec<&String> = classes.iter().filter(|class| name.split('/').nth(1) != Some(class)).collect();
    others[stream.below(others.len() as u32) as usize].clone()
}

fn classes(source: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut classes = BTreeSet::new();
    for name in pictures(source)? {
        classes.insert(name.split('/').nth(1).ok_or("a picture beside the class folders")?.to_owned());
    }
    Ok(classes.into_iter().collect())
}

/// Near copies as they come about.
const CHANGES: [&str; 5] = ["re-encoded", "resized", "cropped", "brightened", "cropped, brightened and re-encoded"];

fn changed(bytes: &[u8], how: &str, stream: &mut Stream) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut picture = image::load_from_memory(bytes)?;
    let mut quality = 92;
    if how.contains("resized") {
        let share = stream.range(0.4, 0.9);
        let side = |length: u32| (length as f32 * share).round().max(1.0) as u32;
        picture = picture.resize_exact(side(picture.width()), side(picture.height()), FilterType::Triangle);
    }
    if how.contains("cropped") {
        // Up to 4 % off each edge.
        let (width, height) = picture.dimensions();
        let mut off = |length: u32| (length as f32 * stream.range(0.0, 0.04)) as u32;
        let (left, right, top, bottom) = (off(width), off(width), off(height), off(height));
        picture = picture.crop_imm(left, top, width - left - right, height - top - bottom);
    }
    if how.contains("brightened") {
        picture = picture.brighten(stream.range(10.0, 40.0) as i32);
    }
    if how.contains("re-encoded") {
        quality = 40 + stream.below(40) as u8;
    }
    let mut out = Vec::new();
    DynamicImage::ImageRgb8(picture.to_rgb8()).write_with_encoder(JpegEncoder::new_with_quality(&mut out, quality))?;
    Ok(out)
}

fn faults(source: &Path, folder: &Path, seed: u64) -> Outcome {
    let classes = classes(source)?;
    let mut copy = Copy::new(source, folder, seed)?;
    for number in 0..10 {
        let name = copy.take("train")?;
        let twin = renamed(&name, None, None, "copy");
        copy.write(&twin, &copy.read(&name)?)?;
        copy.plant("exact copy", &["duplicate"], &[&name, &twin]);

        let name = copy.take("train")?;
        let twin = renamed(&name, Some("val"), None, "leak");
        copy.write(&twin, &copy.read(&name)?)?;
        copy.plant("exact leak into val", &["leak"], &[&name, &twin]);

        let name = copy.take("train")?;
        let twin = renamed(&name, Some("test"), None, "leak");
        copy.write(&twin, &copy.read(&name)?)?;
        copy.plant("exact leak into test", &["leak"], &[&name, &twin]);

        let name = copy.take("train")?;
        let twin = renamed(&name, None, Some(&another_class(&name, &mut copy.stream, &classes)), "conflict");
        copy.write(&twin, &copy.read(&name)?)?;
        copy.plant("exact copy in another class", &["conflicting_labels"], &[&name, &twin]);

        for how in CHANGES {
            let side = ["train", "val", "test"][number % 3];
            let kind = if side == "train" { "near_duplicate" } else { "leak" };
            let name = copy.take("train")?;
            let twin = renamed(&name, Some(side), None, "near");
            let bytes = changed(&copy.read(&name)?, how, &mut copy.stream)?;
            copy.write(&twin, &bytes)?;
            let goal = if side == "train" { "near copy" } else { "near leak" };
            copy.plant(&format!("{goal}: {how}"), &[kind], &[&name, &twin]);
        }

        let name = copy.take("train")?;
        let bytes = copy.read(&name)?;
        let length = bytes.len() as f32 * copy.stream.range(0.1, 0.98);
        copy.write(&name, &bytes[..length as usize])?;
        copy.plant("cut off", &["truncated"], &[&name]);

        let name = copy.take("train")?;
        let bytes = copy.read(&name)?;
        let broken: Vec<u8> = match number % 4 {
            0 => Vec::new(),
            1 => b"<html>404 Not Found</html>".to_vec(),
            2 => vec![0; bytes.len()],
            _ => (0..bytes.len()).map(|_| copy.stream.next_u32() as u8).collect(),
        };
        copy.write(&name, &broken)?;
        copy.plant("replaced by nothing, text, zeros or noise", &["unreadable"], &[&name]);

        // As a disk or a download leaves them; behind whatever stands before the pixels.
        for how in ["zeros", "noise", "a gap"] {
            let name = copy.take("train")?;
            let mut bytes = copy.read(&name)?;
            let start = (bytes.len() as f32 * copy.stream.range(0.6, 0.8)) as usize;
            let lost = start..start + bytes.len() / 10;
            match how {
                "zeros" => bytes[lost].fill(0),
                "noise" => bytes[lost].iter_mut().for_each(|byte| *byte = copy.stream.next_u32() as u8),
                _ => drop(bytes.drain(lost)),
            }
            copy.write(&name, &bytes)?;
            copy.plant(&format!("{how} in the pixels"), &["damaged", "unreadable", "truncated"], &[&name]);
        }

        let name = copy.take("train")?;
        let mut png = Cursor::new(Vec::new());
        image::load_from_memory(&copy.read(&name)?)?.write_to(&mut png, image::ImageFormat::Png)?;
        copy.write(&name, &png.into_inner())?;
        copy.plant("PNG named .jpg", &["wrong_extension"], &[&name]);
    }
    copy.finish()
}

/// The share of the labels that is changed.
const SWAPPED: f64 = 0.05;

fn swaps(source: &Path, folder: &Path, seed: u64) -> Outcome {
    let classes = classes(source)?;
    let mut copy = Copy::new(source, folder, seed)?;
    let count = (SWAPPED * copy.unused.len() as f64).round() as usize;
    let names: Vec<String> = copy.unused.drain(..count).collect();
    for name in names {
        let wrong = renamed(&name, None, Some(&another_class(&name, &mut copy.stream, &classes)), "swapped");
        std::fs::rename(copy.folder.join(&name), copy.folder.join(&wrong))?;
        copy.plant("label changed", &["label_error"], &[&wrong]);
    }
    copy.finish()
}

fn json<T: for<'a> Deserialize<'a>>(path: &str) -> Result<T, Box<dyn Error>> {
    Ok(serde_json::from_slice(&fs::read(Path::new(path))?)?)
}

/// The paths of a finding.
fn paths(finding: &Value) -> BTreeSet<&str> {
    let pictures = finding["pictures"].as_array().into_iter().flatten();
    pictures.filter_map(|picture| picture["path"].as_str()).collect()
}

fn found(planted: &str, diagnosis: &str) -> Outcome {
    let planted: Vec<Planted> = json(planted)?;
    let diagnosis: Value = json(diagnosis)?;
    let findings: Vec<&Value> = diagnosis["findings"].as_array().into_iter().flatten().collect();
    let is_found = |fault: &Planted| {
        findings.iter().any(|finding| {
            let named = paths(finding);
            fault.kinds.iter().any(|kind| finding["kind"] == kind.as_str())
                && fault.paths.iter().all(|path| named.contains(path.as_str()))
        })
    };
    let mut table: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let mut missed = Vec::new();
    for fault in &planted {
        let row = table.entry(&fault.how).or_default();
        row[1] += 1;
        match is_found(fault) {
            true => row[0] += 1,
            false => missed.push(fault),
        }
    }
    println!("| planted | found |\n| --- | --- |");
    table.iter().for_each(|(how, [found, all])| println!("| {how} | {found} of {all} |"));
    missed.iter().for_each(|fault| println!("missed: {}: {}", fault.how, fault.paths.join(" = ")));
    // Of the kinds that are planted, findings about no planted picture.
    let touched: BTreeSet<&str> = planted.iter().flat_map(|fault| &fault.paths).map(String::as_str).collect();
    for kind in ["duplicate", "leak", "near_duplicate", "conflicting_labels", "unreadable", "truncated", "damaged"] {
        let others = findings.iter().filter(|finding| finding["kind"] == kind && paths(finding).is_disjoint(&touched));
        println!("of the data's own: {} {kind}", others.count());
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("{} planted faults are missed", missed.len()).into()) }
}

/// Mean precision and recall over several plantings, along the list of doubtful labels.
fn curve(files: &[&str]) -> Outcome {
    let mut hits: Vec<Vec<bool>> = Vec::new();
    let (mut swapped, mut listed) = (Vec::new(), Vec::new());
    for pair in files.chunks_exact(2) {
        let planted: Vec<Planted> = json(pair[0])?;
        let planted: BTreeSet<String> = planted.into_iter().flat_map(|fault| fault.paths).collect();
        let diagnosis: Value = json(pair[1])?;
        let doubts = diagnosis["labels"]["doubts"].as_array().ok_or("no label check in the diagnosis")?;
        hits.push(
            doubts.iter().map(|doubt| doubt["path"].as_str().is_some_and(|path| planted.contains(path))).collect(),
        );
        let findings = diagnosis["findings"].as_array().into_iter().flatten();
        let errors: Vec<bool> = findings
            .filter(|finding| finding["kind"] == "label_error")
            .map(|finding| paths(finding).iter().any(|path| planted.contains(*path)))
            .collect();
        listed.push(errors);
        swapped.push(planted.len());
    }
    let plantings = hits.len() as f64;
    let right = |hits: &[bool], first: usize| hits.iter().take(first).filter(|hit| **hit).count() as f64;
    let at = |first: usize| {
        let shares = hits.iter().zip(&swapped).map(|(hits, swapped)| {
            let right = right(hits, first);
            [right / first.min(hits.len()).max(1) as f64, right / *swapped as f64]
        });
        shares.fold([0.0; 2], |sum, share| [sum[0] + share[0] / plantings, sum[1] + share[1] / plantings])
    };
    println!("| first N listed | precision | recall |\n| --- | --- | --- |");
    for first in [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 80] {
        let [precision, recall] = at(first);
        println!("| {first} | {precision:.3} | {recall:.3} |");
    }
    let longest = hits.iter().map(Vec::len).max().unwrap_or(0);
    let [best_precision, best_recall] = (1..=longest)
        .map(at)
        .filter(|[precision, _]| *precision >= 0.75)
        .fold([0.0; 2], |best, point| if point[1] > best[1] { point } else { best });
    let precision: Vec<f64> = listed.iter().map(|list| right(list, list.len()) / list.len().max(1) as f64).collect();
    let recall: Vec<f64> =
        listed.iter().zip(&swapped).map(|(list, all)| right(list, list.len()) / *all as f64).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    println!();
    println!("precision in the first 20 listed: {:.3}", at(20)[0]);
    println!("recall at precision ≥ 0.75: {best_recall:.3} (precision {best_precision:.3})");
    let count = listed.iter().map(Vec::len).sum::<usize>() as f64 / plantings;
    println!(
        "listed as likely label errors: {count:.1} on average, precision {:.3}, recall {:.3}",
        mean(&precision),
        mean(&recall)
    );
    match at(20)[0] >= 0.85 && best_recall >= 0.5 {
        true => Ok(()),
        false => Err("the label errors miss precision 0.85 in the first 20 or recall 0.5 at precision 0.75".into()),
    }
}
