//! Whole trainings on drawn pictures, small enough for a test: the same weights however often they were stopped, with or without
//! the cache, on any number of threads.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use defrost::data::{Drawing, SplitLine, draw};
use defrost::features::Cache;
use defrost::image::Limits;
use defrost::job::{self, Environment, Job, JobError, Neighbours, Outcome};
use defrost::model::Model;
use defrost::predict::Predictor;
use defrost::progress::{Observer, Phase, Progress};
use defrost::recipe::Recipe;
use defrost::report::Lang;
use defrost::run::{self, RunDir};
use defrost::train::{Callback, History};

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        draw(&folder.path().join("pictures"), &Drawing { per_class: 4, size: 64, seed: 3 }).unwrap();
        Bench { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Two short stages on 64×64 pictures, with `lines` on top.
    fn recipe(&self, lines: &str, second: &str) -> Recipe {
        let pictures = self.path("pictures");
        let text = format!(
            "seed = 7\ninput_size = 64\nbatch_size = 5\n{lines}\n[data]\npath = {pictures:?}\n\
             [[stages]]\nname = \"feature_extraction\"\nepochs = 2\nlearning_rate = 1e-3\n\
             [[stages]]\nname = \"fine_tuning\"\n{second}\nepochs = 2\nlearning_rate = 1e-4\n"
        );
        Recipe::parse(&text, None).unwrap()
    }

    /// Two short stages that thaw layers, so that their rows have positions, with `mixing` in the table of augmentation.
    fn cutting(&self, mixing: &str) -> Recipe {
        let mut recipe = self.recipe(&format!("augment = {{ pipeline = \"none\", {mixing} }}"), "last = 30");
        recipe.set("stages.0.name", "top").unwrap();
        recipe.set("stages.0.from", "top").unwrap();
        recipe
    }

    fn job(&self, recipe: &Recipe, budget: u64) -> Job {
        let cache = self.path("cache");
        let environment = Environment {
            embedded: defrost_weights::efficientnet_lite0(),
            weights_cache: Some(&cache),
            features: Cache { folder: cache.join("features"), budget },
            lang: Lang::English,
        };
        Job::prepare(recipe, false, &environment, Progress::none()).unwrap()
    }

    fn run(&self, recipe: &Recipe, budget: u64, out: &str) -> Outcome {
        let dir = RunDir::create(&self.path(out)).unwrap();
        self.job(recipe, budget).run(&dir, &mut (), Progress::none()).unwrap()
    }
}

const PLENTY: u64 = 1 << 30;

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn a_run_holds_all_that_it_should_and_predicts() {
    let bench = Bench::new();
    let outcome = bench.run(&bench.recipe("augment = \"none\"", "last = 30"), PLENTY, "run");
    let run = bench.path("run");
    for name in [
        run::RECIPE,
        run::HISTORY,
        run::SPLIT,
        run::SKIPPED,
        run::PREDICTIONS,
        run::FREEZING,
        run::CURVES_SVG,
        run::CURVES_PNG,
        run::REPORT,
        run::OUTCOME,
    ] {
        assert!(run.join(name).is_file(), "{name}");
    }
    let history = History::read(&run.join(run::HISTORY)).unwrap();
    assert_eq!(history.len(), 4);
    let spans: Vec<(String, usize)> = history.spans().into_iter().map(|span| (span.stage, span.first_epoch)).collect();
    assert_eq!(spans, [("feature_extraction".to_owned(), 1), ("fine_tuning".to_owned(), 3)]);
    assert_eq!(outcome.stages[0].frozen_tensors, 245);
    assert_eq!(outcome.stages[1].frozen_tensors, 216);
    assert!(outcome.stages.iter().all(|stage| stage.frozen_unchanged));
    assert_eq!(outcome.val_accuracy as f32, history.last().unwrap().val_accuracy);

    let predictor = Predictor::load(&run.join(run::MODEL)).unwrap();
    let first_class = &outcome.classes[0];
    let picture = bench.path("pictures").join(first_class).join(format!("{first_class}_001.jpg"));
    let picture = defrost::image::open(&picture, &Limits::default()).unwrap();
    let prediction = predictor.predict(&picture);
    let sum: f32 = prediction.probabilities.iter().sum();
    assert!((sum - 1.0).abs() < 1e-5);
    assert_eq!(prediction.top(2)[0].class, prediction.best().class);
}

#[test]
fn a_run_is_reported_and_knows_the_pictures_it_learned_from() {
    let bench = Bench::new();
    bench.run(&bench.recipe("augment = \"none\"", "last = 30"), PLENTY, "run");
    let run = bench.path("run");
    let written = std::fs::read_to_string(run.join(run::REPORT)).unwrap();
    let wrong = std::fs::read_to_string(run.join(run::PREDICTIONS)).unwrap();
    let wrong = wrong.lines().skip(1).filter(|line| line.split(',').nth(1) != line.split(',').nth(2)).count();
    assert_eq!(written.matches("class=\"opens\"").count(), wrong);

    let cache = bench.path("cache");
    let features = Cache { folder: cache.join("features"), budget: PLENTY };
    let environment = |lang| Environment {
        embedded: defrost_weights::efficientnet_lite0(),
        weights_cache: Some(&cache),
        features: features.clone(),
        lang,
    };
    let report = |doctor, lang| job::report(&run, doctor, &environment(lang), Progress::none()).unwrap();
    assert_eq!(report(false, Lang::English), written, "a report is a function of the run");
    let examined = report(true, Lang::Korean);
    assert!(examined.contains("lang=\"ko\"") && !examined.contains("--doctor"));

    let lines = SplitLine::read(&run.join(run::SPLIT)).unwrap();
    let trained: Vec<&SplitLine> = lines.iter().filter(|line| line.side() == "train").collect();
    let neighbours = Neighbours::of(&run, &features).unwrap();
    assert_eq!((neighbours.found(), neighbours.missing()), (trained.len(), 0));
    let picture = defrost::image::open(&bench.path("pictures").join(&trained[3].path), &Limits::default()).unwrap();
    let predictor = Predictor::load(&run.join(run::MODEL)).unwrap();
    let pooled = predictor.predict(&picture).pooled;
    let nearest = neighbours.nearest(&pooled, 3);
    assert_eq!((nearest.len(), nearest[0].path, nearest[0].class), (3, &*trained[3].path, &*trained[3].class));
    assert!((nearest[0].similarity - 1.0).abs() < 1e-5 && nearest[1].similarity <= nearest[0].similarity);
    let none = Neighbours::of(&run, &Cache::none()).unwrap();
    assert_eq!((none.found(), none.missing()), (0, trained.len()));
    assert!(none.nearest(&pooled, 3).is_empty());

    // Without its pictures the run still has a report.
    std::fs::rename(bench.path("pictures"), bench.path("away")).unwrap();
    let bare = report(false, Lang::English);
    assert!(!bare.contains("data:image") && bare.contains("id=\"mistakes\""));
}

#[test]
fn the_weights_depend_on_neither_cache_nor_threads_nor_views_kept() {
    let bench = Bench::new();
    for (number, (cut, augment)) in [
        ("last = 30", "augment = \"none\""),
        ("fraction = 0.7", "augment = \"none\""),
        ("last = 30", "augment = { pipeline = \"flip|rotate(15)\", views = 2 }"),
        ("last = 30", "augment = { pipeline = \"trivial_augment|erase\", views = 2, mixup = 0.2 }"),
    ]
    .into_iter()
    .enumerate()
    {
        let recipe = bench.recipe(augment, cut);
        let hash = |budget, threads: usize, name: &str| {
            on_threads(threads, || bench.run(&recipe, budget, &format!("{name}-{number}")).weights_hash)
        };
        let cached = hash(PLENTY, 1, "cached");
        assert_eq!(cached, hash(0, 2, "uncached"), "{cut} {augment}");
        assert_eq!(cached, hash(PLENTY, 2, "again"), "{cut} {augment}");
        // Room for a few rows only.
        assert_eq!(cached, hash(100_000, 2, "partly"), "{cut} {augment}");
    }
}

/// Stops the work after a number of pictures of the given phase.
struct StopAfter<'a> {
    pictures: AtomicUsize,
    flag: &'a AtomicBool,
}

use std::sync::atomic::AtomicUsize;

impl Observer for StopAfter<'_> {
    fn begin(&self, _: Phase, _: u64, _: &str) {}
    fn advance(&self, units: u64) {
        if self.pictures.fetch_sub(units as usize, Ordering::SeqCst) <= units as usize {
            self.flag.store(true, Ordering::SeqCst);
        }
    }
    fn end(&self) {}
}

#[test]
fn a_stopped_run_goes_on_to_the_same_weights() {
    let bench = Bench::new();
    stop_and_go_on(&bench, &bench.recipe("augment = \"none\"", "last = 30"));
    let mixed = Bench::new();
    stop_and_go_on(&mixed, &mixed.cutting("mixup = 0.2, cutmix = 1.0"));
}

fn stop_and_go_on(bench: &Bench, recipe: &Recipe) {
    let whole = bench.run(recipe, PLENTY, "whole").weights_hash;
    // In the middle of an epoch of each stage; the features are at hand by now.
    for (number, pictures) in [12, 30, 55].into_iter().enumerate() {
        let path = bench.path(&format!("stopped-{number}"));
        let flag = AtomicBool::new(false);
        let observer = StopAfter { pictures: AtomicUsize::new(pictures), flag: &flag };
        let dir = RunDir::create(&path).unwrap();
        let error = bench.job(recipe, PLENTY).run(&dir, &mut (), Progress::new(&observer, &flag)).unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        drop(dir);
        assert!(!run::is_finished(&path));
        let recipe = Recipe::parse(&std::fs::read_to_string(path.join(run::RECIPE)).unwrap(), None).unwrap();
        let dir = RunDir::resume(&path).unwrap();
        let outcome = bench.job(&recipe, PLENTY).run(&dir, &mut (), Progress::none()).unwrap();
        assert_eq!(outcome.weights_hash, whole, "stopped after {pictures} pictures");
        assert_eq!(History::read(&path.join(run::HISTORY)).unwrap().len(), 4);
    }
}

#[test]
fn mixed_batches_change_the_training_and_not_the_validation() {
    let bench = Bench::new();
    let mut all: Vec<String> = Vec::new();
    for (number, mixing) in
        ["mixup = 0", "mixup = 0.2", "cutmix = 1.0", "mixup = 0.2, cutmix = 1.0"].into_iter().enumerate()
    {
        let recipe = bench.cutting(mixing);
        let run = |budget, threads: usize, name: &str| {
            on_threads(threads, || bench.run(&recipe, budget, &format!("{name}-{number}")))
        };
        let outcome = run(PLENTY, 1, "cached");
        assert_eq!(outcome.weights_hash, run(0, 2, "uncached").weights_hash, "{mixing}");
        let history = History::read(&bench.path(&format!("cached-{number}")).join(run::HISTORY)).unwrap();
        // What the artefact is judged by after the training is what it was judged by in the last epoch.
        assert!((outcome.val_loss as f32 - history.last().unwrap().val_loss).abs() < 1e-5, "{mixing}");
        assert!(!all.contains(&outcome.weights_hash), "{mixing}");
        all.push(outcome.weights_hash);
    }
}

#[test]
fn cutmix_is_refused_where_rows_are_pooled() {
    let bench = Bench::new();
    let recipe = bench.recipe("augment = { pipeline = \"none\", cutmix = 1.0 }", "last = 30");
    let cache = bench.path("cache");
    let environment = Environment {
        embedded: defrost_weights::efficientnet_lite0(),
        weights_cache: Some(&cache),
        features: Cache::none(),
        lang: Lang::English,
    };
    let error = Job::prepare(&recipe, false, &environment, Progress::none()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, JobError::CutMix { ref stage, .. } if stage == "feature_extraction"), "{text}");
    assert!(text.contains("pooled features") && text.contains("augment.mixup"), "{text}");
}

/// Flips one bit of a frozen tensor at the end of an epoch.
struct Flip {
    epoch: usize,
}

impl Callback for Flip {
    fn on_epoch_end(&mut self, history: &History, model: &mut Model) {
        if history.len() == self.epoch {
            let value = &mut model.params.get_mut("block1a_bn/moving_variance").unwrap().data_mut()[3];
            *value = f32::from_bits(value.to_bits() ^ 1);
        }
    }
}

/// Counts the pictures that a trunk pass or a derivation works on.
#[derive(Default)]
struct Computed {
    pictures: AtomicUsize,
}

impl Observer for Computed {
    fn begin(&self, phase: Phase, total: u64, _: &str) {
        if phase == Phase::Features {
            self.pictures.fetch_add(total as usize, Ordering::SeqCst);
        }
    }
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

impl Bench {
    /// Runs and says how many pictures were computed, by the trunk pass and for the first stage's derived rows together.
    fn computed(&self, recipe: &Recipe, budget: u64, out: &str) -> (usize, Outcome) {
        let (observer, flag) = (Computed::default(), AtomicBool::new(false));
        let dir = RunDir::create(&self.path(out)).unwrap();
        let outcome = self.job(recipe, budget).run(&dir, &mut (), Progress::new(&observer, &flag)).unwrap();
        (observer.pictures.into_inner(), outcome)
    }

    fn files_of_rows(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("cache/features")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "rows")).collect()
    }

    fn class(&self, number: usize) -> PathBuf {
        let folders = std::fs::read_dir(self.path("pictures")).unwrap();
        let mut folders: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders[number].clone()
    }
}

#[test]
fn only_what_was_never_computed_is_computed() {
    let bench = Bench::new();
    let plain = bench.recipe("augment = \"none\"", "last = 30");
    let count = 24;
    assert_eq!(bench.computed(&plain, PLENTY, "first").0, 2 * count);
    let changed = |settings: &[(&str, &str)]| {
        let mut recipe = plain.clone();
        settings.iter().for_each(|(key, value)| recipe.set(key, value).unwrap());
        recipe
    };
    for (number, settings) in [
        &[("seed", "8")][..],
        &[("head.layers", "[{ dense = 32 }]")],
        &[("stages.0.learning_rate", "3e-3"), ("batch_size", "7")],
        &[("data.validation", "0.5"), ("seed", "9")],
        &[("data.classes", "[\"apple\", \"fish\"]")],
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(bench.computed(&changed(settings), PLENTY, &format!("again-{number}")).0, 0, "{settings:?}");
    }

    // Added pictures cost themselves, in the pass and in what is derived from it; a copy costs nothing.
    draw(&bench.path("more"), &Drawing { per_class: 3, size: 64, seed: 11 }).unwrap();
    let more = std::fs::read_dir(bench.path("more").join(bench.class(0).file_name().unwrap())).unwrap();
    for (number, entry) in more.enumerate() {
        std::fs::rename(entry.unwrap().path(), bench.class(0).join(format!("more-{number}.jpg"))).unwrap();
    }
    let old = std::fs::read_dir(bench.class(0)).unwrap().next().unwrap().unwrap().path();
    std::fs::copy(old, bench.class(0).join("copy.jpg")).unwrap();
    let (computed, outcome) = bench.computed(&plain, PLENTY, "added");
    assert_eq!(computed, 2 * 3);
    // The result is that of a run that computes all of them.
    assert_eq!(outcome.weights_hash, bench.run(&plain, 0, "added-uncached").weights_hash);

    // A new class costs its pictures.
    let class = bench.path("pictures").join("new-class");
    std::fs::rename(bench.path("more").join(bench.class(1).file_name().unwrap()), class).unwrap();
    assert_eq!(bench.computed(&plain, PLENTY, "class").0, 2 * 3);

    // Another view of each training picture costs only the views, the plain ones are there.
    let views = changed(&[("augment", "{ pipeline = \"flip|rotate(15)\", views = 2 }")]);
    let (computed, outcome) = bench.computed(&views, PLENTY, "views");
    assert_eq!(computed, 2 * outcome.train_samples);
    // Other views: another `augment.seed`; the run's own seed has nothing to do with it.
    let mut again = views.clone();
    again.set("seed", "30").unwrap();
    let (computed, _) = bench.computed(&again, PLENTY, "views-seed");
    assert!(computed < 2 * outcome.train_samples, "{computed}: only pictures that were validated before");
    again.set("augment.seed", "1").unwrap();
    let (computed, outcome) = bench.computed(&again, PLENTY, "views-augment-seed");
    assert_eq!(computed, 2 * outcome.train_samples);
}

#[test]
fn damaged_rows_are_computed_again_and_stored_for_the_next_run() {
    let bench = Bench::new();
    let recipe = bench.recipe("augment = \"none\"", "last = 30");
    let (_, whole) = bench.computed(&recipe, PLENTY, "whole");
    let cache = bench.path("cache/features");
    let files = bench.files_of_rows();
    assert_eq!(files.len(), 2);
    for path in files {
        let mut bytes = std::fs::read(&path).unwrap();
        let len = bytes.len();
        bytes[len / 2] ^= 1;
        bytes.truncate(len - 5);
        write(&path, &bytes);
    }
    // The missing last row of each tap is seen at once, the altered one when it is read.
    let (computed, mended) = bench.computed(&recipe, PLENTY, "mended");
    assert_eq!((computed, &mended.weights_hash), (2, &whole.weights_hash));
    let (computed, again) = bench.computed(&recipe, PLENTY, "again");
    assert_eq!((computed, &again.weights_hash), (2, &whole.weights_hash));
    let (computed, _) = bench.computed(&recipe, PLENTY, "sound");
    assert_eq!(computed, 0);
    assert_eq!(defrost::features::verify(&cache).unwrap().damaged, 0);
}

#[test]
fn runs_at_once_share_one_cache_within_its_limit() {
    let bench = Bench::new();
    let recipe = bench.recipe("augment = \"none\"", "last = 30");
    let alone = bench.run(&recipe, 0, "alone").weights_hash;
    for (number, budget) in [PLENTY, 150_000].into_iter().enumerate() {
        std::thread::scope(|scope| {
            for worker in 0..3 {
                let (bench, recipe, alone) = (&bench, &recipe, &alone);
                scope.spawn(move || {
                    let outcome = on_threads(2, || bench.run(recipe, budget, &format!("run-{number}-{worker}")));
                    assert_eq!(&outcome.weights_hash, alone);
                });
            }
        });
        let used = defrost::features::usage(&bench.path("cache/features")).unwrap();
        let verified = defrost::features::verify(&bench.path("cache/features")).unwrap();
        assert!(verified.damaged == 0 && used.rows == verified.rows, "{used:?} {verified:?}");
        assert!(if budget == PLENTY { used.rows == 48 } else { used.rows < 48 }, "{used:?}");
        let rows: u64 = bench.files_of_rows().iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(used.rows > 0 && rows <= budget, "{used:?}, {rows} bytes of rows");
        defrost::features::clear(&bench.path("cache/features")).unwrap();
    }
}

#[test]
fn one_flipped_frozen_bit_makes_the_run_fail() {
    let bench = Bench::new();
    for epoch in [1, 3] {
        let dir = RunDir::create(&bench.path(&format!("flipped-{epoch}"))).unwrap();
        let job = bench.job(&bench.recipe("augment = \"none\"", "last = 30"), PLENTY);
        let error = job.run(&dir, &mut Flip { epoch }, Progress::none()).unwrap_err();
        assert!(matches!(error, JobError::Train(defrost::train::TrainError::Freeze(_))), "{error}");
        assert!(!run::is_finished(dir.path()));
    }
}

#[test]
fn a_run_continues_from_an_earlier_one_with_other_classes() {
    let bench = Bench::new();
    bench.run(&bench.recipe("augment = \"none\"", "last = 30"), PLENTY, "earlier");
    let classes = std::fs::read_dir(bench.path("pictures")).unwrap().count();
    let some: Vec<String> = {
        let mut names: Vec<String> = std::fs::read_dir(bench.path("pictures"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names.truncate(3);
        names
    };
    assert!(classes > some.len());
    let mut recipe = bench.recipe("augment = \"none\"", "last = 30");
    recipe.set("weights", &bench.path("earlier").display().to_string()).unwrap();
    recipe.set("data.classes", &format!("{some:?}")).unwrap();
    let outcome = bench.run(&recipe, PLENTY, "later");
    assert_eq!(outcome.classes, some);
}

#[test]
fn unreadable_pictures_are_left_out_and_listed() {
    let bench = Bench::new();
    let pictures = bench.path("pictures");
    let class = std::fs::read_dir(&pictures).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(std::fs::read_dir(&class).unwrap().next().unwrap().unwrap().path()).unwrap();
    write(&class.join("cut.jpg"), &whole[..whole.len() / 2]);
    write(&class.join("empty.jpg"), b"");
    for budget in [PLENTY, 0] {
        let outcome = bench.run(&bench.recipe("augment = \"none\"", "last = 30"), budget, &format!("run-{budget}"));
        let skipped = std::fs::read_to_string(bench.path(&format!("run-{budget}")).join(run::SKIPPED)).unwrap();
        assert!(skipped.contains("cut.jpg") && skipped.contains("empty.jpg"), "{skipped}");
        assert_eq!(outcome.skipped, 2);
    }
}

fn write(path: &Path, bytes: &[u8]) {
    defrost::fs::write_atomic(path, bytes).unwrap();
}
