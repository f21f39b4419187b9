//! `defrost report`, composed: what a run left behind → its figures → the mistakes with their pictures and maps → a page.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use serde::Deserialize;

use super::{Environment, JobError, Outcome, cut_text};
use crate::artefact::Artefact;
use crate::data::{self, DataError, Dataset, Sample, SplitLine};
use crate::doctor::Diagnosis;
use crate::evaluate::Evaluation;
use crate::explain::Explainer;
use crate::freeze::FrozenStage;
use crate::fs;
use crate::model::Model;
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::report::{InLang, Lang, Mistake, RunReport, StageReport, quoted, run_page};
use crate::run;
use crate::train::History;

/// Mistakes that a page shows at most.
const MISTAKES: usize = 24;

/// The page of the finished run at `path`, with what the doctor finds in its data where `doctor` asks for it. Pictures that are no
/// longer there are left out.
///
/// # Errors
/// When it is no finished run, one of its files is damaged, or the user stops.
pub fn report(
    path: &Path,
    doctor: bool,
    environment: &Environment<'_>,
    progress: Progress<'_>,
) -> Result<String, JobError> {
    let outcome = Outcome::load(path)?;
    let recipe = recipe(path)?;
    let diagnosis = doctor.then(|| super::examine(&recipe, environment, progress)).transpose()?;
    let options = recipe.data.options(recipe.seed, false);
    let data = match &recipe.data.path {
        // Without its data a run can still be reported, without pictures.
        Some(at) if at.exists() => data::open_watched(at, &options, progress).ok(),
        _ => None,
    };
    if progress.cancelled() {
        return Err(DataError::Cancelled.into());
    }
    page(path, &outcome, data.as_ref(), diagnosis.as_ref().map(|(_, diagnosis)| diagnosis), environment.lang)
}

/// The page of the run in `path`, which holds everything but its outcome and this page.
pub(super) fn page(
    path: &Path,
    outcome: &Outcome,
    data: Option<&Dataset>,
    diagnosis: Option<&Diagnosis>,
    lang: Lang,
) -> Result<String, JobError> {
    let recipe = recipe(path)?;
    let (artefact, model) = Artefact::load(&path.join(run::MODEL))?;
    let history = History::read(&path.join(run::HISTORY))?;
    let validation = Evaluation::read_csv(&path.join(run::PREDICTIONS), &outcome.classes, artefact.temperature())?;
    let lines = SplitLine::read(&path.join(run::SPLIT))?;
    let report = RunReport {
        name: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        data: recipe.data.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
        backbone: model.backbone.id,
        classes: &outcome.classes,
        train_samples: outcome.train_samples,
        views: outcome.views,
        seconds: outcome.seconds,
        validation: &validation,
        calibration: artefact.calibration.as_ref(),
        origin: artefact.origin.as_ref(),
        test: outcome.test_accuracy.zip(outcome.test_accuracy_interval),
        history: &history,
        stages: stages(path, outcome, &recipe, &model)?,
        counts: SplitLine::counts(&lines, &outcome.classes),
        skipped: skipped(path)?,
        warnings: data
            .map(|data| data.warnings.iter().map(|warning| warning.in_lang(lang)).collect())
            .unwrap_or_default(),
        diagnosis,
        mistakes: mistakes(&validation, data, &artefact, &model),
        recipe: recipe.to_toml(),
        command: format!("defrost train --recipe {}", quoted(&path.join(run::RECIPE).display().to_string())),
        recipe_hash: &outcome.recipe_hash,
        weights_hash: &outcome.weights_hash,
    };
    Ok(run_page(&report, lang)?)
}

fn recipe(path: &Path) -> Result<Recipe, JobError> {
    let path = path.join(run::RECIPE);
    Ok(Recipe::parse(&fs::read_to_string(&path)?, Some(&path))?)
}

fn damaged(path: &Path, reason: impl ToString) -> JobError {
    JobError::Damaged { path: path.to_owned(), reason: reason.to_string() }
}

/// Paths and reasons in `skipped.csv`.
fn skipped(path: &Path) -> Result<Vec<(String, String)>, JobError> {
    let path = path.join(run::SKIPPED);
    let bytes = fs::read(&path)?;
    let line = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(|error| damaged(&path, error))?;
        let field = |place: usize| record.get(place).unwrap_or_default().to_owned();
        Ok((field(0), field(2)))
    };
    csv::Reader::from_reader(bytes.as_slice()).into_records().map(line).collect()
}

/// `freezing.json`.
#[derive(Deserialize)]
struct Freezing {
    stages: Vec<FrozenStage>,
}

fn stages(path: &Path, outcome: &Outcome, recipe: &Recipe, model: &Model) -> Result<Vec<StageReport>, JobError> {
    let proof = path.join(run::FREEZING);
    let Freezing { stages: frozen } =
        serde_json::from_str(&fs::read_to_string(&proof)?).map_err(|error| damaged(&proof, error))?;
    let mut reports = Vec::new();
    for ((stage, done), frozen) in recipe.stages.iter().zip(&outcome.stages).zip(&frozen) {
        let summary = model.summary(model.locate(&stage.cut)?);
        reports.push(StageReport {
            name: stage.name.clone(),
            cut: cut_text(&stage.cut),
            first_layer: summary.first_trainable_layer,
            learning_rate: stage.schedule(recipe.base_learning_rate).to_string(),
            optimizer: stage.optimizer.name(),
            epochs: done.epochs,
            seconds: done.seconds,
            val_accuracy: f64::from(done.val_accuracy),
            layers: summary.layers,
            trainable_layers: summary.trainable_layers,
            trainable_parameters: summary.trainable_parameters,
            parameters: summary.parameters,
            frozen_tensors: frozen.frozen_tensors,
            unchanged: frozen.unchanged,
            still_improving: done.still_improving,
        });
    }
    Ok(reports)
}

/// The wrong answers, the surest first, with what they rest on.
fn mistakes(evaluation: &Evaluation, data: Option<&Dataset>, artefact: &Artefact, model: &Model) -> Vec<Mistake> {
    let explainer = Explainer::new(artefact, model);
    let limits = artefact.decoding.limits(artefact.input_size);
    let sides = data.map(Dataset::sides).into_iter().flatten();
    let samples: BTreeMap<&str, &Sample> =
        sides.flat_map(|(_, samples)| samples).map(|sample| (sample.path.as_str(), sample)).collect();
    let mut wrong: Vec<_> = evaluation.outcomes.iter().filter(|outcome| outcome.predicted != outcome.truth).collect();
    let sure = |outcome: &crate::evaluate::Outcome| outcome.probabilities[outcome.predicted];
    wrong.sort_by(|a, b| sure(b).total_cmp(&sure(a)).then_with(|| a.path.cmp(&b.path)));
    wrong.truncate(MISTAKES);
    wrong
        .into_par_iter()
        .map(|outcome| {
            let sample = samples.get(outcome.path.as_str());
            let picture = sample.and_then(|sample| sample.picture(&limits).ok());
            let map = |picture, class| explainer.explain(picture, Some(class));
            let maps =
                picture.iter().flat_map(|picture| [outcome.predicted, outcome.truth].map(|class| map(picture, class)));
            Mistake {
                path: outcome.path.clone(),
                truth: outcome.truth,
                predicted: outcome.predicted,
                probability: sure(outcome),
                maps: maps.collect(),
                picture,
            }
        })
        .collect()
}
