//! What one does with a classifier: predict, evaluate, compare, carry it about in one file.

use defrost::artefact::{Artefact, GOLDENS};
use defrost::data::{Drawing, draw};
use serde_json::Value;

use crate::Program;

/// Two runs on the same split of 120 drawn pictures, 96 to train and 24 to validate.
fn with_runs() -> Program {
    let program = Program::new();
    draw(&program.path().join("pictures"), &Drawing { per_class: 20, size: 64, seed: 3 }).unwrap();
    for (run, rate) in [("a", "1e-3"), ("b", "3e-3")] {
        let train = ["train", "pictures", "--input-size", "32", "--augment", "none", "--epochs", "2,0", "--quiet"];
        program.stdout(&[&train[..], &["--learning-rate", rate, "--out", run]].concat());
    }
    program
}

fn paths(predictions: &Value) -> Vec<&str> {
    let lines = predictions["predictions"].as_array().unwrap();
    lines.iter().map(|line| line["path"].as_str().unwrap()).collect()
}

#[test]
fn a_classifier_is_used_judged_compared_and_carried() {
    let program = with_runs();
    pictures_are_named_in_many_ways(&program);
    figures_and_drawings_come_out(&program);
    answers_are_explained(&program);
    two_runs_are_compared(&program);
    one_file_is_as_good_as_the_run(&program);
}

fn pictures_are_named_in_many_ways(program: &Program) {
    let folder = program.json(&["predict", "a", "pictures/fish", "--json"]);
    assert_eq!(paths(&folder).len(), 20);
    assert_eq!(paths(&folder)[1], "pictures/fish/fish_002.jpg");
    // A pattern that no shell has expanded; all, in order, whatever a lot holds.
    assert_eq!(program.json(&["predict", "a", "pictures/fish/*.jpg", "--json"]), folder);
    let all = program.json(&["predict", "a", "pictures/**/*_00[1-9].jpg", "--json"]);
    assert_eq!(paths(&all).len(), 54);
    assert!(paths(&all).is_sorted());
    assert!(program.mistake(&["predict", "a", "pictures/*.png"]).contains("no picture matches pictures/*.png"));

    // Paths on stdin; one that isn't there is told in its place.
    let listed = "pictures/fish/fish_001.jpg\r\n\nmissing.jpg\npictures/fish/fish_002.jpg\n";
    let output = program.command(&["predict", "a", "-", "--json"]).write_stdin(listed).output().unwrap();
    let piped: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(paths(&piped), ["pictures/fish/fish_001.jpg", "missing.jpg", "pictures/fish/fish_002.jpg"]);
    assert!(piped["predictions"][1]["error"].as_str().unwrap().contains("missing.jpg"));
    assert_eq!(piped["predictions"][1]["unlike"], Value::Null);
    assert_eq!(piped["predictions"][2], folder["predictions"][1]);

    // Twenty pictures were held out, so foreign ones are told.
    let unlike = |line: &Value| line["unlike"].as_bool().unwrap();
    let lines = folder["predictions"].as_array().unwrap();
    assert!(lines.iter().filter(|line| unlike(line)).count() < 5, "{folder}");
    let rejected = program.json(&["predict", "a", "pictures/fish", "--reject-unlike", "--json"]);
    for (line, rejected) in lines.iter().zip(rejected["predictions"].as_array().unwrap()) {
        assert_eq!(rejected["class"] == Value::Null, unlike(line));
    }
    let csv = program.stdout(&["predict", "a", "pictures/fish", "--top-k", "1", "--csv"]);
    assert_eq!(csv.lines().next(), Some("path,class,probability,error,class_1,probability_1,unlike"));
    assert_eq!(csv.lines().count(), 21);
    let table = program.stdout(&["predict", "a", "pictures/fish", "--min-probability", "1"]);
    assert!(table.lines().all(|line| line.ends_with("unsure") || line.ends_with("unlike all training pictures")));

    // `predictions.csv` has the same calibrated probabilities.
    let csv = defrost::fs::read_to_string(&program.path().join("a/predictions.csv")).unwrap();
    let (columns, row) = (csv.lines().next().unwrap(), csv.lines().nth(1).unwrap());
    let path = format!("pictures/{}", row.split(',').next().unwrap());
    let one = program.json(&["predict", "a", &path, "--json"]);
    let class = one["predictions"][0]["class"].as_str().unwrap();
    let column = columns.split(',').position(|name| name == class).unwrap();
    let kept: f64 = row.split(',').nth(column).unwrap().parse().unwrap();
    assert!((kept - one["predictions"][0]["probability"].as_f64().unwrap()).abs() < 1e-3, "{row} {one}");
}

fn answers_are_explained(program: &Program) {
    let split = defrost::fs::read_to_string(&program.path().join("a/split.csv")).unwrap();
    let trained = split.lines().find(|line| line.contains(",fish,train,")).unwrap().split(',').next().unwrap();
    let path = format!("pictures/{trained}");
    let told = program.json(&["predict", "a", &path, "--explain", "why", "--nearest", "2", "--json"]);
    let line = &told["predictions"][0];
    let near = line["nearest"].as_array().unwrap();
    assert_eq!((near.len(), &near[0]["path"], &near[0]["class"]), (2, &trained.into(), &"fish".into()));
    assert!(near[0]["similarity"].as_f64().unwrap() > 0.999);
    let overlay = program.path().join(line["explanation"].as_str().unwrap());
    assert!(overlay.ends_with(format!("why/{path}.png")));
    let [own, drawn] = [program.path().join(&path), overlay]
        .map(|path| defrost::image::open(&path, &defrost::image::Limits::default()).unwrap());
    assert_eq!((own.width(), own.height()), (drawn.width(), drawn.height()));

    let table = program.stdout(&["predict", "a", &path, "--nearest", "1"]);
    assert!(table.lines().nth(1).unwrap().starts_with(&format!("  like fish, {trained} (1.00)")), "{table}");
    let csv = program.stdout(&["predict", "a", &path, "--nearest", "1", "--top-k", "1", "--csv"]);
    assert!(csv.lines().next().unwrap().ends_with(",unlike,nearest_1,similarity_1"), "{csv}");
    // Where the features are gone, that is said, and nothing is made up.
    program.stdout(&["cache", "prune"]);
    assert!(program.mistake(&["predict", "a", &path, "--nearest", "1"]).contains("the cache has no features"));

    let page = program.json(&["report", "a", "--lang", "ko", "--out", "report.ko.html", "--json"]);
    let html = defrost::fs::read_to_string(&program.path().join("report.ko.html")).unwrap();
    assert_eq!(page["bytes"], html.len());
    assert!(html.contains("<html lang=\"ko\">"));
    assert!(program.mistake(&["report", "pictures"]).contains("is not a run"));
}

fn figures_and_drawings_come_out(program: &Program) {
    let judged = program.json(&["evaluate", "a", "pictures", "--out", "figures", "--json"]);
    for name in ["confusion.svg", "confusion.png", "reliability.svg", "reliability.png"] {
        assert!(program.path().join("figures").join(name).is_file(), "{name}");
    }
    assert_eq!(judged["out"][0], "figures/confusion.svg");
    assert_eq!(judged["samples"], 120);
    assert_eq!(judged["calibration"]["before"]["bins"].as_array().unwrap().len(), 15);
    // Too few were held out to fit a temperature.
    assert_eq!((&judged["calibration"]["temperature"], &judged["top_k"][0]["k"]), (&1.0.into(), &2.into()));
    let model: Value =
        serde_json::from_str(&defrost::fs::read_to_string(&program.path().join("a/model/model.json")).unwrap())
            .unwrap();
    assert_eq!((&model["version"], &model["calibration"]["left"]), (&2.into(), &"too_few".into()));
    assert_eq!((&model["origin"]["licence"], &model["figures"]["val_samples"]), (&"Apache-2.0".into(), &24.into()));
    let text = program.stdout(&["evaluate", "a", "pictures"]);
    for part in ["balanced accuracy", "top 2", "calibration error", "mean of the classes"] {
        assert!(text.contains(part), "{text}");
    }
}

fn two_runs_are_compared(program: &Program) {
    let compared = program.json(&["compare", "a", "b", "--json"]);
    assert_eq!((&compared["pictures"], &compared["left_out"]), (&24.into(), &0.into()));
    let agreement = compared["agreement"].as_object().unwrap();
    assert_eq!(agreement.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), 24);
    let (accuracies, runs) = (["accuracy_a", "accuracy_b"], ["a", "b"]);
    for (accuracy, run) in accuracies.into_iter().zip(runs) {
        let outcome = defrost::fs::read_to_string(&program.path().join(run).join("run.json")).unwrap();
        assert_eq!(compared[accuracy], serde_json::from_str::<Value>(&outcome).unwrap()["val_accuracy"]);
    }
    let same = program.json(&["compare", "a", "a", "pictures", "--json"]);
    assert_eq!((&same["pictures"], &same["p_value"]), (&120.into(), &1.0.into()));
    assert!(same["changed"].as_array().unwrap().is_empty());
    assert!(program.stdout(&["compare", "a", "b"]).contains("McNemar's exact p"));
}

fn one_file_is_as_good_as_the_run(program: &Program) {
    let (artefact, model) = Artefact::load(&program.path().join("a/model")).unwrap();
    artefact.pack(&model, &program.path().join("mine.defrost")).unwrap();
    let of = |run: &str| program.json(&["predict", run, "pictures/fish", "--json"])["predictions"].clone();
    assert_eq!(of("mine.defrost"), of("a"));
    assert_eq!(program.json(&["evaluate", "mine.defrost", "pictures", "--json"])["seen_in_training"], 0);
    assert!(program.mistake(&["compare", "a", "mine.defrost"]).contains("mine.defrost has no predictions.csv"));
    let train = ["train", "pictures", "--input-size", "32", "--augment", "none", "--epochs", "0,1"];
    let from_file = program.json(&[&train[..], &["--weights", "mine.defrost", "--json"]].concat());
    assert_eq!(from_file["val_samples"], 24);

    // A golden picture that was changed: the whole classifier is refused, by name.
    assert_eq!(artefact.goldens.len(), GOLDENS);
    let golden = program.path().join("a/model/golden");
    let other = defrost::fs::read(&golden.join("4-house.png")).unwrap();
    defrost::fs::write_atomic(&golden.join("1-apple.png"), &other).unwrap();
    let error = program.mistake(&["predict", "a", "pictures/fish"]);
    assert!(error.contains("golden/1-apple.png") && error.contains("expected"), "{error}");
}
