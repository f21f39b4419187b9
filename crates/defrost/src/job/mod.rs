//! `defrost train`, composed: data → trunk pass → stages → classifier → evaluation → figure.

mod embedding;
mod examination;
mod familiarity;
mod neighbours;
mod outcome;
mod report;
mod rows;
mod weights;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub use embedding::{Embedding, EmbeddingError, EmbeddingFormat};
pub use examination::examine;
pub use neighbours::{Neighbour, Neighbours};
pub use outcome::{CalibrationOutcome, Outcome, StageOutcome};
pub use report::report;
use rows::StageRows;
pub use weights::Start;

use crate::artefact::{Artefact, ArtefactError, Figures, Origin};
use crate::augment::{self, Pipeline};
use crate::backbone::{self, UnknownBackbone};
use crate::calibrate::{Calibration, Labelled};
use crate::cost::{self, Estimate, PictureCost, StageCost};
use crate::data::{self, DataError, DataOptions, Dataset, Shuffle};
use crate::doctor::DoctorError;
use crate::evaluate::{Evaluation, TableError};
use crate::exec::cpu::{BatchNormMode, Engine};
use crate::export::{self, ExportError};
use crate::features::{Cache, FeaturesError, Pictures, Rendering, Side};
use crate::fs::FsError;
use crate::graph::{Cut, CutError};
use crate::loss::LossError;
use crate::model::Model;
use crate::predict::Predictor;
use crate::progress::Progress;
use crate::recipe::{BatchNorm, Precision, Recipe, RecipeErrors};
use crate::report::{FigureError, Lang, PageError};
use crate::run::{self, RunDir, RunError};
use crate::train::{
    self, Callback, Checkpoint, History, HistoryError, Settings, StagePlan, TrainError, Trained, Validated,
};
use crate::weights::{FetchError, LoadReport, WeightsError};

/// Why a training can't begin or end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant passes on the error of the module that it is named after")]
pub enum JobError {
    #[error(transparent)]
    Recipe(#[from] RecipeErrors),
    #[error(transparent)]
    Backbone(#[from] UnknownBackbone),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Cut(#[from] CutError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Loss(#[from] LossError),
    #[error(transparent)]
    Augment(#[from] augment::AugmentError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Figure(#[from] FigureError),
    #[error(transparent)]
    Doctor(#[from] DoctorError),
    #[error(transparent)]
    Page(#[from] PageError),
    #[error(transparent)]
    Predictions(#[from] TableError),
    #[error(transparent)]
    Fs(#[from] FsError),
    #[error("{} is damaged: {reason}; restore it, or train again", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error(
        "there is no folder for downloaded weights, and those of {backbone} must be; give the file with `--weights FILE`"
    )]
    NoWeightsFolder { backbone: &'static str },
    #[error("no data: give a folder of pictures, or `data.path` in the recipe")]
    NoData,
    #[error("`weights` {} has backbone {found}, but the recipe asks for {expected}; set `backbone = \"{found}\"`", path.display())]
    OtherBackbone { path: PathBuf, expected: &'static str, found: String },
    #[error(
        "`precision` is \"bf16\", but this processor multiplies such numbers no faster than single precision (that takes AMX, or AVX512-BF16 by AMD); use \"f32\""
    )]
    Precision,
    #[error(
        "`augment.cutmix` pastes a part of one row into another, but the rows of stage `{stage}` (`{tap}`) have no parts: one \
         number a channel, as pooled features; set `augment.cutmix = 0` (`augment.mixup` mixes whole rows), give the stage a cut, \
         or leave it out"
    )]
    CutMix { stage: String, tap: String },
    #[error("no training picture of the class `{class}` can be read: see {}; mend them, or choose the other classes with `classes`", list.display())]
    UnreadableClass { class: String, list: PathBuf },
}

impl JobError {
    /// Whether the user stopped the work, which is no failure.
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            JobError::Train(TrainError::Cancelled | TrainError::Features(FeaturesError::Cancelled))
                | JobError::Data(DataError::Cancelled)
                | JobError::Doctor(DoctorError::Cancelled)
        )
    }
}

/// What a job needs of the machine: directories and the weights that are part of the program.
#[derive(Debug, Clone)]
pub struct Environment<'a> {
    /// The default backbone's weights.
    pub embedded: &'a [u8],
    /// Where downloaded weights are kept; without it, none can be downloaded.
    pub weights_cache: Option<&'a Path>,
    /// Where features are kept, and how much room they may take.
    pub features: Cache,
    /// The language of the figure's labels.
    pub lang: Lang,
}

/// A training that is ready to run: everything is checked and nothing is computed yet.
#[derive(Debug)]
pub struct Job {
    /// With everything resolved; it repeats the run.
    pub recipe: Recipe,
    /// The data, split.
    pub data: Dataset,
    /// With the weights that training begins with.
    pub model: Model,
    /// The stages, found in the model.
    pub stages: Vec<StagePlan>,
    /// What was found in the file of weights.
    pub weights: Option<LoadReport>,
    /// Views of a training picture.
    pub views: u32,
    pipeline: Pipeline,
    strict: bool,
    features: Cache,
    lang: Lang,
    /// Of the backbone's weights.
    origin: Origin,
}

/// Where the features go and how big they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeaturePlan {
    /// The layer whose output is stored.
    pub tap: String,
    /// The cache's folder.
    pub folder: PathBuf,
    /// Of all rows.
    pub bytes: u64,
    /// The share of it that may be written; the rest is computed again in each epoch.
    pub budget: u64,
    /// Rows in all: pictures and views.
    pub rows: usize,
    /// Of them, those that earlier runs have left; the others are computed.
    pub found: usize,
}

impl Job {
    /// Checks everything that can be checked before any work: recipe, data, weights, cuts.
    ///
    /// # Errors
    /// When one of them is not as it should be.
    pub fn prepare(
        recipe: &Recipe,
        strict: bool,
        environment: &Environment<'_>,
        progress: Progress<'_>,
    ) -> Result<Job, JobError> {
        recipe.check()?;
        let options = recipe.data.options(recipe.seed, strict);
        Job::with_data(recipe, &options, environment, progress)
    }

    /// As [`prepare`](Job::prepare), with the data opened by `options`.
    fn with_data(
        recipe: &Recipe,
        options: &DataOptions,
        environment: &Environment<'_>,
        progress: Progress<'_>,
    ) -> Result<Job, JobError> {
        if recipe.precision == Precision::Bf16 && !recipe.precision.engine().kernels.bf16_pays() {
            return Err(JobError::Precision);
        }
        let mut recipe = recipe.resolved();
        let path = recipe.data.path.clone().ok_or(JobError::NoData)?;
        let backbone = backbone::find(&recipe.backbone)?;
        let cache = (environment.features.budget > 0).then(|| environment.features.folder.clone());
        let data = data::open_watched(&path, &DataOptions { cache, ..options.clone() }, progress)?;
        let strict = options.strict;
        let input_size = *recipe.input_size.get_or_insert(backbone.input_size);
        // A list of class weights of another length is a mistake now; which pictures count is known after the trunk pass.
        recipe.loss.build(&vec![1; data.classes.len()])?;

        let start = Start::find(&recipe, backbone, input_size, environment, progress)?;
        let mut model = Model::new(backbone, start.layout, input_size, &recipe.head, data.classes.len(), recipe.seed);
        let (report, origin) = (start.report.clone(), start.origin.clone());
        start.apply(&mut model, &data.classes);

        let (pipeline, views) = resolve_augment(&mut recipe, &data)?;
        let stages = plan_stages(&mut recipe, &model, data.train.len())?;
        let (features, lang) = (environment.features.clone(), environment.lang);
        Ok(Job { recipe, data, model, stages, weights: report, views, pipeline, strict, features, lang, origin })
    }

    /// The side of the square that the network sees.
    pub fn input_size(&self) -> usize {
        self.model.graph.input_shape()[0]
    }

    fn pictures(&self) -> Arc<Pictures> {
        Arc::new(Pictures::new(
            &self.data,
            Rendering {
                pipeline: self.pipeline.clone(),
                views: self.views,
                augment_seed: self.recipe.augment.seed,
                input_size: self.input_size(),
                decoding: self.recipe.preprocess.decode,
                resize: self.recipe.preprocess.resize,
                range: self.model.backbone.input,
                strict: self.strict,
            },
        ))
    }

    /// Where the features of the first trunk pass go; `None` where every stage begins at the picture.
    ///
    /// # Errors
    /// When the cache can't be opened.
    pub fn feature_plan(&self) -> Result<Option<FeaturePlan>, JobError> {
        let source = StageRows::new(self.pictures(), &self.stages, self.features.clone(), self.engine());
        let Some(mut rows) = source.first_pass(&self.model) else { return Ok(None) };
        rows.find(&self.features).map_err(|error| TrainError::from(FeaturesError::from(error)))?;
        let partial = self.stages.iter().map(|stage| stage.tap).filter(|tap| tap.is_partial(&self.model.graph));
        Ok(partial.min().map(|tap| FeaturePlan {
            tap: self.model.graph.layers()[tap.0].name.clone(),
            folder: self.features.folder.clone(),
            bytes: rows.bytes(),
            budget: self.features.budget,
            rows: rows.count(),
            found: rows.stored(),
        }))
    }

    /// How long it will take, from one picture's forward pass and the multiply-adds of the rest.
    pub fn estimate(&self, plan: Option<&FeaturePlan>) -> Estimate {
        let cost = |stage: &StagePlan| StageCost { tap: stage.tap, epochs: stage.max_epochs };
        let stages: Vec<StageCost> = self.stages.iter().map(cost).collect();
        let kept = plan.map_or(1.0, |plan| (plan.budget as f64 / plan.bytes as f64).min(1.0));
        let missing = plan.map_or(1.0, |plan| 1.0 - plan.found as f64 / plan.rows as f64);
        let (train, validation) = (self.data.train.len(), self.data.validation.len());
        let pictures = PictureCost { train, validation, views: self.views, kept };
        let estimate = cost::estimate(&self.model, self.engine(), &stages, pictures);
        Estimate { features: missing * estimate.features, ..estimate }
    }

    /// Runs in `dir`, or goes on where an earlier process left off, and leaves there all that a run holds.
    ///
    /// # Errors
    /// When the user stops, or any part of the work fails; the directory can then be resumed, unless the error says otherwise.
    pub fn run(
        mut self,
        dir: &RunDir,
        callback: &mut dyn Callback,
        progress: Progress<'_>,
    ) -> Result<Outcome, JobError> {
        let begun = Instant::now();
        dir.pin_data(self.data.train.len() + self.data.validation.len(), &hex(&self.data.fingerprint()))?;
        crate::fs::write_atomic(&dir.join(run::RECIPE), self.recipe.to_toml().as_bytes())?;
        self.data.write_split_csv(&dir.join(run::SPLIT))?;

        let pictures = self.pictures();
        let mut source = StageRows::new(pictures.clone(), &self.stages, self.features.clone(), self.engine());
        self.look_at_pictures(&mut source, &pictures, dir, progress)?;
        let settings = self.settings(&pictures)?;
        let checkpoint = Checkpoint::in_folder(&dir.join(run::CHECKPOINTS));
        let mut recorder = Recorder { path: dir.join(run::HISTORY), failed: None, next: callback };
        let trained =
            train::train(&mut self.model, &self.stages, &mut source, &settings, &checkpoint, &mut recorder, progress)?;
        if let Some(error) = recorder.failed {
            return Err(error.into());
        }
        trained.history.write(&dir.join(run::HISTORY))?;
        let freezing = serde_json::json!({ "version": 1, "stages": trained.frozen });
        crate::fs::write_atomic(&dir.join(run::FREEZING), format!("{freezing:#}\n").as_bytes())?;

        let svg = crate::report::curves(&trained.history, self.lang);
        crate::fs::write_atomic(&dir.join(run::CURVES_SVG), svg.as_bytes())?;
        crate::fs::write_atomic(&dir.join(run::CURVES_PNG), &crate::report::to_png(&svg, PNG_SCALE)?)?;

        let calibration = calibration(&trained);
        let validation =
            Evaluation::of_logits(&trained.validation, &self.data.classes, calibration.temperature, |picture| {
                pictures.sample(picture).path.clone()
            });
        let familiar = self.familiar(&mut source, &pictures, progress)?;
        let artefact = Artefact { familiar, ..self.artefact(calibration, trained.train_samples, &validation) };
        let folder = dir.join(run::MODEL);
        let card = export::card(&artefact, &self.model, self.lang)?;
        crate::fs::write_atomic(&folder.join(run::CARD), card.as_bytes())?;
        artefact.save(&folder, &self.model)?;
        crate::fs::write_atomic(&dir.join(run::PREDICTIONS), &validation.to_csv(&self.data.classes))?;
        let test = match self.data.test.as_slice() {
            [] => None,
            samples => {
                let predictor = Predictor::new(artefact.clone(), self.model.clone());
                Some(Evaluation::of(&predictor, samples, progress).ok_or(TrainError::Cancelled)?)
            }
        };
        let outcome = Outcome {
            calibration: artefact.calibration.as_ref().map(CalibrationOutcome::from),
            ..Outcome::new(&self, dir, &trained, &validation, test.as_ref(), begun.elapsed().as_secs_f64())
        };
        let page = report::page(dir.path(), &outcome, Some(&self.data), None, self.lang)?;
        crate::fs::write_atomic(&dir.join(run::REPORT), page.as_bytes())?;
        outcome.save(dir)?;
        Ok(outcome)
    }

    /// The classifier, with all that it says of itself.
    fn artefact(&self, calibration: Calibration, train_samples: usize, validation: &Evaluation) -> Artefact {
        let (head, resize) = (&self.recipe.head, self.recipe.preprocess.resize);
        let mut artefact = Artefact::new(&self.model, self.input_size(), head, &self.data.classes, resize);
        artefact.decoding = self.recipe.preprocess.decode;
        artefact.figures = (!validation.outcomes.is_empty()).then(|| Figures {
            train_samples,
            val_samples: validation.outcomes.len(),
            val_accuracy: validation.accuracy(),
            val_accuracy_interval: validation.accuracy_interval(),
            val_loss: validation.loss(),
        });
        artefact.calibration = Some(calibration);
        artefact.origin = Some(self.origin.clone());
        artefact.recipe = self.recipe.to_toml();
        artefact
    }

    /// Makes the first stage's rows, which finds the pictures that can't be read, and lists those.
    fn look_at_pictures(
        &self,
        source: &mut StageRows,
        pictures: &Pictures,
        dir: &RunDir,
        progress: Progress<'_>,
    ) -> Result<(), JobError> {
        use crate::train::RowSource as _;
        source.rows(0, &self.model, progress).map_err(TrainError::from)?;
        let mut listed = self.data.clone();
        listed.skipped.extend(pictures.unreadable());
        listed.write_skipped_csv(&dir.join(run::SKIPPED))?;
        let mut counts = self.readable_counts(pictures).into_iter();
        match counts.position(|count| count == 0) {
            Some(label) => {
                let class = self.data.classes[label].clone();
                Err(JobError::UnreadableClass { class, list: dir.join(run::SKIPPED) })
            }
            None => Ok(()),
        }
    }

    /// Readable training pictures of each class.
    fn readable_counts(&self, pictures: &Pictures) -> Vec<usize> {
        let mut counts = vec![0; self.data.classes.len()];
        for (_, label) in pictures.readable(Side::Train) {
            counts[label] += 1;
        }
        counts
    }

    fn engine(&self) -> Engine {
        self.recipe.precision.engine()
    }

    fn settings(&self, pictures: &Pictures) -> Result<Settings, JobError> {
        let counts = self.readable_counts(pictures);
        Ok(Settings {
            seed: self.recipe.seed,
            batch_size: self.recipe.batch_size,
            shuffle: self.recipe.data.shuffle_buffer.map_or(Shuffle::Full, Shuffle::Buffer),
            loss: self.recipe.loss.build(&counts)?,
            mixing: self.recipe.augment.mixing(),
            engine: self.engine(),
        })
    }
}

/// Fitted on the validation pictures.
fn calibration(trained: &Trained) -> Calibration {
    let pictures = trained.validation.iter();
    let answers: Vec<Labelled<'_>> =
        pictures.map(|Validated { logits, label, .. }| Labelled { logits, label: *label }).collect();
    Calibration::fit(&answers)
}

/// Pixels of the figure's picture for each of its units.
const PNG_SCALE: f32 = 2.0;

/// Replaces `auto` by what the number of pictures asks for.
fn resolve_augment(recipe: &mut Recipe, data: &Dataset) -> Result<(Pipeline, u32), JobError> {
    let per_class = data.train.len() / data.classes.len().max(1);
    let (default, default_views) = augment::default_views(per_class);
    let pipeline = match recipe.augment.pipeline.as_str() {
        "auto" => default,
        line => line.parse()?,
    };
    let views = match recipe.augment.views {
        Some(views) => u32::try_from(views).unwrap_or(u32::MAX),
        None if pipeline.is_empty() => 1,
        None => default_views.max(FEWEST_VIEWS),
    };
    recipe.augment.pipeline = pipeline.to_string();
    recipe.augment.views = Some(views as usize);
    Ok((pipeline, views))
}

/// Of an augmentation that was asked for by name: one plain view and three others.
const FEWEST_VIEWS: u32 = 4;

fn plan_stages(recipe: &mut Recipe, model: &Model, train_pictures: usize) -> Result<Vec<StagePlan>, JobError> {
    let steps_an_epoch = train_pictures.div_ceil(recipe.batch_size);
    let mut plans = Vec::with_capacity(recipe.stages.len());
    for stage in &mut recipe.stages {
        let steps = u32::try_from(steps_an_epoch * stage.max_epochs()).unwrap_or(u32::MAX);
        let schedule = stage.schedule(recipe.base_learning_rate).resolve(steps);
        stage.learning_rate = Some(schedule.clone());
        let cut = model.locate(&stage.cut)?;
        let batch_norm = match stage.batch_norm {
            Some(BatchNorm::BatchStatistics) => BatchNormMode::BatchStatistics,
            Some(BatchNorm::Inference) | None => BatchNormMode::Inference,
        };
        let tap = model.tap(cut, batch_norm == BatchNormMode::BatchStatistics);
        if recipe.augment.cutmix > 0.0 && tap.grid(&model.graph) == [1, 1] {
            let tap = model.graph.layers()[tap.0].name.clone();
            return Err(JobError::CutMix { stage: stage.name.clone(), tap });
        }
        plans.push(StagePlan {
            name: stage.name.clone(),
            max_epochs: stage.max_epochs(),
            stopping: stage.stopping(),
            schedule,
            optimizer: stage.optimizer.clone(),
            cut,
            tap,
            batch_norm,
        });
    }
    Ok(plans)
}

/// Keeps `history.jsonl` up to date, then tells the caller.
struct Recorder<'a> {
    path: PathBuf,
    failed: Option<HistoryError>,
    next: &'a mut dyn Callback,
}

impl Callback for Recorder<'_> {
    fn on_epoch_end(&mut self, history: &History, model: &mut Model) {
        if let Err(error) = history.write(&self.path) {
            self.failed.get_or_insert(error);
        }
        self.next.on_epoch_end(history, model);
    }
}

/// The cut of a stage as a recipe writes it: `last = 30`.
pub fn cut_text(cut: &Cut) -> String {
    match cut {
        Cut::Head => "head".to_owned(),
        Cut::All => "all".to_owned(),
        Cut::Last(last) => format!("last = {last}"),
        Cut::Fraction(share) => format!("fraction = {share}"),
        Cut::From(name) => format!("from = {name}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
