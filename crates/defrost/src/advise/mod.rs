//! `defrost advise`: which strategy suits a data set, why, and the recipe for it.
//!
//! The trunk sees a sample of the pictures once; [`Nearness`] measures how near they are to what the network has learned from,
//! and [`strategy`], a pure function, looks the rest up in the table. Nothing is trained.
//!
//! Invariant: the advice is a function of the pictures' contents, their labels and the weights, whatever the files are called
//! and however many threads there are.

mod nearness;
mod reason;
mod strategy;

use std::collections::BTreeSet;
use std::fmt;

use rayon::prelude::*;
use serde::Serialize;

pub use nearness::{LARGEST_SHIFT, LEAST_EXPLAINED, LayerShift, Nearness};
use nearness::{Sight, Trunk};
pub use reason::Reason;
pub use strategy::{Domain, ENOUGH_FROM_SCRATCH, MANY, Situation, Strategy, strategy};

use crate::augment;
use crate::data::{Dataset, Sample};
use crate::image::resize;
use crate::model::{Layout, Model};
use crate::probe::ProbeError;
use crate::progress::{Phase, Progress};
use crate::recipe::{self, Preprocess, Recipe, Weights};

/// Pictures that are looked at, in all.
const PICTURES: usize = 1000;

/// Of one class: at most, and at least where it has so many.
const PICTURES_OF_A_CLASS: (usize, usize) = (60, 4);

/// Why no advice can be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdviseError {
    /// Features of random weights say nothing.
    #[error("advice needs a pretrained network, but `weights` is \"none\"; leave it out or name a file")]
    Untrained,
    /// The measures need BatchNorm between blocks.
    #[error("{backbone} has no bottlenecks with BatchNorm, by which advice is given; use another backbone")]
    Unmeasurable {
        /// The backbone's id.
        backbone: &'static str,
    },
    /// Too few readable pictures, or damaged weights.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The user stopped the work.
    #[error("stopped")]
    Cancelled,
}

/// What to train, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// The answer.
    pub strategy: Strategy,
    /// What it depends on.
    pub situation: Situation,
    /// Each with its figures, the weightiest first.
    pub reasons: Vec<Reason>,
    /// All that was measured.
    pub nearness: Nearness,
    /// Pictures of the sample that couldn't be read.
    pub unreadable: usize,
    /// The run that is advised.
    pub recipe: Recipe,
}

impl fmt::Display for Advice {
    /// One sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = if self.situation.has_many() { "many" } else { "few" };
        let domain = match self.situation.domain {
            Domain::Near => "near to",
            Domain::Far => "far from",
        };
        let per_class = self.situation.pictures_per_class;
        write!(
            f,
            "{}: {per_class} pictures a class are {amount}, and they are {domain} what the network has learned from",
            self.strategy
        )
    }
}

/// Looks at a sample of `data` through `model`'s backbone and gives advice: `recipe`, with the stages (and where it leaves them
/// open, the augmentation) that suit the data.
///
/// The sample: training and validation pictures, each content once, at most 60 a class and about 1,000 in all, chosen by their
/// contents' hashes. A picture that can't be read is left out and counted.
///
/// # Errors
/// When the weights aren't pretrained, too few pictures can be read, or the user stops.
pub fn advise(data: &Dataset, model: &Model, recipe: &Recipe, progress: Progress<'_>) -> Result<Advice, AdviseError> {
    if model.layout == Layout::FromScratch {
        return Err(AdviseError::Untrained);
    }
    let trunk = Trunk::new(model).ok_or(AdviseError::Unmeasurable { backbone: model.backbone.id })?;
    let sample = sample(data);
    let seen = look(&trunk, &sample, model, &recipe.preprocess, progress)?;
    let (sights, labels): (Vec<Sight>, Vec<usize>) = seen.into_iter().unzip();
    let nearness = trunk.measure(&sights, &labels)?;

    let pictures = data.train.len() + data.validation.len();
    let situation = Situation {
        pictures_per_class: pictures / data.classes.len().max(1),
        domain: nearness.domain(),
        late_layers_help: nearness.late_layers_help(),
    };
    let strategy = strategy(situation);
    let recipe = suited(recipe, strategy, data);
    Ok(Advice {
        strategy,
        situation,
        reasons: reason::reasons(data, situation, &nearness, &recipe),
        unreadable: sample.len() - sights.len(),
        nearness,
        recipe,
    })
}

/// The pictures to look at, class by class.
fn sample(data: &Dataset) -> Vec<&Sample> {
    let mut classes: Vec<Vec<&Sample>> = vec![Vec::new(); data.classes.len()];
    let mut known = BTreeSet::new();
    for sample in data.train.iter().chain(&data.validation) {
        // A copy on the other side of leaving one out would be found again, not predicted.
        if known.insert(sample.content) {
            classes[sample.label].push(sample);
        }
    }
    let (most, least) = PICTURES_OF_A_CLASS;
    let of_a_class = (PICTURES / classes.len().max(1)).clamp(least, most);
    for class in &mut classes {
        class.sort_by_key(|sample| sample.content);
        class.truncate(of_a_class);
    }
    // Of very many classes, some; their hashes put them into a random order that doesn't depend on names.
    classes.retain(|class| !class.is_empty());
    classes.sort_by_key(|class| class[0].content);
    classes.into_iter().take(PICTURES / of_a_class).flatten().collect()
}

/// What the trunk makes of each readable picture, with its label.
fn look(
    trunk: &Trunk,
    sample: &[&Sample],
    model: &Model,
    preprocess: &Preprocess,
    progress: Progress<'_>,
) -> Result<Vec<(Sight, usize)>, AdviseError> {
    let side = model.graph.input_shape()[0];
    progress.begin(Phase::Features, sample.len() as u64, "advice");
    let seen = sample.par_iter().map_init(
        || trunk.arenas(),
        |arenas, sample| {
            if progress.cancelled() {
                return Err(AdviseError::Cancelled);
            }
            let sight = sample.picture(&preprocess.decode.limits(side)).ok().map(|picture| {
                let mut pixels = resize(&picture, side, side, preprocess.resize);
                model.backbone.input.apply(&mut pixels);
                (trunk.see(pixels, arenas), sample.label)
            });
            progress.advance(1);
            Ok(sight)
        },
    );
    let seen: Result<Vec<Option<(Sight, usize)>>, AdviseError> = seen.collect();
    progress.end();
    Ok(seen?.into_iter().flatten().collect())
}

/// `base` with the strategy's stages, and the augmentation that suits the number of pictures where it is left open.
fn suited(base: &Recipe, strategy: Strategy, data: &Dataset) -> Recipe {
    let mut recipe = base.clone().stages(strategy.stages(base.base_learning_rate));
    if strategy == Strategy::FromScratch {
        recipe.weights = Weights::None;
    }
    if recipe.augment.pipeline == recipe::Augment::default().pipeline {
        let (pipeline, views) = match strategy {
            // Its pictures are decoded in each epoch anyway, so each may be another view.
            Strategy::FromScratch => {
                (augment::Pipeline::preset("light").unwrap_or_default(), strategy::FROM_SCRATCH_EPOCHS)
            }
            _ => {
                let (pipeline, views) = augment::default_views(data.train.len() / data.classes.len().max(1));
                (pipeline, views as usize)
            }
        };
        recipe.augment.pipeline = pipeline.to_string();
        recipe.augment.views.get_or_insert(views);
    }
    recipe
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::backbone;
    use crate::data::{self, DataOptions, Drawing};
    use crate::head::Head;
    use crate::image::Picture;
    use crate::progress::Observer;
    use crate::weights;

    fn lite0(input_size: usize) -> Model {
        let backbone = backbone::find("efficientnet_lite0").unwrap();
        let graph = backbone.graph(input_size);
        let embedded = defrost_weights::efficientnet_lite0();
        let loaded = weights::load_bytes(backbone.id, embedded, &graph, &|name| backbone.rename(name)).unwrap();
        let mut model = Model::new(backbone, Layout::Pretrained, input_size, &Head::default(), 6, 0);
        model.params.extend(loaded.params);
        model
    }

    fn drawn(folder: &Path, per_class: u32) -> Dataset {
        data::draw(folder, &Drawing { per_class, size: 96, seed: 4 }).unwrap();
        data::open(folder, &DataOptions::default()).unwrap()
    }

    fn advice(data: &Dataset, model: &Model) -> Advice {
        advise(data, model, &Recipe::default(), Progress::none()).unwrap()
    }

    #[test]
    fn drawn_pictures_are_few_and_the_advice_can_be_trained() {
        let folder = tempfile::tempdir().unwrap();
        let data = drawn(&folder.path().join("drawn"), 8);
        let advice = advice(&data, &lite0(96));
        assert_eq!(advice.situation.pictures_per_class, 8);
        assert_eq!(advice.strategy, strategy(advice.situation));
        assert!(advice.nearness.probe.accuracy > advice.nearness.probe.chance, "{:?}", advice.nearness.probe);
        assert_eq!((advice.nearness.probe.pictures, advice.unreadable), (48, 0));
        assert_eq!(advice.nearness.earlier_layer, "block6a_project_bn");
        advice.recipe.check().unwrap();
        assert_eq!(Recipe::parse(&advice.recipe.to_toml(), None).unwrap(), advice.recipe);
        assert_eq!(advice.recipe.augment.views, Some(8));
        assert_ne!(advice.recipe.augment.pipeline, "auto");
        assert!(advice.to_string().contains("8 pictures a class are few"), "{advice}");
        assert!(advice.reasons.iter().all(|reason| !reason.to_string().is_empty()));
    }

    /// Coarse black and white noise of two kinds: nothing of a photograph.
    fn noise(folder: &Path, per_class: u64) {
        for (class, cell) in [("fine", 3), ("coarse", 12)] {
            for number in 0..per_class {
                let mut stream = crate::rng::Stream::new(number, class, &[]);
                let side = 96;
                let cells: Vec<u8> = (0..side * side).map(|_| 255 * (stream.next_u32() as u8 & 1)).collect();
                let pixel = |i: usize| cells[i / side / cell * side + i % side / cell];
                let pixels: Vec<u8> = (0..side * side).flat_map(|i| [pixel(i); 3]).collect();
                write_bmp(&folder.join(class).join(format!("{number}.bmp")), &Picture::new(side, side, pixels));
            }
        }
    }

    /// 24-bit BMP, bottom row first; sides must be multiples of 4.
    fn write_bmp(path: &Path, picture: &Picture) {
        let (width, height) = (picture.width(), picture.height());
        let mut bytes = vec![0; 54];
        bytes[..2].copy_from_slice(b"BM");
        for (at, value) in
            [(2, 54 + 3 * width * height), (10, 54), (14, 40), (18, width), (22, height), (26, 1 + (24 << 16))]
        {
            bytes[at..at + 4].copy_from_slice(&u32::try_from(value).unwrap().to_le_bytes());
        }
        for row in picture.pixels().chunks_exact(3 * width).rev() {
            bytes.extend(row.chunks_exact(3).flat_map(|rgb| [rgb[2], rgb[1], rgb[0]]));
        }
        crate::fs::write_atomic(path, &bytes).unwrap();
    }

    #[test]
    fn noise_is_farther_than_drawn_things() {
        let folder = tempfile::tempdir().unwrap();
        let model = lite0(96);
        noise(&folder.path().join("noise"), 6);
        let noise = advice(&data::open(folder.path().join("noise"), &DataOptions::default()).unwrap(), &model);
        let drawn = advice(&drawn(&folder.path().join("drawn"), 5), &model);
        assert!(noise.nearness.shift > drawn.nearness.shift, "{noise:?} {drawn:?}");
        assert_eq!(noise.strategy, Strategy::CarefulFineTuning);
        assert!(noise.reasons.iter().any(|reason| matches!(reason, Reason::Shift { far: true, .. })));
    }

    #[test]
    fn names_and_threads_change_nothing_and_copies_count_once() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        let data = drawn(&first, 3);
        for sample in data.train.iter().chain(&data.validation) {
            let (class, name) = sample.path.split_once('/').unwrap();
            let bytes = crate::fs::read(&first.join(&sample.path)).unwrap();
            for copy in ["z", "a"] {
                let reversed: String = name.chars().rev().filter(char::is_ascii_digit).collect();
                crate::fs::write_atomic(&second.join(class).join(format!("{copy}{reversed}.jpg")), &bytes).unwrap();
            }
        }
        let model = lite0(64);
        let on = |threads: usize, data: &Dataset| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| advice(data, &model).nearness)
        };
        let copied = data::open(&second, &DataOptions::default()).unwrap();
        assert_eq!(sample(&copied).len(), 18);
        assert_eq!(on(1, &data), on(3, &copied));
    }

    #[test]
    fn a_sample_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut data = drawn(folder.path(), 2);
        let pictures = data.train.clone();
        let copy = |label: usize, number: usize| {
            let mut sample = pictures[0].clone();
            sample.label = label;
            sample.content = *blake3::hash(format!("{label} {number}").as_bytes()).as_bytes();
            sample
        };
        for (classes, of_each, expected) in
            [(2, 100, 120), (20, 100, 1000), (400, 3, 750), (600, 9, 1000), (2000, 1, 250)]
        {
            data.classes = (0..classes).map(|class| class.to_string()).collect();
            data.train = (0..classes * of_each).map(|i| copy(i % classes, i / classes)).collect();
            data.validation.clear();
            assert_eq!(sample(&data).len(), expected, "{classes} × {of_each}");
        }
    }

    #[test]
    fn the_base_recipe_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let data = drawn(folder.path(), 2);
        let mut base = Recipe { base_learning_rate: 2e-3, ..Recipe::default() }.seed(9);
        base.augment.pipeline = "flip".to_owned();
        let near = suited(&base, Strategy::FeatureExtraction, &data);
        assert_eq!((near.seed, near.augment.pipeline.as_str(), near.augment.views), (9, "flip", None));
        assert_eq!(near.stages[0].learning_rate, Some(2e-3.into()));
        let scratch = suited(&Recipe::default(), Strategy::FromScratch, &data);
        assert_eq!((scratch.weights, scratch.augment.views), (Weights::None, Some(20)));
    }

    #[test]
    fn random_weights_and_a_stop_are_answered() {
        let folder = tempfile::tempdir().unwrap();
        let data = drawn(folder.path(), 2);
        let mut model = lite0(32);
        struct Nobody;
        impl Observer for Nobody {
            fn begin(&self, _: Phase, _: u64, _: &str) {}
            fn advance(&self, _: u64) {}
            fn end(&self) {}
        }
        let stop = AtomicBool::new(true);
        let stopped = advise(&data, &model, &Recipe::default(), Progress::new(&Nobody, &stop));
        assert!(matches!(stopped, Err(AdviseError::Cancelled)));
        model.layout = Layout::FromScratch;
        assert!(matches!(advise(&data, &model, &Recipe::default(), Progress::none()), Err(AdviseError::Untrained)));
    }
}
