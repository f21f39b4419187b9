//! Trainings on a few small drawn pictures: the same weights whatever happens on the way, and what is said of them.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use defrost::data::{Drawing, draw};

use crate::Program;

/// What every training here begins with: 24 pictures of 64 × 64 in six classes, four steps an epoch.
const TRAIN: [&str; 6] = ["train", "pictures", "--input-size", "64", "--batch-size", "5"];
const PLAIN: [&str; 2] = ["--augment", "none"];

fn with_pictures() -> Program {
    let program = Program::new();
    draw(&program.path().join("pictures"), &Drawing { per_class: 4, size: 64, seed: 3 }).unwrap();
    program
}

impl Program {
    fn train(&self, more: &[&str]) -> serde_json::Value {
        self.json(&[&TRAIN, more, &["--json"]].concat())
    }

    fn hash_of_training(&self, more: &[&str]) -> String {
        self.train(more)["weights_hash"].as_str().unwrap().to_owned()
    }

    fn resume(&self, run: &str) -> String {
        let outcome = self.json(&["train", "--resume", "--out", run, "--json"]);
        outcome["weights_hash"].as_str().unwrap().to_owned()
    }

    /// Begins a training and waits until it has said a line that starts with `line`.
    fn begin(&self, more: &[&str], line: &str) -> Child {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("defrost"))
            .args([&TRAIN, more].concat())
            .current_dir(self.path())
            .env_clear()
            .env("DEFROST_CACHE", self.path().join("cache"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(said.any(|text| text.trim_start().starts_with(line)), "it ends before it says `{line}`");
        // A pipe that nobody reads must not stop it.
        std::thread::spawn(move || said.for_each(drop));
        child
    }

    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path().join(folder)).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

#[test]
fn neither_the_cache_nor_threads_change_the_weights() {
    let program = with_pictures();
    for cut in ["stages.1.last=30", "stages.1.fraction=0.7"] {
        let views = ["--epochs", "2,2", "--set", cut, "--augment", "flip|rotate(15)", "--set", "augment.views=2"];
        let hash = |more: &[&str]| program.hash_of_training(&[&views, more].concat());
        let cached = hash(&["--threads", "1"]);
        assert_eq!(cached, hash(&["--threads", "2"]), "{cut}, rows at hand");
        assert_eq!(cached, hash(&["--threads", "1", "--no-cache"]), "{cut}");
        assert_eq!(cached, hash(&["--threads", "2", "--no-cache"]), "{cut}");
    }
}

#[test]
fn the_same_seed_gives_the_same_files() {
    let program = with_pictures();
    let read = |run: &str, file: &str| defrost::fs::read(&program.path().join(run).join(file)).unwrap();
    let history = |run: &str| -> Vec<serde_json::Value> {
        let lines = String::from_utf8(read(run, "history.jsonl")).unwrap();
        let without_time = |line: &str| {
            let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
            record.as_object_mut().unwrap().remove("seconds").unwrap();
            record
        };
        lines.lines().map(without_time).collect()
    };
    for (run, seed) in [("a", "7"), ("b", "7"), ("c", "8")] {
        program.train(&[&PLAIN, &["--epochs", "2,2", "--seed", seed, "--out", run][..]].concat());
    }
    for file in ["model/model.safetensors", "predictions.csv", "split.csv", "freezing.json"] {
        assert!(read("a", file) == read("b", file), "{file}");
    }
    assert_eq!(history("a").len(), 4);
    assert_eq!(history("a"), history("b"));
    assert!(read("a", "model/model.safetensors") != read("c", "model/model.safetensors"));
}

#[test]
fn a_killed_training_goes_on_to_the_same_weights() {
    let program = with_pictures();
    // Many epochs, so that none of them ends the run before it is killed.
    let arguments = [&PLAIN[..], &["--epochs", "20,10"]].concat();
    let killed = |run: &str, line: &str| {
        let mut child = program.begin(&[&arguments[..], &["--out", run]].concat(), line);
        let recipe = program.path().join(run).join("recipe.toml");
        while !recipe.exists() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!program.path().join(run).join("run.json").exists(), "{line}");
    };
    killed("pass", "features  1 view each");
    killed("first", "2 ");
    killed("runs/second", "fine_tuning");
    assert!(program.path().join("runs/second/checkpoints/last.safetensors").exists());
    assert!(program.mistake(&["predict", "runs/second", "pictures"]).contains("--resume --out runs/second`"));
    // The latest, where none is named; its data are as they were.
    let latest = program.json(&["train", "pictures", "--resume", "--json"]);
    assert_eq!(latest["run"], "runs/second");
    let whole = program.hash_of_training(&[&arguments[..], &["--out", "whole"]].concat());
    assert_eq!(latest["weights_hash"], whole.as_str());
    assert_eq!(program.resume("pass"), whole);
    assert_eq!(program.resume("first"), whole);
    let abandoned = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "tmp");
    let files =
        ["cache/features", "pass", "first", "runs/second/checkpoints"].map(|folder| program.files(folder)).concat();
    assert_eq!(files.iter().find(abandoned), None);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_and_another_folder_of_pictures_does_not_go_on() {
    let program = with_pictures();
    let arguments = [&PLAIN[..], &["--epochs", "20,10", "--out", "stopped"]].concat();
    let mut child = program.begin(&arguments, "3 ");
    let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));

    let changed = program.path().join("pictures/apple/apple_001.jpg");
    let picture = defrost::fs::read(&changed).unwrap();
    std::fs::remove_file(&changed).unwrap();
    let (code, _, stderr) = program.texts(&["train", "--resume", "--out", "stopped"]);
    assert!(code == 1 && stderr.contains("24 pictures then, 23 now"), "{stderr}");
    defrost::fs::write_atomic(&changed, &picture).unwrap();

    // The same pictures elsewhere.
    std::fs::rename(program.path().join("pictures"), program.path().join("moved")).unwrap();
    let error = program.mistake(&["train", "--resume", "--out", "stopped"]);
    assert!(error.contains("pictures doesn't exist"), "{error}");
    assert!(
        error.contains(
            "hint: if the pictures were moved, say where they are: `defrost train DATA --resume --out stopped`"
        )
    );
    std::fs::create_dir(program.path().join("runs")).unwrap();
    std::fs::rename(program.path().join("stopped"), program.path().join("runs/stopped")).unwrap();
    let error = program.mistake(&["train", "moved", "--resume"]);
    assert!(error.contains("if these are they, `defrost train moved --resume --out runs/stopped` goes on"), "{error}");
    let outcome = program.json(&["train", "moved", "--resume", "--out", "runs/stopped", "--json"]);
    let stopped = outcome["weights_hash"].as_str().unwrap().to_owned();
    std::fs::rename(program.path().join("moved"), program.path().join("pictures")).unwrap();
    let whole = program.hash_of_training(&[&PLAIN[..], &["--epochs", "20,10", "--out", "whole"]].concat());
    assert_eq!(stopped, whole);
}

#[test]
fn two_processes_work_side_by_side() {
    let program = with_pictures();
    let arguments = [&PLAIN[..], &["--epochs", "3,2"]].concat();
    let mut child = program.begin(&[&arguments[..], &["--out", "one"]].concat(), "backbone ");
    let other = program.hash_of_training(&[&arguments[..], &["--out", "two"]].concat());
    assert!(child.wait().unwrap().success());
    let one = defrost::fs::read_to_string(&program.path().join("one/run.json")).unwrap();
    assert!(one.contains(&other), "{one}");
}

#[test]
fn rows_of_earlier_runs_are_found_verified_and_removed() {
    let program = with_pictures();
    let said = |more: &[&str]| {
        let (code, _, stderr) = program.texts(&[&TRAIN, &PLAIN[..], &["--epochs", "1,1"], more].concat());
        assert_eq!(code, 0, "{stderr}");
        stderr
    };
    let first = said(&["--out", "first"]);
    assert!(
        first.contains("features  1 view each, 24 rows to compute, ") && first.contains("FOLDER/cache/features"),
        "{first}"
    );
    let again = said(&["--out", "again", "--seed", "9"]);
    assert!(
        again.contains("1 view each, 24 rows from earlier runs, none to compute") && !again.contains("24 pictures  "),
        "{again}"
    );
    draw(&program.path().join("more"), &Drawing { per_class: 1, size: 64, seed: 5 }).unwrap();
    let new = program.path().join("more/fish/fish_001.jpg");
    std::fs::rename(new, program.path().join("pictures/fish/new.jpg")).unwrap();
    let more = said(&["--out", "more-pictures"]);
    assert!(
        more.contains("24 rows from earlier runs, 1 to compute") && more.contains(" features            1 picture "),
        "{more}"
    );

    assert_eq!(program.json(&["cache", "info", "--json"])["rows"], 50);
    assert_eq!(program.texts(&["cache", "verify"]).2, "50 rows checked, none damaged\n");
    let files = program.files("cache/features");
    let rows: Vec<&PathBuf> =
        files.iter().filter(|path| path.extension().is_some_and(|ending| ending == "rows")).collect();
    assert_eq!(rows.len(), 2);
    let mut bytes = defrost::fs::read(rows[0]).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    defrost::fs::write_atomic(rows[0], &bytes).unwrap();
    let text = "50 rows checked, 1 damaged and removed: they are computed again\n";
    assert_eq!(program.texts(&["cache", "verify"]).2, text);
    assert_eq!(program.json(&["cache", "verify", "--json"])["damaged"], 0);
    let pruned = program.texts(&["cache", "prune"]).2;
    // The index, two files of rows, and the perceptual hashes.
    assert!(pruned.starts_with("4 files removed, "), "{pruned}");
    assert_eq!(program.json(&["cache", "info", "--json"])["rows"], 0);
}

#[test]
fn features_are_written_for_use_elsewhere() {
    let program = with_pictures();
    let embed = |out: &str, more: &[&str]| {
        program.json(&[&["embed", "pictures", "--input-size", "64", "--out", out, "--json"], more].concat())
    };
    let report = embed("a/features.npy", &[]);
    assert_eq!(
        (&report["samples"], &report["num_features"], &report["skipped"]),
        (&24.into(), &1280.into(), &0.into())
    );
    let npy = defrost::fs::read(&program.path().join("a/features.npy")).unwrap();
    assert_eq!(npy.len(), 128 + 24 * 1280 * 4);
    let table = defrost::fs::read_to_string(&program.path().join("a/features.csv")).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[1]), (25, "path,label,class", "apple/apple_001.jpg,0,apple"));
    assert!(lines[1..].is_sorted());

    // The same numbers, from the cache, without it, and in the other format.
    embed("again.npy", &[]);
    embed("uncached.npy", &["--no-cache"]);
    let read = |name: &str| defrost::fs::read(&program.path().join(name)).unwrap();
    assert!(read("again.npy") == npy && read("uncached.npy") == npy);
    embed("features.safetensors", &[]);
    assert!(read("features.safetensors").ends_with(&npy[128..]));
    assert_eq!(program.json(&["cache", "info", "--json"])["rows"], 24);

    let error = program.mistake(&["embed", "pictures", "--out", "features.xlsx"]);
    assert!(error.contains("features.xlsx: a file of features ends in .npy, .safetensors or .parquet"), "{error}");
    // A picture that can't be read has no row.
    let cut = read("pictures/apple/apple_001.jpg");
    defrost::fs::write_atomic(&program.path().join("pictures/apple/apple_001.jpg"), &cut[..cut.len() / 2]).unwrap();
    let report = embed("fewer.npy", &[]);
    assert_eq!((&report["samples"], &report["skipped"]), (&23.into(), &1.into()));
    assert!(!String::from_utf8(read("fewer.csv")).unwrap().contains("apple_001"));
}

#[test]
fn what_a_run_needs_to_know_is_said_once() {
    let program = with_pictures();
    let said = |more: &[&str]| {
        let (code, stdout, stderr) = program.texts(&[&TRAIN, &PLAIN[..], more].concat());
        assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
        stderr
    };
    let both = said(&["--epochs", "2,2", "--learning-rate", "1e-3"]);
    assert!(both.contains(" pooled features     24 pictures"), "{both}");
    assert!(
        both.contains("still falling when `feature_extraction`") && both.contains("stages.0.epochs={ max"),
        "{both}"
    );
    assert!(both.contains("frozen tensors unchanged: 216 of 216"), "{both}");
    let korean = said(&["--epochs", "2,2", "--lang", "ko"]);
    assert!(korean.contains(" 풀링한 특징         사진 24장") || korean.contains("이전 실행"), "{korean}");
    assert!(korean.contains("`feature_extraction`") && korean.contains("줄고 있었습니다"), "{korean}");

    // From scratch nothing is frozen, so nothing is said of it.
    let scratch = said(&["--epochs", "1", "--weights", "none"]);
    assert!(scratch.contains("1 epoch,") && !scratch.contains("unchanged"), "{scratch}");

    // Room for a part of the rows: the share that is kept is said.
    let uncached = said(&["--epochs", "1,1", "--no-cache", "--out", "uncached"]);
    assert!(uncached.contains("kept nowhere"), "{uncached}");

    // The recipe's warning and the data's are one.
    std::fs::rename(program.path().join("pictures"), program.path().join("train")).unwrap();
    std::fs::create_dir(program.path().join("pictures")).unwrap();
    draw(&program.path().join("pictures/test"), &Drawing { per_class: 2, size: 64, seed: 4 }).unwrap();
    std::fs::rename(program.path().join("train"), program.path().join("pictures/train")).unwrap();
    let test = said(&["--epochs", "1,1", "--set", "data.validation=test"]);
    let warnings: Vec<&str> = test.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("test pictures are used for validation"), "{test}");
}

#[test]
fn a_recipe_states_its_result() {
    let program = with_pictures();
    let recipe = |expect: &str| {
        let text = format!("input_size = 64\nbatch_size = 5\naugment = \"none\"\n{expect}[[stages]]\nepochs = 1\n");
        defrost::fs::write_atomic(&program.path().join("r.toml"), text.as_bytes()).unwrap();
    };
    recipe("[expect]\nval_accuracy = [0.0, 1.0]\n");
    let verified = program.json(&["recipe", "verify", "r.toml", "pictures", "--json"]);
    assert_eq!((&verified["holds"], &verified["expected"]), (&true.into(), &serde_json::json!([0.0, 1.0])));
    recipe("[expect]\nval_accuracy = [1.0, 1.0]\n");
    let (code, stdout, stderr) = program.texts(&["recipe", "verify", "r.toml", "pictures", "--json"]);
    assert!(
        code == 1 && stdout.contains("\"holds\":false") && stderr.contains("outside the 100.0–100.0 %"),
        "{stderr}"
    );
    recipe("");
    let error = program.mistake(&["recipe", "verify", "r.toml", "pictures"]);
    assert!(error.contains("r.toml states no result to expect") && error.contains("[expect]"), "{error}");
}

#[test]
fn pictures_that_cannot_be_read_are_named() {
    let program = with_pictures();
    let write = |path: &str, bytes: &[u8]| defrost::fs::write_atomic(&program.path().join(path), bytes).unwrap();
    let whole = defrost::fs::read(&program.path().join("pictures/apple/apple_001.jpg")).unwrap();
    write("pictures/apple/cut.jpg", &whole[..whole.len() / 2]);
    write("pictures/apple/phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    write("pictures/fish/new.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf");
    assert_eq!(program.train(&[&PLAIN, &["--epochs", "1,1", "--out", "run"][..]].concat())["skipped"], 3);
    let skipped = defrost::fs::read_to_string(&program.path().join("run/skipped.csv")).unwrap();
    for (name, reason) in [("cut.jpg", "ends before"), ("phone.heic", "HEIC"), ("new.avif", "AVIF")] {
        assert!(skipped.lines().any(|line| line.contains(name) && line.contains(reason)), "{skipped}");
    }
    // Their long reasons don't widen the table.
    let (code, stdout, stderr) = program.texts(&["predict", "run", "pictures/apple"]);
    assert_eq!((code, stderr.as_str()), (0, "warning: 2 pictures can't be read\n"));
    assert!(stdout.lines().take(4).all(|line| line.len() < 120), "{stdout}");
    assert!(stdout.lines().nth(4).unwrap().starts_with("pictures/apple/cut.jpg: the JPEG file ends"), "{stdout}");

    // A classifier is judged by pictures that it hasn't seen.
    let (code, stdout, stderr) = program.texts(&["evaluate", "run", "pictures", "--json"]);
    let seen = serde_json::from_str::<serde_json::Value>(&stdout).unwrap()["seen_in_training"].as_u64();
    assert_eq!((code, seen), (0, Some(19)), "{stderr}");
    assert!(stderr.contains("has learned from 19 of 25 pictures"), "{stderr}");

    for name in 1..=4 {
        write(&format!("pictures/house/house_00{name}.jpg"), &whole[..whole.len() / 2 + name]);
    }
    let error = program.mistake(&[&TRAIN, &PLAIN[..], &["--epochs", "1,1", "--out", "none", "-q"]].concat());
    assert!(error.contains("the class `house`") && error.contains("skipped.csv"), "{error}");

    std::fs::create_dir(program.path().join("empty")).unwrap();
    assert!(program.mistake(&["predict", "run", "empty"]).contains("empty holds no pictures; JPEG"));
}

#[test]
fn a_run_that_cannot_go_on_says_why() {
    let program = with_pictures();
    assert_eq!(
        program.mistake(&["train", "--resume"]),
        "error: there is no unfinished run in runs; train without `--resume`\n"
    );
    program.train(&[&PLAIN, &["--epochs", "1,1", "--out", "run"][..]].concat());
    // Whatever the flags: that it is finished matters more than that they differ.
    let error = program.mistake(&["train", "--resume", "--out", "run", "--seed", "3"]);
    assert!(error.starts_with("error: run is finished"), "{error}");
    let error = program.mistake(&["train", "--resume", "--out", "pictures"]);
    assert!(error.starts_with("error: pictures is not a run"), "{error}");
    let error = program.mistake(&[&TRAIN[..], &["--out", "run"]].concat());
    assert!(error.starts_with("error: run exists already"), "{error}");
    let error = program.mistake(&[&TRAIN[..], &["--weights", "run", "--backbone", "efficientnet_b0"]].concat());
    assert!(error.contains("set `backbone = \"efficientnet_lite0.imagenet\"`"), "{error}");
    assert_eq!(program.files("runs"), Vec::<PathBuf>::new());
}

#[test]
fn without_a_home_nothing_is_kept_where_that_is_asked_for() {
    let program = with_pictures();
    let arguments = [&TRAIN, &PLAIN[..], &["--epochs", "1,1", "--out", "run"]].concat();
    let homeless = |more: &[&str]| {
        let output = program.command(&[&arguments[..], more].concat()).env_remove("DEFROST_CACHE").output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, error) = homeless(&[]);
    assert!(code == 1 && error.contains("keep nothing with `--no-cache`"), "{error}");
    let (code, error) = homeless(&["--no-cache", "--backbone", "mobilenet_v2_0.35"]);
    assert!(
        code == 1 && error.contains("no folder for downloaded weights") && error.contains("DEFROST_CACHE"),
        "{error}"
    );
    let (code, error) = homeless(&["--no-cache"]);
    assert_eq!(code, 0, "{error}");
    assert!(program.mistake(&["train", "run"]).starts_with("error: run is a run, not pictures\n"));
}

#[test]
fn a_classifier_is_exported() {
    let program = with_pictures();
    let hash = program.hash_of_training(&[&PLAIN[..], &["--epochs", "1,0", "--out", "run"]].concat());
    let card = std::fs::read_to_string(program.path().join("run/model/README.md")).unwrap();
    assert!(card.starts_with("# 6 classes by efficientnet_lite0.imagenet\n") && card.contains("Apache-2.0"), "{card}");
    for (file, format) in [
        ("a.onnx", "onnx"),
        ("a.keras", "keras"),
        ("a.weights.h5", "keras-weights"),
        ("a.safetensors", "safetensors"),
        ("a.defrost", "defrost"),
        ("a.md", "card"),
    ] {
        let object = program.json(&["export", "run", "--out", file, "--json"]);
        let size = std::fs::metadata(program.path().join(file)).unwrap().len();
        assert_eq!(
            (&object["format"], &object["weights_hash"], &object["bytes"]),
            (&format.into(), &hash.clone().into(), &size.into())
        );
    }
    assert_eq!(std::fs::read_to_string(program.path().join("a.md")).unwrap(), card);

    // The one-file form is a classifier like the run; timm's names and Keras' files are weights to begin with.
    let picture = "pictures/apple/apple_001.jpg";
    let answers = |run| program.json(&["predict", run, picture, "--json"])["predictions"].clone();
    assert_eq!(answers("run"), answers("a.defrost"));
    for weights in ["a.safetensors", "a.keras", "a.weights.h5"] {
        program.train(&[&PLAIN[..], &["--epochs", "1,0", "--weights", weights]].concat());
    }

    let error = program.mistake(&["export", "run", "--out", "a.keras", "--preprocess"]);
    assert!(error.contains("`--preprocess` is for onnx alone"), "{error}");
}
