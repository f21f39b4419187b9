//! Every file is looked at once: what its header says, whether it can be decoded, its perceptual hash.

use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;

use super::{DoctorError, Subject};
use crate::data::{DataError, Dataset, Sample, Skipped};
use crate::image::{self, ImageError, Limits, PerceptualHash, Traits, inspect};
use crate::progress::{Phase, Progress};

/// A readable picture, as it was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// As [`Sample::path`].
    pub path: String,
    /// The class's index.
    pub label: usize,
    /// The number of its side: 0 is training, 1 validation, 2 test.
    pub side: usize,
    /// As [`Sample::content`].
    pub content: [u8; 32],
    /// As [`Sample::group`].
    pub group: Option<Arc<str>>,
    /// What the file's header says; `None` of a record of pixels.
    pub traits: Option<Traits>,
    /// What is wrong with its coded pixels, although they can be decoded.
    pub damage: Option<&'static str>,
    /// Of the decoded picture.
    pub hash: PerceptualHash,
}

/// A file that gives no picture.
#[derive(Debug, Clone)]
pub struct Lost {
    /// Where it is, and why.
    pub skipped: Skipped,
    /// The number of its side, where that is known.
    pub side: Option<usize>,
    /// Whether the file ends early.
    pub truncated: bool,
}

/// All files of a data set, looked at.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The classes' names.
    pub classes: Vec<String>,
    /// In byte order of their paths.
    pub seen: Vec<Seen>,
    /// In byte order of their paths.
    pub lost: Vec<Lost>,
    /// Class folders without pictures: class and folder.
    pub empty: Vec<(String, String)>,
}

/// The sides by their numbers.
pub(super) const SIDES: [&str; 3] = ["train", "validation", "test"];

impl Survey {
    /// Reads and decodes every picture of `data` once, each on its own.
    ///
    /// # Errors
    /// When the user stops.
    pub fn of(data: &Dataset, progress: Progress<'_>) -> Result<Survey, DoctorError> {
        let samples: Vec<(usize, &Sample)> = data
            .sides()
            .into_iter()
            .enumerate()
            .flat_map(|(side, (_, all))| all.iter().map(move |one| (side, one)))
            .collect();
        progress.begin(Phase::Features, samples.len() as u64, "pictures");
        let looked: Vec<ControlFlow<(), Result<Seen, Lost>>> = samples
            .par_iter()
            .map(|(side, sample)| {
                if progress.cancelled() {
                    return ControlFlow::Break(());
                }
                let looked = look(*side, sample);
                progress.advance(1);
                ControlFlow::Continue(looked)
            })
            .collect();
        progress.end();
        let empty = data.warnings.iter().filter_map(|warning| match warning {
            crate::data::Warning::EmptyClass { class, folder } => Some((class.clone(), folder.display().to_string())),
            _ => None,
        });
        let mut survey =
            Survey { classes: data.classes.clone(), seen: Vec::new(), lost: Vec::new(), empty: empty.collect() };
        survey.lost.extend(data.skipped.iter().map(|skipped| Lost {
            skipped: skipped.clone(),
            side: None,
            truncated: false,
        }));
        for looked in looked {
            match looked {
                ControlFlow::Break(()) => return Err(DoctorError::Cancelled),
                ControlFlow::Continue(Ok(seen)) => survey.seen.push(seen),
                ControlFlow::Continue(Err(lost)) => survey.lost.push(lost),
            }
        }
        survey.seen.sort_by(|a, b| a.path.cmp(&b.path));
        survey.lost.sort_by(|a, b| a.skipped.path.cmp(&b.skipped.path));
        Ok(survey)
    }

    /// The picture as a finding names it.
    pub(super) fn subject(&self, seen: &Seen) -> Subject {
        Subject {
            path: seen.path.clone(),
            class: self.classes[seen.label].clone(),
            side: Some(SIDES[seen.side]),
            content: Some(seen.content),
        }
    }

    /// The file as a finding names it.
    pub(super) fn lost_subject(&self, lost: &Lost) -> Subject {
        let Skipped { path, label, content, .. } = &lost.skipped;
        Subject {
            path: path.clone(),
            class: self.classes[*label].clone(),
            side: lost.side.map(|side| SIDES[side]),
            content: *content,
        }
    }
}

fn look(side: usize, sample: &Sample) -> Result<Seen, Lost> {
    let lost = |error: &DataError| {
        let (truncated, reason) = match error {
            DataError::Picture { source, .. } => (matches!(source, ImageError::Truncated { .. }), source.to_string()),
            other => (false, other.to_string()),
        };
        let (path, content) = (sample.path.clone(), Some(sample.content));
        Lost { skipped: Skipped { path, label: sample.label, content, reason }, side: Some(side), truncated }
    };
    // Decoding first: it knows a file that ends early from one that is broken.
    let picture = sample.picture(&Limits::default()).map_err(|error| lost(&error))?;
    let (traits, damage) = match sample.file().map_err(|error| lost(&error))? {
        None => (None, None),
        Some(bytes) => {
            let as_data_error = |source| DataError::Picture { path: sample.path.clone(), source };
            (Some(inspect(&bytes).map_err(|error| lost(&as_data_error(error)))?), image::damage(&bytes))
        }
    };
    let hash = PerceptualHash::of(&picture);
    Ok(Seen {
        path: sample.path.clone(),
        label: sample.label,
        side,
        content: sample.content,
        group: sample.group.clone(),
        traits,
        damage,
        hash,
    })
}
