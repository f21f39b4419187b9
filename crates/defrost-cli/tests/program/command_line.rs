//! Help, errors, exit codes, `--json`.

use crate::Program;

#[test]
fn help_is_short_and_has_examples() {
    let program = Program::new();
    for command in [
        "",
        "train",
        "predict",
        "evaluate",
        "compare",
        "serve",
        "export",
        "doctor",
        "report",
        "embed",
        "sample",
        "augment",
        "summary",
        "schedule",
        "recipe",
        "backbones",
        "bench",
        "cache",
        "completions",
    ] {
        let args: Vec<&str> = command.split_terminator(' ').chain(["--help"]).collect();
        insta::assert_snapshot!(format!("help {command}").trim().replace(' ', "_"), program.stdout(&args));
    }
}

#[test]
fn help_is_there_for_who_knows_nothing() {
    let program = Program::new();
    let welcome = program.mistake(&[]);
    assert!(welcome.contains("  defrost train shapes/") && welcome.contains("`defrost --help`"), "{welcome}");
    assert!(program.mistake(&["--lang", "ko"]).contains("클래스별 폴더에서 학습합니다"));
    assert_eq!(program.stdout(&["help", "train"]), program.stdout(&["train", "--help"]));
    assert!(program.mistake(&["help", "trian"]).contains("did you mean `train`?"));
    insta::assert_snapshot!("help_korean", program.stdout(&["help", "--lang", "ko"]));
    insta::assert_snapshot!("help_predict_korean", program.stdout(&["predict", "--help", "--lang=ko"]));
}

#[test]
fn mistakes_name_the_remedy() {
    let program = Program::new();
    let mistaken = "bacth_size = 3\n[[stages]]\nlr = 1e-3\nepochs = 5\nlearning_rate = -1.0\n";
    defrost::fs::write_atomic(&program.path().join("mistaken.toml"), mistaken.as_bytes()).unwrap();
    let mistakes: Vec<String> = [
        &["summry"][..],
        &["."],
        &["summary", "efficientnet_b0", "--ct", "last=3"],
        &["summary", "eficientnet_b0"],
        &["summary", "efficientnet_b0", "--cut", "lst=3"],
        &["summary", "efficientnet_b0", "--cut", "last=300"],
        &["summary", "efficientnet_b0", "--cut", "from=blck6d"],
        &["schedule", "cosine_decay(initial_learning_rate=1e-4, decay_step=1000)"],
        &["schedule", "cosine_decay(initial_learning_rate=1e-4, decay_steps=0)"],
        &["schedule", "cosin_decay(initial_learning_rate=1e-4)"],
        &["schedule", "1e-3"],
        &["schedule", "1e-3", "--steps", "3", "--out", "a.pdf"],
        &["schedule", "1e-3", "--steps", "99999999"],
        &["--lang", "fr", "backbones"],
        &["train"],
        &["train", "photos"],
        &["train", "photos", "--backbone", "eficientnet_b0"],
        &["train", "photos", "--set", "stages.1.lr=1e-4"],
        &["train", "photos", "--set", "seed"],
        &["train", "photos", "--epochs", "5"],
        &["train", "photos", "--resume"],
        &["train", "--recipe", "mistaken.toml"],
        &["recipe", "check", "mistaken.toml"],
        &["recipe", "show", "missing.toml"],
        &["predict", "my.jpg"],
        &["evaluate", "photos"],
        &["predict", "my.jpg", "--top-k", "0"],
        &["export", "--out", "a.pth"],
        &["export", "--out", "a.h5", "--format", "kears"],
        &["export", "--out", "missing/a.onnx"],
        &["export", "photos", "--out", "a.onnx"],
        &["export", "--out", "a.onnx", "--batch", "0"],
        &["augment", "photos"],
        &["augment", "photos", "--augment", "rotat(15)"],
        &["augment", "photos", "--augment", "crop(1..0.5)"],
        &["augment", "photos", "--out", "sheet.jpg"],
    ]
    .iter()
    .map(|args| format!("$ defrost {}\n{}", args.join(" "), program.mistake(args)))
    .collect();
    insta::assert_snapshot!(mistakes.join("\n"));
}

#[test]
fn json_is_one_versioned_object() {
    let program = Program::new();
    let objects: Vec<String> = [
        &["schedule", "cosine_decay(initial_learning_rate=1e-4, decay_steps=4, alpha=1e-6)", "--json"][..],
        &["summary", "efficientnet_b0", "--num-classes", "5", "--cut", "last=30", "--json"],
        &["summary", "efficientnet_b0", "--weights", "none", "--json"],
        &["backbones", "fetch", "efficientnet_lite0", "--json"],
        &["cache", "info", "--json"],
        &["cache", "prune", "--json"],
        &["cache", "verify", "--json"],
    ]
    .iter()
    .map(|args| {
        let text = program.stdout(args);
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["version"], 1);
        assert_eq!(text.lines().count(), 1);
        format!("$ defrost {}\n{text}", args.join(" "))
    })
    .collect();
    insta::assert_snapshot!(objects.join("\n"));
}

#[test]
fn backbones_are_listed_with_their_sources() {
    let list = Program::new().json(&["backbones", "--json"]);
    let backbones = list["backbones"].as_array().unwrap();
    let b0 = backbones.iter().find(|backbone| backbone["id"] == "efficientnet_b0.keras_imagenet").unwrap();
    assert_eq!(
        (&b0["layers"], &b0["parameters"], &b0["weights"]),
        (&238.into(), &4_049_571.into(), &"download".into())
    );
    assert!(backbones.iter().any(|backbone| backbone["weights"] == "embedded"));
}

#[test]
fn a_schedule_is_drawn_into_a_file() {
    let program = Program::new();
    for (name, start) in [("a.svg", &b"<svg"[..]), ("b/a.png", b"\x89PNG")] {
        let (code, stdout, stderr) = program.texts(&["schedule", "1e-3", "--steps", "9", "--out", name]);
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "", &*format!("{name} written\n")));
        assert!(std::fs::read(program.path().join(name)).unwrap().starts_with(start));
    }
}

#[test]
fn a_contact_sheet_shows_the_views_of_pictures() {
    let program = Program::new();
    program.stdout(&["sample", "shapes"]);
    let sheet = ["augment", "shapes", "--augment", "flip|crop( 0.5..1, 0.75..1.3333334)", "--input-size", "48"];
    let json = program.json(&[&sheet[..], &["--views", "3", "--pictures", "2", "--json"]].concat());
    insta::assert_json_snapshot!(json);
    assert!(std::fs::read(program.path().join("augment.png")).unwrap().starts_with(b"\x89PNG"));

    // Files by name, one of which is no picture.
    defrost::fs::write_atomic(&program.path().join("bad.jpg"), b"no picture").unwrap();
    let picture = "shapes/apple/apple_001.jpg";
    let (code, stdout, stderr) =
        program.texts(&["augment", picture, "bad.jpg", "--out", "a/b.png", "--input-size", "32"]);
    let said = "warning: 1 picture can't be read\na/b.png: 1 picture in 8 views each\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "", said));
    assert!(program.mistake(&["augment", "bad.jpg"]).contains("error: bad.jpg: not a picture"));
    let large = program.mistake(&["augment", picture, "--views", "1000"]);
    assert!(large.contains("16384") && large.contains("hint: take fewer `--views`"), "{large}");
}

#[test]
fn the_terminal_shows_a_table() {
    insta::assert_snapshot!(
        Program::new()
            .stdout(&["schedule", "exponential_decay(initial_learning_rate=0.1, decay_steps=8, decay_rate=0.01)"])
    );
}

#[test]
fn korean_is_spoken_where_the_locale_is() {
    let program = Program::new();
    let says = |variable: &str, value: &str| {
        let output = program.command(&["cache", "info"]).env(variable, value).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(says("LANG", "ko_KR.UTF-8").contains("가중치"));
    assert!(says("LC_ALL", "ko").contains("가중치"));
    assert!(says("LANG", "en_US.UTF-8").contains("weights"));
    assert!(program.stdout(&["cache", "info", "--lang", "ko"]).contains("가중치"));
}

#[test]
fn nothing_is_coloured_in_a_pipe() {
    let program = Program::new();
    for args in [&["--help"][..], &["summary", "x"], &["summary", "--x"]] {
        let output = program.run(args);
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{args:?}");
    }
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("defrost"))
        .args(["schedule", "1e-3", "--steps", "200000", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn pruning_keeps_whole_weights() {
    let program = Program::new();
    let cache = program.path().join("cache");
    for (file, content) in [("weights/b0.h5", "12"), ("weights/b1.h5.part", "345"), ("features/a.rows", "6789")] {
        defrost::fs::write_atomic(&cache.join(file), content.as_bytes()).unwrap();
    }
    insta::assert_snapshot!(program.stdout(&["cache", "info"]));
    assert_eq!(program.texts(&["cache", "prune"]).2, "2 files removed, 7 B freed\n");
    assert!(cache.join("weights/b0.h5").exists() && !cache.join("features/a.rows").exists());
}

/// Times and hashes differ between machines; fields with these names are left out of snapshots.
fn without(object: &mut serde_json::Value, names: &[&str]) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|name, _| !names.contains(&name.as_str()));
        fields.values_mut().for_each(|value| without(value, names));
    }
    object.as_array_mut().into_iter().flatten().for_each(|value| without(value, names));
}

#[test]
fn from_no_pictures_to_a_classifier() {
    let program = Program::new();
    let json = |args: &[&str]| program.json(args);
    assert_eq!(json(&["sample", "shapes", "--json"])["samples"], 240);

    let train = ["train", "shapes", "--input-size", "32", "--augment", "none", "--epochs", "1,1", "--json"];
    let mut outcome = json(&train);
    assert!(outcome["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(outcome["weights_hash"].as_str().unwrap().len(), 64);
    let figures = ["seconds", "weights_hash", "recipe_hash", "val_accuracy", "val_accuracy_interval", "val_loss"];
    without(&mut outcome, &figures);
    without(&mut outcome, &["best_val_accuracy", "still_improving", "calibration"]);
    insta::assert_json_snapshot!(outcome);
    for file in [
        "recipe.toml",
        "history.jsonl",
        "split.csv",
        "freezing.json",
        "curves.svg",
        "curves.png",
        "report.html",
        "model/model.json",
    ] {
        assert!(program.path().join("runs/shapes-1").join(file).is_file(), "{file}");
    }

    // Left out, the run is the latest.
    let picture = "shapes/apple/apple_001.jpg";
    let latest = json(&["predict", picture, "--top-k", "2", "--json"]);
    assert_eq!(latest, json(&["predict", "runs/shapes-1", picture, "--top-k", "2", "--json"]));
    assert_eq!(latest["predictions"][0]["path"], picture);
    assert_eq!(latest["predictions"][0]["top"].as_array().unwrap().len(), 2);
    assert_eq!(latest["predictions"][0]["top"][0]["class"], latest["predictions"][0]["class"]);
    let csv = program.stdout(&["predict", "shapes/fish", "--top-k", "1", "--csv"]);
    assert_eq!(
        (csv.lines().next(), csv.lines().count()),
        (Some("path,class,probability,error,class_1,probability_1,unlike"), 41)
    );

    let evaluation = json(&["evaluate", "shapes", "--json"]);
    assert_eq!(evaluation["samples"], 240);
    let total: u64 = evaluation["confusion_matrix"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(total, 240);

    // A picture that can't be read is a warning among others, and the user's mistake alone.
    defrost::fs::write_atomic(&program.path().join("bad.jpg"), b"no picture").unwrap();
    let (code, stdout, stderr) = program.texts(&["predict", "bad.jpg", picture]);
    assert_eq!(
        (code, stderr.as_str()),
        (0, "with the latest run, runs/shapes-1\nwarning: 1 picture can't be read\n"),
        "{stdout}"
    );
    assert!(program.mistake(&["predict", "bad.jpg"]).contains("\nerror: bad.jpg: not a picture"));

    // The run's recipe repeats it, and a finished run isn't resumed.
    let again = json(&["train", "--recipe", "runs/shapes-1/recipe.toml", "--json"]);
    assert_eq!(again["run"], "runs/shapes-2");
    let hash = |run: &str| {
        defrost::predict::Predictor::load(&program.path().join(run).join("model"))
            .unwrap()
            .artefact()
            .weights_hash
            .clone()
    };
    assert_eq!(hash("runs/shapes-1"), hash("runs/shapes-2"));
    assert!(program.mistake(&["train", "shapes", "--resume", "--out", "runs/shapes-1"]).contains("is finished"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_the_systems_fault() {
    use std::process::{Command, Stdio};
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(assert_cmd::cargo::cargo_bin("defrost"))
        .args(["schedule", "1e-3", "--steps", "2"])
        .env_clear()
        .stdout(Stdio::from(full))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.starts_with("error: can't write to stdout: No space left"), "{stderr}");
}

#[test]
fn a_damaged_archive_is_the_users_mistake() {
    let program = Program::new();
    defrost::fs::write_atomic(&program.path().join("x.tar"), b"no archive").unwrap();
    assert!(program.mistake(&["train", "x.tar"]).contains("x.tar can't be read as an archive"));
}

#[test]
fn a_bench_measures_speed_and_prints_the_plan() {
    let program = Program::new();
    let speed = program.json(&["bench", "mobilenet_v2_0.35", "--threads", "1", "--json"]);
    for field in ["forward_images_per_second", "train_images_per_second", "arena_bytes"] {
        assert!(speed[field].as_f64().unwrap() > 0.0, "{field}: {speed}");
    }
    assert_eq!((&speed["precision"], &speed["threads"], &speed["cut"]), (&"f32".into(), &1.into(), &"last=30".into()));
    let plan = program.json(&["bench", "mobilenet_v2_0.35", "--plan", "--json"]);
    let steps = plan["plan"].as_array().unwrap();
    let multiply_adds: u64 = steps.iter().map(|step| step["multiply_adds"].as_u64().unwrap()).sum();
    assert!(steps.len() > 20 && multiply_adds > 50_000_000, "{multiply_adds}");
    let layers = plan["step"].as_array().unwrap();
    let classifier = layers.last().unwrap();
    let times = ["forward_seconds", "backward_seconds"];
    assert!(times.iter().all(|time| classifier[time].as_f64().unwrap() > 0.0), "{classifier}");
    // Forward, for the kernel and for the input: five classes from 256 values.
    assert_eq!(classifier["multiply_adds"], 3 * 5 * 256);
    let table = program.stdout(&["bench", "mobilenet_v2_0.35", "--plan"]);
    // A heading and a sum each, and a line between.
    assert_eq!(table.lines().count(), steps.len() + layers.len() + 5);
}

#[test]
fn the_instruction_set_can_be_forced() {
    let program = Program::new();
    let plan = |isa: &str| {
        let mut command = program.command(&["bench", "mobilenet_v2_0.35", "--threads", "1", "--json"]);
        command.env("DEFROST_ISA", isa).output().unwrap()
    };
    let portable: serde_json::Value = serde_json::from_slice(&plan("portable").stdout).unwrap();
    assert_eq!(portable["isa"], "portable");
    let unknown = plan("avx9");
    assert_eq!(unknown.status.code(), Some(1));
    let message = String::from_utf8(unknown.stderr).unwrap();
    assert!(message.contains("avx9") && message.contains("portable"), "{message}");
}
