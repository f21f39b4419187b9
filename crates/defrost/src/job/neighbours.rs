//! The training pictures that a run's network finds most like a picture.
//!
//! A picture is described by the features that the head sees, of the network as it was trained. Those of the training pictures come
//! from the store: the last frozen part of the network is the one that the rows were made with, and the layers after it run on
//! their rows. Where the store no longer has a row, its picture is left out and counted; nothing is decoded again.
//!
//! Invariant: a training picture's nearest neighbour is itself, with a similarity of 1 but for rounding.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::JobError;
use super::rows::engine_fingerprint;
use crate::artefact::Artefact;
use crate::data::SplitLine;
use crate::exec::cpu::Program;
use crate::features::{Cache, FeaturesError, PlainRows, Prepared};
use crate::fs;
use crate::graph::Tap;
use crate::model::Model;
use crate::recipe::{BatchNorm, Recipe};
use crate::run;
use crate::tensor::{dot, unit};
use crate::train::TrainError;

/// A training picture that is like another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Neighbour<'a> {
    /// As in `split.csv`.
    pub path: &'a str,
    /// Its class.
    pub class: &'a str,
    /// Cosine of the angle between the features, at most 1.
    pub similarity: f32,
}

/// The training pictures of a run, with their features.
#[derive(Debug)]
pub struct Neighbours {
    pictures: Vec<SplitLine>,
    /// Of length 1, a row a picture.
    features: Vec<f32>,
    missing: usize,
}

impl Neighbours {
    /// Finds the training pictures of the run at `path` in the cache.
    ///
    /// # Errors
    /// When it is no finished run, one of its files is damaged, or the cache can't be opened.
    pub fn of(path: &Path, cache: &Cache) -> Result<Neighbours, JobError> {
        let (artefact, model) = Artefact::load(&path.join(run::MODEL))?;
        let recipe_path = path.join(run::RECIPE);
        let recipe = Recipe::parse(&fs::read_to_string(&recipe_path)?, Some(&recipe_path))?;
        let mut pictures = SplitLine::read(&path.join(run::SPLIT))?;
        pictures.retain(|line| line.side() == "train");
        let contents: Vec<[u8; 32]> = pictures.iter().map(|line| line.content).collect();

        let engine = recipe.precision.engine();
        let Artefact { input_size, decoding, resize, .. } = artefact;
        let prepared = Prepared { input_size, decoding, resize, range: model.backbone.input };
        // The tap of which the network as it is now has the most rows; the pooled features where there are none.
        let pooled = Tap(model.backbone_layers);
        let mut best = (pooled, PlainRows::default());
        for tap in taps(&recipe, &model)? {
            let fingerprint = engine_fingerprint(engine, model.fingerprint(Tap(0), tap));
            let rows = PlainRows::find(cache, fingerprint, prepared, &contents)
                .map_err(|error| TrainError::from(FeaturesError::from(error)))?;
            if rows.found() > best.1.found() {
                best = (tap, rows);
            }
        }
        let (tap, rows) = best;
        let rest = Program::new(&model.graph, &model.params, tap, pooled, engine);

        let row = |number: usize| {
            let mut row = vec![0.0; rest.input_len()];
            rows.read(number, &mut row).then(|| {
                let mut features = vec![0.0; rest.output_len()];
                rest.run(&row, &mut rest.arena(), &mut features);
                unit(&features)
            })
        };
        let found: Vec<Option<Vec<f32>>> = (0..pictures.len()).into_par_iter().map(row).collect();
        let missing = found.iter().filter(|row| row.is_none()).count();
        let mut has = found.iter().map(Option::is_some);
        pictures.retain(|_| has.next().unwrap_or(false));
        let features = found.into_iter().flatten().flatten().collect();
        Ok(Neighbours { pictures, features, missing })
    }

    /// Training pictures that are compared with.
    pub fn found(&self) -> usize {
        self.pictures.len()
    }

    /// Training pictures whose features the cache doesn't have any more, or never had.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// The `k` training pictures whose features are most like `pooled`, a prediction's, the most alike first; ties in the order of
    /// `split.csv`.
    pub fn nearest(&self, pooled: &[f32], k: usize) -> Vec<Neighbour<'_>> {
        let own = unit(pooled);
        let rows = self.features.chunks_exact(own.len().max(1));
        let similarity = |row: &[f32]| dot(row, &own);
        let mut all: Vec<(f32, &SplitLine)> = rows.map(similarity).zip(&self.pictures).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        let nearest = all.into_iter().take(k);
        nearest.map(|(similarity, line)| Neighbour { path: &line.path, class: &line.class, similarity }).collect()
    }
}

/// The taps whose rows the stages ask for, the deepest first.
fn taps(recipe: &Recipe, model: &Model) -> Result<Vec<Tap>, JobError> {
    let mut taps = Vec::new();
    for stage in &recipe.stages {
        let statistics = stage.batch_norm == Some(BatchNorm::BatchStatistics);
        let tap = model.tap(model.locate(&stage.cut)?, statistics);
        if tap.is_partial(&model.graph) && tap.0 <= model.backbone_layers {
            taps.push(tap);
        }
    }
    taps.sort();
    taps.dedup();
    Ok(taps)
}
