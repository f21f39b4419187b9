//! `defrost doctor` on drawn pictures with planted faults.

use defrost::data::{Drawing, draw};
use serde_json::Value;

use crate::Program;

/// 60 pictures, of which some are spoilt.
fn spoilt() -> Program {
    let program = Program::new();
    draw(&program.path().join("photos"), &Drawing { per_class: 10, size: 64, seed: 5 }).unwrap();
    let read = |name: &str| defrost::fs::read(&program.path().join("photos").join(name)).unwrap();
    let write =
        |name: &str, bytes: &[u8]| defrost::fs::write_atomic(&program.path().join("photos").join(name), bytes).unwrap();
    let fish = read("fish/fish_001.jpg");
    write("fish/copy.jpg", &fish);
    write("tree/not_a_tree.jpg", &read("house/house_001.jpg"));
    write("apple/apple_002.jpg", &read("apple/apple_002.jpg")[..900]);
    write("apple/page.jpg", b"<html>404 Not Found</html>");
    write("umbrella/wrong.png", &read("umbrella/umbrella_003.jpg"));
    std::fs::create_dir(program.path().join("photos/nothing")).unwrap();
    program
}

fn findings<'a>(diagnosis: &'a Value, kind: &str) -> Vec<&'a Value> {
    diagnosis["findings"].as_array().unwrap().iter().filter(|finding| finding["kind"] == kind).collect()
}

#[test]
fn planted_faults_are_found_and_can_be_left_out() {
    let program = spoilt();
    let diagnosis = program.json(&["doctor", "photos", "--html", "photos.html", "--json"]);
    assert_eq!((&diagnosis["version"], &diagnosis["pictures"]), (&1.into(), &64.into()));
    assert_eq!(diagnosis["readable"], 62);
    assert_eq!(findings(&diagnosis, "unreadable")[0]["pictures"][0]["path"], "apple/page.jpg");
    assert_eq!(findings(&diagnosis, "truncated")[0]["leave_out"][0], "apple/apple_002.jpg");
    assert_eq!(findings(&diagnosis, "empty_class")[0]["class"], "nothing");
    assert_eq!(findings(&diagnosis, "wrong_extension")[0]["format"], "JPEG");
    let conflict = findings(&diagnosis, "conflicting_labels")[0];
    assert_eq!(conflict["leave_out"].as_array().unwrap().len(), 2);
    // The later ones by name: `copy.jpg` stays.
    let left_out: Vec<&Value> =
        findings(&diagnosis, "duplicate").iter().flat_map(|finding| finding["leave_out"].as_array().unwrap()).collect();
    assert_eq!(left_out, ["fish/fish_001.jpg", "umbrella/wrong.png"]);

    let page = String::from_utf8(defrost::fs::read(&program.path().join("photos.html")).unwrap()).unwrap();
    assert!(page.contains("photos.exclude.csv") && page.contains("umbrella"));
    let table = String::from_utf8(defrost::fs::read(&program.path().join("photos.exclude.csv")).unwrap()).unwrap();
    assert!(table.starts_with("path,content,reason\n"), "{table}");
    assert_eq!(table.lines().count() - 1, diagnosis["exclude"].as_array().unwrap().len());
    assert!(table.contains("fish/fish_001.jpg,") && !table.contains("fish/copy.jpg,"), "{table}");

    // What it advises can be followed: the empty class is the user's to remove.
    std::fs::remove_dir(program.path().join("photos/nothing")).unwrap();
    let exclude = ["--exclude", "photos.exclude.csv"];
    let train = ["train", "photos", "--input-size", "64", "--epochs", "1,0", "--augment", "none", "--json"];
    let run = program.json(&[&train[..], &exclude].concat());
    let trained = run["train_samples"].as_u64().unwrap() + run["val_samples"].as_u64().unwrap();
    assert_eq!(trained, 64 - diagnosis["exclude"].as_array().unwrap().len() as u64);
}

#[test]
fn a_second_look_computes_no_features_and_says_the_same() {
    let program = spoilt();
    let look = |more: &[&str]| program.texts(&[&["doctor", "photos", "--json"], more].concat());
    let (_, first, talk) = look(&[]);
    assert!(talk.contains("features"), "{talk}");
    let rows = program.json(&["cache", "info", "--json"])["rows"].clone();
    let (_, second, talk) = look(&[]);
    assert!(first == second && !talk.contains(" features  "), "{talk}");
    assert_eq!(program.json(&["cache", "info", "--json"])["rows"], rows);
    let (_, without, _) = look(&["--no-cache"]);
    assert_eq!(first, without);
}

#[test]
fn it_speaks_korean() {
    let program = spoilt();
    let (code, stdout, stderr) = program.texts(&["doctor", "photos", "--lang", "ko"]);
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert!(stderr.contains("읽을 수 없음") && stderr.contains("photos · "), "{stderr}");
}
