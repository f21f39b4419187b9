//! The forms of data, splits that are kept, and pictures that are left out, in whole trainings.

use std::collections::BTreeMap;

use defrost::data::{Drawing, draw};

use crate::Program;

const TRAIN: [&str; 8] = ["--input-size", "64", "--batch-size", "5", "--epochs", "1,0", "--augment", "none"];

impl Program {
    fn outcome(&self, data: &str, more: &[&str]) -> serde_json::Value {
        self.json(&[&["train", data, "--json"], &TRAIN[..], more].concat())
    }

    /// The side of each picture in a run, by path.
    fn split(&self, run: &str) -> BTreeMap<String, String> {
        let table = defrost::fs::read(&self.path().join(run).join("split.csv")).unwrap();
        let rows = csv::Reader::from_reader(table.as_slice()).into_records().map(Result::unwrap).collect::<Vec<_>>();
        rows.iter().map(|row| (row[0].to_owned(), row[2].to_owned())).collect()
    }

    fn write(&self, name: &str, text: &str) {
        defrost::fs::write_atomic(&self.path().join(name), text.as_bytes()).unwrap();
    }
}

fn with_pictures() -> Program {
    let program = Program::new();
    draw(&program.path().join("pictures"), &Drawing { per_class: 4, size: 64, seed: 3 }).unwrap();
    program
}

#[test]
fn a_table_trains_as_the_folders_that_it_lists_and_weights_count() {
    let program = with_pictures();
    let folders = program.outcome("pictures", &["--out", "folders"]);
    let rows = |weight: &str| {
        let paths: Vec<String> = program.split("folders").into_keys().collect();
        let row = |path: &String| format!("pictures/{path},{},{weight}\n", path.split('/').next().unwrap());
        format!("image,class,weight\n{}", paths.iter().map(row).collect::<String>())
    };
    program.write("table.csv", &rows(""));
    program.write("weighted.csv", &rows("0.5"));
    let table = program.outcome("table.csv", &[]);
    assert_eq!((&folders["form"], &table["form"]), (&"folder per class".into(), &"table, CSV".into()));
    assert_eq!(folders["weights_hash"], table["weights_hash"]);
    assert_ne!(folders["weights_hash"], program.outcome("weighted.csv", &[])["weights_hash"]);
    program.write("wrong.csv", "path,label,split\na.jpg,a,holdout\n");
    let error = program.mistake(&["train", "wrong.csv"]);
    assert!(
        error.contains("wrong.csv, line 2: expected the split `train`, `validation` or `test`; got `holdout`"),
        "{error}"
    );
}

#[test]
fn an_earlier_split_is_kept_and_listed_pictures_are_left_out() {
    let program = with_pictures();
    program.outcome("pictures", &["--out", "first"]);
    let first = program.split("first");
    draw(&program.path().join("more"), &Drawing { per_class: 1, size: 64, seed: 8 }).unwrap();
    let [class, picture] = ["apple", "more"].map(str::to_owned);
    let drawn = std::fs::read_dir(program.path().join("more").join(&class)).unwrap().next().unwrap().unwrap().path();
    let ending = drawn.extension().unwrap().to_str().unwrap().to_owned();
    std::fs::rename(&drawn, program.path().join(format!("pictures/{class}/{picture}.{ending}"))).unwrap();
    let gone = first.iter().find(|(path, side)| path.starts_with("fish/") && *side == "train").unwrap().0.clone();
    program.write("exclude.csv", &format!("path\n{gone}\nno/such.jpg\n"));

    let args = ["train", "pictures", "--split", "first", "--exclude", "exclude.csv", "--out", "second"];
    let (code, _, said) = program.texts(&[&args, &TRAIN[..]].concat());
    assert_eq!(code, 0, "{said}");
    for line in [
        "pictures (folder per class) · 24 pictures in 6 classes",
        " · 1 left out, as listed",
        "split of first/split.csv kept for 23 pictures, 1 picture new, 1 of its pictures gone",
        "1 line of exclude.csv names no picture of these data, the first in line 3",
    ] {
        assert!(said.contains(line), "{line} not in {said}");
    }
    let second = program.split("second");
    assert_eq!(second.len(), 24);
    let kept = first.iter().filter(|(path, _)| **path != gone).all(|(path, side)| second.get(path) == Some(side));
    assert!(kept && !second.contains_key(&gone));
    let error = program.mistake(&["train", "pictures", "--split", "first", "--fold", "1/3"]);
    assert!(error.contains("`fold` and `split` both say which pictures to validate on; leave one out"), "{error}");
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_files_say_how_to_build_a_program_that_reads_them() {
    let program = Program::new();
    program.write("train.parquet", "PAR1");
    let error = program.mistake(&["train", "train.parquet"]);
    assert!(error.contains("built without; build it with `--features parquet`"), "{error}");
}
