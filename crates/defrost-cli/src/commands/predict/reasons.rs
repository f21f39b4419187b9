//! Why a picture gets its answer: where the evidence lies, and which training pictures are like it.

use std::path::{Component, Path, PathBuf};

use defrost::explain::{Explainer, overlay};
use defrost::features::Cache;
use defrost::fs::{self, FsError};
use defrost::image::{Picture, shrink, to_png};
use defrost::job::Neighbours;
use defrost::predict::{Prediction, Predictor};
use defrost::run;

use super::{Line, Near};
use crate::args;
use crate::commands::cache;
use crate::failure::Failure;
use crate::terminal::{Terminal, short};

/// The longer side of an overlay, in pixels.
const SIDE: usize = 1024;

/// What is told besides the answers.
pub(super) struct Reasons {
    overlays: Option<(Explainer, PathBuf)>,
    nearest: Option<(Neighbours, usize)>,
}

impl Reasons {
    /// Finds what `args` ask for of the classifier at `run`.
    pub(super) fn prepare(
        args: &args::Predict,
        run: &Path,
        predictor: &Predictor,
        terminal: &Terminal,
    ) -> Result<Reasons, Failure> {
        let overlays = args.explain.as_ref().map(|folder| {
            let explainer = Explainer::new(predictor.artefact(), predictor.model());
            (explainer, folder.clone())
        });
        let nearest = args.nearest.map(|k| Ok::<_, Failure>((neighbours(run, terminal)?, k))).transpose()?;
        Ok(Reasons { overlays, nearest })
    }

    /// Adds them to the line of a picture.
    pub(super) fn add(
        &self,
        line: &mut Line,
        path: &Path,
        picture: &Picture,
        prediction: &Prediction<'_>,
    ) -> Result<(), FsError> {
        if let Some((explainer, folder)) = &self.overlays {
            let map = explainer.explain(picture, Some(prediction.label()));
            let file = folder.join(file_name(path));
            fs::write_atomic(&file, &to_png(&overlay(&shrink(picture, SIDE), &map)))?;
            line.explanation = Some(file.display().to_string());
        }
        line.nearest = self.nearest.as_ref().map(|(neighbours, k)| {
            let nearest = neighbours.nearest(&prediction.pooled, *k).into_iter();
            let near =
                |path: &str, class: &str, similarity| Near { path: path.into(), class: class.into(), similarity };
            nearest.map(|of| near(of.path, of.class, of.similarity)).collect()
        });
        Ok(())
    }
}

/// The training pictures of a run, as far as the cache has their features; how many it lacks is said.
fn neighbours(run: &Path, terminal: &Terminal) -> Result<Neighbours, Failure> {
    let words = terminal.words;
    if !run.join(run::SPLIT).is_file() {
        return Err(Failure::user(words.no_training_pictures(&short(run))));
    }
    let cache = Cache::in_folder(&cache::features_folder(terminal)?)?;
    let neighbours = Neighbours::of(run, &cache)?;
    let (found, missing) = (neighbours.found(), neighbours.missing());
    if found == 0 {
        let repeat = format!("defrost train --recipe {}", run.join(run::RECIPE).display());
        return Err(Failure::user(words.no_features_of(&short(run))).hint(repeat));
    }
    if missing > 0 {
        terminal.warn(words.nearest_among(found, found + missing));
    }
    Ok(neighbours)
}

/// A name of its own for each picture: its path below the folder, and `.png`.
fn file_name(path: &Path) -> PathBuf {
    let named = path.components().filter(|part| matches!(part, Component::Normal(_)));
    let mut name = named.collect::<PathBuf>().into_os_string();
    name.push(".png");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_folder_and_apart() {
        let name = |path| file_name(Path::new(path)).display().to_string();
        assert_eq!(name("/photos/../a/x.jpg"), "photos/a/x.jpg.png");
        assert_ne!(name("a/x.jpg"), name("a/x.png"));
    }
}
