//! Layouts and their errors, end to end: folders of small pictures through [`open`].

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::image::Limits;

/// A small PNG, another for each number: noise, so that no two look alike.
fn picture(number: u32) -> Vec<u8> {
    let mut noise = crate::rng::Stream::new(number.into(), "picture", &[]);
    let mut bytes = Cursor::new(Vec::new());
    ::image::RgbImage::from_fn(8, 6, |_, _| ::image::Rgb([noise.below(256) as u8; 3]))
        .write_to(&mut bytes, ::image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

/// A temporary data set called `set`.
struct Set(tempfile::TempDir);

impl Set {
    fn new() -> Set {
        Set(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("set")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        crate::fs::write_atomic(&self.path().join(name), bytes).unwrap();
    }

    /// Fills folders with so many pictures, all different and other than those of another `first`.
    fn fill(self, first: u32, folders: &[(&str, u32)]) -> Set {
        let mut number = first;
        for (folder, pictures) in folders {
            for i in 0..*pictures {
                self.write(&format!("{folder}/{i:03}.png"), &picture(number));
                number += 1;
            }
        }
        self
    }

    fn open(&self) -> Result<Dataset, DataError> {
        open(self.path(), &DataOptions::default())
    }

    fn error(&self) -> DataError {
        self.open().unwrap_err()
    }
}

fn sizes(set: &Dataset) -> (usize, usize, usize) {
    (set.train.len(), set.validation.len(), set.test.len())
}

fn names(classes: &[&str]) -> Vec<String> {
    classes.iter().map(|class| (*class).to_owned()).collect()
}

fn paths(samples: &[Sample]) -> Vec<&str> {
    samples.iter().map(|sample| sample.path.as_str()).collect()
}

#[test]
fn class_folders_are_split_by_class() {
    let set = Set::new().fill(0, &[("rose", 10), ("Daisy", 5), ("tulip/red", 3), ("tulip/white", 2)]);
    set.write("tulip/white/notes.txt", b"");
    set.write("readme.md", b"");
    let data = set.open().unwrap();
    assert_eq!((data.name.as_str(), data.kind), ("set", Kind::Folders));
    assert_eq!(data.classes, ["Daisy", "rose", "tulip"]);
    assert_eq!(
        data.class_counts().iter().map(|c| (c.train, c.validation)).collect::<Vec<_>>(),
        [(4, 1), (8, 2), (4, 1)]
    );
    assert_eq!((data.ignored, data.skipped.len(), data.warnings.len()), (2, 0, 0));
    assert!(paths(&data.train).is_sorted());
    assert_eq!(data.train.last().unwrap().path, "tulip/white/001.png");
    let picture = data.train[0].picture(&Limits::default()).unwrap();
    assert_eq!((picture.width(), picture.height()), (8, 6));
}

#[test]
fn a_validation_folder_is_the_validation_set_whatever_its_name() {
    for name in ["val", "valid", "validation", "Validation"] {
        let train = [("train/a", 4), ("train/b", 4), ("test/a", 2), ("test/b", 1)];
        let set = Set::new().fill(0, &train).fill(100, &[(&format!("{name}/a"), 3), (&format!("{name}/b"), 2)]);
        let data = set.open().unwrap();
        assert_eq!(sizes(&data), (8, 5, 3));
        assert_eq!(data.validation[0].path, format!("{name}/a/000.png"));
    }
}

#[test]
fn without_a_validation_folder_the_test_set_chooses_nothing() {
    let set = Set::new().fill(0, &[("train/a", 10), ("train/b", 10), ("test/a", 3), ("test/b", 3)]);
    let data = set.open().unwrap();
    assert_eq!(sizes(&data), (16, 4, 6));
    assert!(data.validation.iter().all(|sample| sample.path.starts_with("train/")));

    let test = open(set.path(), &DataOptions { validation: Validation::Test, ..Default::default() }).unwrap();
    assert_eq!(sizes(&test), (20, 6, 0));
    assert_eq!(test.warnings, [Warning::TestIsValidation]);

    let half = open(set.path(), &DataOptions { validation: Validation::Fraction(0.5), ..Default::default() }).unwrap();
    assert_eq!(sizes(&half), (10, 10, 6));
}

#[test]
fn a_validation_folder_may_be_given() {
    let set = Set::new().fill(0, &[("train/a", 4), ("train/b", 4), ("val/a", 1), ("val/b", 1)]);
    let other = Set::new().fill(100, &[("held out/a", 2), ("held out/b", 3)]);
    let validation_dir = Some(other.path().join("held out"));
    let data = open(set.path(), &DataOptions { validation_dir, ..Default::default() }).unwrap();
    assert_eq!(sizes(&data), (8, 5, 0));
    assert_eq!(data.validation[0].path, "held out/a/000.png");
    assert_eq!(data.warnings, [Warning::Unused { folder: "val".into() }]);
}

#[test]
fn a_folder_that_holds_only_one_other_is_unwrapped() {
    let set = Set::new().fill(0, &[("photos/all/train/a", 5), ("photos/all/train/b", 5)]);
    set.write("photos/readme.txt", b"");
    let data = set.open().unwrap();
    assert_eq!(data.classes, ["a", "b"]);
    assert!(data.train[0].path.starts_with("photos/all/train/a/"), "{}", data.train[0].path);
}

#[test]
fn a_class_may_be_called_train() {
    let data = Set::new().fill(0, &[("train", 5), ("bus", 5), ("test", 5)]).open().unwrap();
    assert_eq!(data.classes, ["bus", "test", "train"]);
}

#[test]
fn labels_follow_the_filter_s_order() {
    let set = Set::new().fill(0, &[("a", 5), ("b", 5), ("c", 5), ("empty, but not chosen", 0)]);
    let with = |classes: &[&str]| open(set.path(), &DataOptions { classes: names(classes), ..Default::default() });
    let data = with(&["c", "a"]).unwrap();
    assert_eq!(data.classes, ["c", "a"]);
    assert_eq!(sizes(&data), (8, 2, 0));
    assert!(data.train.iter().all(|sample| sample.path.starts_with(["c", "a"][sample.label])));

    let unknown = with(&["a", "bb"]).unwrap_err();
    assert!(unknown.to_string().contains("it has a, b, c"), "{unknown}");
    let twice = with(&["a", "b", "a"]).unwrap_err();
    assert!(matches!(&twice, DataError::RepeatedClass { class } if class == "a"), "{twice}");
    let one = with(&["a"]).unwrap_err();
    assert_eq!(one.to_string(), "`classes` names only `a`; name at least two of a, b, c");
}

#[test]
fn an_unknown_class_is_answered_with_a_near_one() {
    let set = Set::new().fill(0, &[("tulips", 2), ("roses", 2)]);
    let options = DataOptions { classes: names(&["tulip", "roses"]), ..Default::default() };
    let error = open(set.path(), &options).unwrap_err();
    assert!(error.to_string().contains("did you mean `tulips`?"), "{error}");
}

#[test]
fn a_subset_is_the_first_of_each_class() {
    let set =
        Set::new().fill(0, &[("train/a", 9), ("train/b", 9), ("val/a", 9), ("val/b", 3), ("test/a", 9), ("test/b", 9)]);
    let limit_per_class = LimitPerClass { train: Some(2), validation: Some(4), test: Some(1) };
    let data = open(set.path(), &DataOptions { limit_per_class, ..Default::default() }).unwrap();
    assert_eq!(paths(&data.train), ["train/a/000.png", "train/a/001.png", "train/b/000.png", "train/b/001.png"]);
    assert_eq!(sizes(&data), (4, 7, 2));
}

#[test]
fn unreadable_pictures_are_listed_and_fatal_when_strict() {
    let set = Set::new().fill(0, &[("a", 5), ("b", 5)]);
    set.write("a/broken.jpg", b"no picture");
    set.write("b/phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    let data = set.open().unwrap();
    assert_eq!(data.skipped.iter().map(|s| s.path.as_str()).collect::<Vec<_>>(), ["a/broken.jpg", "b/phone.heic"]);
    assert!(data.skipped[1].reason.contains("HEIC"), "{}", data.skipped[1].reason);
    assert_eq!(sizes(&data), (8, 2, 0));

    let csv = set.0.path().join("skipped.csv");
    data.write_skipped_csv(&csv).unwrap();
    let text = crate::fs::read_to_string(&csv).unwrap();
    assert!(text.starts_with("path,class,reason\na/broken.jpg,a,"), "{text}");
    assert_eq!(text.lines().count(), 3);

    let strict = open(set.path(), &DataOptions { strict: true, ..Default::default() }).unwrap_err();
    assert!(
        matches!(&strict, DataError::Strict { count: 2, first } if first.starts_with("a/broken.jpg: ")),
        "{strict}"
    );
}

#[test]
fn a_class_of_unreadable_pictures_is_an_error() {
    let set = Set::new().fill(0, &[("a", 5)]);
    set.write("b/1.jpg", b"");
    set.write("b/2.jpg", b"");
    let error = set.error();
    assert!(matches!(&error, DataError::UnreadableClass { class, pictures: 2, .. } if class == "b"), "{error}");
}

#[test]
fn what_is_wrong_with_a_layout_is_said() {
    type Case = (&'static [(&'static str, u32)], fn(&DataError) -> bool);
    let cases: [Case; 10] = [
        (&[(".", 3)], |e| matches!(e, DataError::NoClassFolders { pictures: 3, .. })),
        (&[("train", 3), ("val", 3)], |e| matches!(e, DataError::NoClassFolders { pictures: 3, .. })),
        (&[("a", 3)], |e| matches!(e, DataError::OneClass { class, .. } if class == "a")),
        (&[("train/a", 3), ("val/a", 3)], |e| matches!(e, DataError::OneClass { .. })),
        (
            &[("train/a", 3), ("train/b", 3), ("val/a", 3)],
            |e| matches!(e, DataError::NotInValidation { class, .. } if class == "b"),
        ),
        (
            &[("train/a", 3), ("train/b", 3), ("val/a", 3), ("val/c", 3)],
            |e| matches!(e, DataError::NotInTraining { class, .. } if class == "c"),
        ),
        (
            &[("train/a", 3), ("train/b", 3), ("test/c", 3)],
            |e| matches!(e, DataError::NotInTraining { class, .. } if class == "c"),
        ),
        (&[("val/a", 3), ("test/a", 3)], |e| matches!(e, DataError::NoTrainingFolder { .. })),
        (&[("train/a", 3), ("train/b", 3), ("val/a", 3), ("valid/a", 3)], |e| {
            matches!(e, DataError::TwoFolders { .. })
        }),
        (&[("a", 1), ("b", 1)], |e| matches!(e, DataError::NothingToSplit)),
    ];
    for (folders, expected) in cases {
        let error = Set::new().fill(0, folders).error();
        assert!(expected(&error), "{folders:?}: {error}");
        let text = error.to_string();
        assert!(!text.ends_with('.') && !text.contains("  "), "{text}");
    }
}

#[test]
fn an_empty_class_folder_is_an_error() {
    let set = Set::new().fill(0, &[("a", 3), ("b", 3)]);
    set.write("c/readme.txt", b"");
    let error = set.error();
    assert!(matches!(&error, DataError::EmptyClass { path } if path.ends_with("c")), "{error}");
}

#[test]
fn a_folder_without_any_picture_is_an_error() {
    let set = Set::new();
    set.write("a/readme.txt", b"");
    assert!(matches!(set.error(), DataError::NoPictures { .. }));
}

#[test]
fn a_missing_folder_is_answered_with_its_near_sibling() {
    let set = Set::new().fill(0, &[("photos/a", 2)]);
    let error = open(set.path().join("photo"), &DataOptions::default()).unwrap_err();
    let near = set.path().join("photos");
    assert!(
        error.to_string().ends_with(&format!("photo doesn't exist; did you mean `{}`?", near.display())),
        "{error}"
    );
}

#[test]
fn a_file_is_not_a_data_set() {
    let set = Set::new().fill(0, &[("a", 2)]);
    set.write("photos.rar", b"Rar!");
    for (name, remedy) in [("a/000.png", "give the folder"), ("photos.rar", "give a folder")] {
        let error = open(set.path().join(name), &DataOptions::default()).unwrap_err();
        assert!(matches!(error, DataError::NotAFolder { .. }) && error.to_string().contains(remedy), "{error}");
    }
}

#[test]
fn contradictory_options_are_errors() {
    let set = Set::new().fill(0, &[("a", 2), ("b", 2)]);
    let with = |options: DataOptions| open(set.path(), &options).unwrap_err();
    for fraction in [0.0, 1.0, f32::NAN] {
        let options = DataOptions { validation: Validation::Fraction(fraction), ..Default::default() };
        assert!(matches!(with(options), DataError::Fraction { .. }));
    }
    let options = DataOptions { validation: Validation::Test, ..Default::default() };
    assert!(matches!(with(options.clone()), DataError::NoTest { .. }));
    let options = DataOptions { validation_dir: Some(set.path()), ..options };
    assert!(matches!(with(options), DataError::TwoValidations));
}

#[test]
fn copies_are_warned_of() {
    let set = Set::new().fill(0, &[("train/a", 3), ("train/b", 3), ("val/a", 3), ("val/b", 3)]);
    set.write("val/a/copy.png", &picture(1));
    set.write("train/b/copy.png", &picture(0));
    let warnings = set.open().unwrap().warnings;
    let two = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
    assert_eq!(
        warnings,
        [
            Warning::TwoClasses { pictures: 1, example: two("train/a/000.png", "train/b/copy.png") },
            Warning::TwoSides {
                sides: ["train", "validation"],
                pictures: 1,
                example: two("train/a/001.png", "val/a/copy.png")
            },
        ]
    );
    assert!(
        warnings[1].to_string().starts_with("1 picture of the validation side is on the train side, too"),
        "{}",
        warnings[1]
    );
}

#[test]
fn a_class_with_too_few_pictures_is_warned_of() {
    let set = Set::new().fill(0, &[("a", 5), ("b", 1)]);
    set.write("b/copy.png", &picture(5));
    let data = set.open().unwrap();
    assert_eq!(data.warnings, [Warning::NoValidation { classes: names(&["b"]) }]);
    assert_eq!(sizes(&data), (6, 1, 0));
}

#[test]
fn a_classifier_is_judged_by_test_then_val_then_the_class_folders() {
    let classes = names(&["b", "a", "z"]);
    let labelled = |folders: &[(&str, u32)]| open_labelled(Set::new().fill(0, folders).path(), &classes, false);
    let data = labelled(&[("train/a", 1), ("val/a", 1), ("test/a", 2), ("test/b", 1)]).unwrap();
    assert_eq!(
        data.test.iter().map(|s| (s.path.as_str(), s.label)).collect::<Vec<_>>(),
        [("test/a/000.png", 1), ("test/a/001.png", 1), ("test/b/000.png", 0)]
    );
    assert_eq!(data.classes, classes);
    assert_eq!(labelled(&[("train/a", 1), ("val/a", 2)]).unwrap().test.len(), 2);
    let data = labelled(&[("a", 4), ("other", 2)]).unwrap();
    assert_eq!((data.test.len(), &data.warnings[0]), (4, &Warning::Untrained { classes: names(&["other"]) }));
    assert!(matches!(labelled(&[("other", 2)]).unwrap_err(), DataError::NoKnownClass { .. }));
}

#[test]
fn pictures_to_predict_are_found_below_folders() {
    let set = Set::new().fill(0, &[("b/deep", 2), ("a", 1)]);
    set.write("a/notes.txt", b"");
    let at = |name: &str| set.path().join(name);
    let found = pictures(&[at("a/notes.txt"), set.path()]).unwrap();
    assert_eq!(found, [at("a/notes.txt"), at("a/000.png"), at("b/deep/000.png"), at("b/deep/001.png")]);
    assert!(matches!(pictures(&[at("c")]).unwrap_err(), DataError::Missing { .. }));
    std::fs::create_dir(at("empty")).unwrap();
    assert!(matches!(pictures(&[at("empty")]).unwrap_err(), DataError::NothingToPredict { .. }));
}

#[test]
fn the_split_is_written_as_a_table() {
    let set = Set::new().fill(0, &[("a, b", 5), ("c", 5)]);
    let data = set.open().unwrap();
    let path = set.0.path().join("run/split.csv");
    data.write_split_csv(&path).unwrap();
    let mut reader = csv::Reader::from_path(&path).unwrap();
    assert_eq!(reader.headers().unwrap(), ["path", "class", "split", "content"].as_slice());
    let rows: Vec<[String; 4]> = reader.deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 10);
    assert_eq!(rows.iter().filter(|row| row[2] == "validation").count(), 2);
    let file = crate::fs::read(&set.path().join(&rows[0][0])).unwrap();
    assert_eq!(rows[0][3], blake3::hash(&file).to_hex().to_string());
}

#[test]
fn the_fingerprint_knows_what_training_knows() {
    let folders = [("a", 5), ("b", 5)];
    let print = |set: &Set, seed| open(set.path(), &DataOptions { seed, ..Default::default() }).unwrap().fingerprint();
    let set = Set::new().fill(0, &folders);
    assert_eq!(print(&set, 1), print(&Set::new().fill(0, &folders), 1));
    assert_ne!(print(&set, 1), print(&set, 2));
    assert_ne!(print(&set, 1), print(&Set::new().fill(0, &[("a", 5), ("c", 5)]), 1));
    assert_ne!(print(&set, 1), print(&Set::new().fill(1, &folders), 1));
}

#[test]
fn a_table_says_which_picture_is_what() {
    let set = Set::new().fill(0, &[("photos", 12)]);
    let lines: Vec<String> = (0..12)
        .map(|i| format!("photos/{i:03}.png,{},{},g{}\n", 10 + i % 2, if i < 10 { "" } else { "test" }, i / 2))
        .collect();
    set.write(
        "labels.csv",
        format!("file_name,class,split,group\r\n{}photos/gone.png,10,,\r\n", lines.concat()).as_bytes(),
    );
    let data = open(set.path().join("labels.csv"), &DataOptions::default()).unwrap();
    assert_eq!((data.name.as_str(), data.kind.to_string().as_str()), ("labels", "table, CSV"));
    assert_eq!(data.classes, ["10", "11"]);
    assert_eq!(
        data.test.iter().map(|s| (s.path.as_str(), s.label)).collect::<Vec<_>>(),
        [("photos/010.png", 0), ("photos/011.png", 1)]
    );
    assert_eq!(data.test[0].group.as_deref(), Some("g5"));
    let [skipped] = data.skipped.as_slice() else { panic!("{:?}", data.skipped) };
    assert_eq!(skipped.path, "photos/gone.png");
    assert!(skipped.reason.ends_with("(line 14 of labels.csv)"), "{}", skipped.reason);
    let judged = open_labelled(set.path().join("labels.csv"), &names(&["11", "10"]), false).unwrap();
    assert_eq!(paths(&judged.test), ["photos/010.png", "photos/011.png"]);
}

#[test]
fn numbers_are_classes_in_their_order() {
    let set = Set::new().fill(0, &[(".", 4)]);
    set.write(
        "t.jsonl",
        b"{\"image\": \"000.png\", \"label\": 10}\n{\"image\": \"001.png\", \"label\": 9}\n\
        {\"image\": \"002.png\", \"label\": 10}\n{\"image\": \"003.png\", \"label\": 9}\n",
    );
    let data = open(set.path().join("t.jsonl"), &DataOptions::default()).unwrap();
    assert_eq!((data.classes.as_slice(), sizes(&data)), (names(&["9", "10"]).as_slice(), (2, 2, 0)));
}

#[test]
fn a_metadata_table_beside_the_pictures_names_the_classes() {
    let set = Set::new().fill(0, &[("train", 6), ("test", 2)]);
    let text = |n: usize| {
        let line = |i| format!("{{\"file_name\": \"{i:03}.png\", \"label\": \"{}\"}}\n", ["cat", "dog"][i % 2]);
        (0..n).map(line).collect::<String>()
    };
    set.write("train/metadata.jsonl", text(6).as_bytes());
    set.write("test/metadata.jsonl", text(2).as_bytes());
    let data = set.open().unwrap();
    assert_eq!((data.name.as_str(), data.kind), ("set", Kind::Metadata));
    assert_eq!((data.classes.as_slice(), sizes(&data)), (names(&["cat", "dog"]).as_slice(), (4, 2, 2)));
    assert_eq!(data.test[0].path, "test/000.png");

    // At the top, with the side in the path; captions alone leave the folders to say it.
    let set = Set::new().fill(0, &[("train/a", 4), ("train/b", 4), ("test/a", 1), ("test/b", 1)]);
    set.write("metadata.csv", b"file_name,text\ntrain/a/000.png,a picture\n");
    assert_eq!(set.open().unwrap().kind, Kind::Folders);
    let lines = ["train/a/000", "train/a/001", "train/b/000", "train/b/001", "test/a/000", "test/b/000"];
    let lines: Vec<String> =
        lines.iter().enumerate().map(|(i, name)| format!("{name}.png,{}\n", ["x", "y"][i % 2])).collect();
    set.write("metadata.csv", format!("file_name,label\n{}", lines.concat()).as_bytes());
    assert_eq!(sizes(&set.open().unwrap()), (2, 2, 2));
}

#[test]
fn a_zip_archive_holds_any_form() {
    use ::zip::CompressionMethod::{Deflated, Stored};
    let set = Set::new();
    let pictures: Vec<Vec<u8>> = (0..6).map(picture).collect();
    let mut members: Vec<(String, &[u8])> = pictures
        .iter()
        .enumerate()
        .map(|(i, bytes)| (format!("photos/{}/{i}.png", ["a", "b"][i % 2]), bytes.as_slice()))
        .collect();
    let pack = |name: &str, members: &[(String, &[u8])], method| {
        let members: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        set.write(name, &zip::tests::zip_of(&members, method));
        open(set.path().join(name), &DataOptions::default())
    };
    for method in [Stored, Deflated] {
        let data = pack("my.zip", &members, method).unwrap();
        assert_eq!((data.name.as_str(), data.kind, sizes(&data)), ("my", Kind::ZipOfFolders, (4, 2, 0)));
        assert!(data.train.iter().all(|sample| sample.picture(&Limits::default()).is_ok()));
    }
    let table = b"file_name,label\na/0.png,x\nb/1.png,y\na/2.png,x\nb/3.png,y\n../../outside.png,x\n";
    members.push(("photos/metadata.csv".to_owned(), table));
    let data = pack("table.zip", &members, Deflated).unwrap();
    assert_eq!((data.kind, &data.classes, sizes(&data)), (Kind::MetadataInArchive, &names(&["x", "y"]), (2, 2, 0)));
    assert_eq!((data.skipped.len(), data.skipped[0].path.as_str()), (1, "photos/../../outside.png"));
}

/// The picture of that number, a little brighter.
fn brighter(number: u32) -> Vec<u8> {
    let original = ::image::load_from_memory(&picture(number)).unwrap().to_rgb8();
    let brighter =
        ::image::RgbImage::from_fn(8, 6, |x, y| original.get_pixel(x, y).0.map(|sample| sample / 2 + 60).into());
    let mut bytes = Cursor::new(Vec::new());
    brighter.write_to(&mut bytes, ::image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn side_of<'a>(data: &'a Dataset, path: &str) -> &'a str {
    let sides = data.sides();
    sides.iter().find(|(_, samples)| samples.iter().any(|sample| sample.path == path)).unwrap().0
}

#[test]
fn every_form_is_the_same_data_set() {
    let set = Set::new().fill(0, &[("set/a", 6), ("set/b", 6)]);
    let at = |name: &str| set.path().join(name);
    let folders = open(at("set"), &DataOptions::default()).unwrap();
    let mut members: Vec<(String, Vec<u8>)> = Vec::new();
    let mut table = "path,label\n".to_owned();
    for (number, name) in (0..12)
        .map(|number| (number, ["a", "b"][number / 6]))
        .map(|(n, class)| (n, format!("{class}/{:03}.png", n % 6)))
    {
        table.push_str(&format!("set/{name},{}\n", &name[..1]));
        members.push((name, picture(number as u32)));
    }
    set.write("table.csv", table.as_bytes());
    set.write("table.tsv", table.replace(',', "\t").as_bytes());
    let members: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    set.write("set.zip", &zip::tests::zip_of(&members, ::zip::CompressionMethod::Deflated));
    set.write("set.tar", &archive::tests::tar_of(&members));
    let forms = ["table.csv", "table.tsv", "set.zip", "set.tar"];
    for form in forms {
        let data = open(at(form), &DataOptions::default()).unwrap();
        assert_eq!((data.fingerprint(), data.warnings.len()), (folders.fingerprint(), 0), "{form}");
    }
}

#[test]
fn look_alikes_stay_on_one_side() {
    let set = Set::new().fill(0, &[("a", 20), ("b", 20)]);
    for number in 0..20 {
        set.write(&format!("a/{number:03}-brighter.png"), &brighter(number));
    }
    for seed in 0..5 {
        let data = open(set.path(), &DataOptions { seed, ..Default::default() }).unwrap();
        assert_eq!(sizes(&data), (48, 12, 0));
        for number in 0..20 {
            let [a, b] = ["", "-brighter"].map(|name| side_of(&data, &format!("a/{number:03}{name}.png")));
            assert_eq!(a, b, "{number}");
        }
    }
}

#[test]
fn a_set_whose_pictures_all_look_alike_is_split_all_the_same() {
    let set = Set::new();
    for number in 0..20_u8 {
        let mut bytes = Cursor::new(Vec::new());
        let pixel = |x, y| ::image::Rgb([255 - number, (x * 20 + y * 20) as u8, 0]);
        ::image::RgbImage::from_fn(8, 6, pixel).write_to(&mut bytes, ::image::ImageFormat::Png).unwrap();
        set.write(&format!("{}/{number}.png", ["a", "b"][usize::from(number % 2)]), &bytes.into_inner());
    }
    let data = set.open().unwrap();
    assert_eq!((sizes(&data), data.warnings.as_slice()), ((16, 4, 0), &[Warning::Alike { pictures: 20 }][..]));
}

#[test]
fn an_earlier_split_is_kept_when_pictures_are_added() {
    let set = Set::new().fill(0, &[("train/a", 10), ("train/b", 10), ("test/a", 3), ("test/b", 3)]);
    let first = set.open().unwrap();
    let run = set.0.path().join("run");
    first.write_split_csv(&run.join("split.csv")).unwrap();

    // Two test pictures are moved to training, one of them as a copy in other tones; ten others are new.
    let later = Set(set.0).fill(100, &[("train/a/new", 10)]);
    later.write("train/a/was-test.png", &picture(20));
    std::fs::remove_file(later.path().join("test/a/000.png")).unwrap();
    later.write("train/b/like-test.png", &brighter(23));
    std::fs::remove_file(later.path().join("train/b/000.png")).unwrap();
    let options = DataOptions { split: Some(run.clone()), ..Default::default() };
    let data = open(later.path(), &options).unwrap();
    for (side, samples) in first.sides() {
        for sample in
            samples.iter().filter(|sample| !["test/a/000.png", "train/b/000.png"].contains(&sample.path.as_str()))
        {
            assert_eq!(side_of(&data, &sample.path), side, "{}", sample.path);
        }
    }
    assert_eq!([side_of(&data, "train/a/was-test.png"), side_of(&data, "train/b/like-test.png")], ["test", "test"]);
    // 20 of the class in all, of which a fifth is to be validated on: 2 were.
    assert_eq!(data.class_counts()[0].validation, 4);
    let kept = data.kept.unwrap();
    assert_eq!((kept.known, kept.added, kept.gone, kept.path), (25, 11, 1, run.join("split.csv")));
    assert!(matches!(
        open(later.path(), &DataOptions { fold: "1/2".parse().ok(), ..options }),
        Err(DataError::TwoRules { first: "fold", second: "split" })
    ));
}

#[test]
fn each_picture_is_in_one_fold() {
    let set = Set::new()
        .fill(0, &[("train/a", 11), ("train/b", 7), ("val/a", 2), ("val/b", 2), ("test/a", 1), ("test/b", 1)]);
    let mut seen = Vec::new();
    for number in 1..=4 {
        let data = open(set.path(), &DataOptions { fold: Some(Fold { number, of: 4 }), ..Default::default() }).unwrap();
        assert_eq!((data.train.len() + data.validation.len(), data.test.len()), (22, 2));
        assert!(data.class_counts().iter().all(|count| (2..=4).contains(&count.validation)));
        seen.extend(data.validation.into_iter().map(|sample| sample.path));
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (22, 22));
}

#[test]
fn excluded_pictures_are_left_out_and_counted() {
    let set = Set::new().fill(0, &[("a", 6), ("b", 6)]);
    set.write("a/broken.jpg", b"no picture");
    let content = blake3::hash(&picture(7)).to_hex();
    set.write("exclude.csv", format!("path,content\na/000.png,\n,{content}\na/broken.jpg,\nc/1.png,\n").as_bytes());
    let table = set.path().join("exclude.csv");
    let data = open(set.path(), &DataOptions { exclude: Some(table.clone()), ..Default::default() }).unwrap();
    assert_eq!((data.train.len() + data.validation.len(), data.excluded, data.skipped.len()), (10, 3, 0));
    assert_eq!(data.warnings, [Warning::NothingToExclude { table: table.clone(), lines: 1, first: 5 }]);
    let all: Vec<String> = (0..6).map(|i| format!("a/{i:03}.png\n")).collect();
    set.write("exclude.csv", format!("path\na/broken.jpg\n{}", all.concat()).as_bytes());
    let error = open(set.path(), &DataOptions { exclude: Some(table), ..Default::default() }).unwrap_err();
    assert!(matches!(&error, DataError::ClassExcluded { class, .. } if class == "a"), "{error}");
}

#[test]
fn right_classes_are_given_and_missing_pictures_are_added_to_training() {
    let set = Set::new().fill(0, &[("a", 6), ("b", 6)]);
    let run = Set::new().fill(90, &[("relabel", 3)]);
    let [second, gone] = [blake3::hash(&picture(1)).to_hex(), blake3::hash(b"gone").to_hex()];
    let table = run.path().join("relabel.csv");
    let lines = format!(
        "path,content,name,predicted,class,time\n,{second},x.png,a,b,\nrelabel/000.png,,new.png,b,a,\nrelabel/001.png,,,,a,\n\
         relabel/none.png,{gone},,,a,\nrelabel/no.png,,,,b,\n"
    );
    run.write("relabel.csv", lines.as_bytes());
    run.write("exclude.csv", format!("content\n{}\n", blake3::hash(&picture(91)).to_hex()).as_bytes());
    let exclude = Some(run.path().join("exclude.csv"));
    let options = DataOptions { relabel: Some(table.clone()), exclude, seed: 3, ..Default::default() };
    let data = open(set.path(), &options).unwrap();
    assert_eq!((data.relabelled, data.added, data.excluded), (1, 1, 1));
    assert_eq!(data.warnings, [Warning::NothingToRelabel { table: table.clone(), lines: 2, first: 5 }]);
    let label = |path: &str| {
        let all = data.train.iter().chain(&data.validation);
        all.filter(|sample| sample.path.ends_with(path)).map(|sample| sample.label).collect::<Vec<_>>()
    };
    assert_eq!((label("a/001.png"), label("relabel/000.png"), label("relabel/001.png")), (vec![1], vec![0], vec![]));
    // Whatever the seed draws, what was added is trained on.
    for seed in 0..20 {
        let data = open(set.path(), &DataOptions { seed, ..options.clone() }).unwrap();
        assert!(data.train.iter().any(|sample| sample.path.ends_with("relabel/000.png")), "{seed}");
    }
    let refused = |text: &str| {
        run.write("relabel.csv", text.as_bytes());
        open(set.path(), &options).unwrap_err().to_string()
    };
    let unknown = refused("path,class\nrelabel/000.png,aa\n");
    assert!(unknown.contains("line 2: the data have no class `aa`; they have a, b"), "{unknown}");
    assert!(refused("path\nx\n").contains("expected the columns `class` and `path` or `content`; got path"));
    assert!(refused("path,class\nx,\n").contains("line 2: expected a class; got none"));
    let twice = refused("path,class\nrelabel/000.png,a\nrelabel/000.png,b\n");
    assert!(twice.contains("line 3: expected the class `a`, which line 2 gives the same picture; got `b`"), "{twice}");
    let all: Vec<String> = (0..6).map(|i| format!(",{},b\n", blake3::hash(&picture(i)).to_hex())).collect();
    assert!(
        refused(&format!("path,content,class\n{}", all.concat()))
            .contains("no training picture of the class `a` is left")
    );
}

#[test]
fn an_added_picture_must_still_be_the_one_that_was_marked() {
    let set = Set::new().fill(0, &[("a", 4), ("b", 4)]);
    let run = Set::new().fill(90, &[("relabel", 1)]);
    run.write("relabel.csv", format!("path,content,class\nrelabel/000.png,{},a\n", "ab".repeat(32)).as_bytes());
    let options = DataOptions { relabel: Some(run.path().join("relabel.csv")), ..Default::default() };
    let data = open(set.path(), &options).unwrap();
    assert_eq!((data.added, data.skipped.len()), (0, 1));
    assert!(data.skipped[0].reason.contains("isn't the picture of line 2 any more"), "{}", data.skipped[0]);
    assert!(matches!(
        open(set.path(), &DataOptions { strict: true, ..options }),
        Err(DataError::Strict { count: 1, .. })
    ));
}

#[test]
fn marks_read_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relabel.csv");
    let mark = |name: &str| Mark {
        path: Some("relabel/a.jpg".to_owned()),
        content: Some([7; 32]),
        name: name.to_owned(),
        predicted: "cat".to_owned(),
        class: "dog".to_owned(),
        time: "2026-01-02T03:04:05Z".to_owned(),
    };
    let marks = [mark("a, \"b\"\n.jpg"), Mark { path: None, ..mark("사진.jpg") }, Mark { content: None, ..mark("") }];
    write_marks(&path, &marks).unwrap();
    assert_eq!(read_marks(&path).unwrap(), marks);
}

#[test]
fn members_of_a_group_stay_together_and_parted_groups_are_warned_of() {
    let set = Set::new().fill(0, &[(".", 40)]);
    let table = |split: fn(usize) -> &'static str| {
        let line = |i: usize| format!("{i:03}.png,{},patient {},{}\n", ["a", "b"][i % 2], i / 4, split(i));
        format!("path,label,group,split\n{}", (0..40).map(line).collect::<String>())
    };
    set.write("t.csv", table(|_| "").as_bytes());
    let data = open(set.path().join("t.csv"), &DataOptions::default()).unwrap();
    assert_eq!((sizes(&data), data.warnings.len()), ((32, 8, 0), 0));
    set.write("t.csv", table(|i| if i % 4 < 2 { "train" } else { "val" }).as_bytes());
    let data = open(set.path().join("t.csv"), &DataOptions::default()).unwrap();
    let [Warning::GroupOnTwoSides { groups: 10, example, sides: ["train", "validation"] }] = data.warnings.as_slice()
    else {
        panic!("{:?}", data.warnings)
    };
    assert_eq!(example, "patient 0");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_sides_are_a_partition_of_the_readable_pictures(
        sizes in prop::collection::vec(2u32..9, 2..4), fraction in 0.1f32..0.9, seed: u64,
    ) {
        let folders: Vec<(String, u32)> = sizes.iter().enumerate().map(|(i, n)| (format!("class {i}"), *n)).collect();
        let folders: Vec<(&str, u32)> = folders.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        let set = Set::new().fill(0, &folders);
        let options = DataOptions { validation: Validation::Fraction(fraction), seed, ..Default::default() };
        let data = open(set.path(), &options).unwrap();
        let all: Vec<&str> = paths(&data.train).into_iter().chain(paths(&data.validation)).collect();
        prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        prop_assert_eq!(all.len(), sizes.iter().sum::<u32>() as usize);
        prop_assert!(data.class_counts().iter().all(|count| count.train >= 1 && count.validation >= 1));
        prop_assert_eq!(open(set.path(), &options).unwrap().fingerprint(), data.fingerprint());
        let path: &Path = &set.path();
        prop_assert!(data.train.iter().all(|sample| path.join(&sample.path).exists()));
    }
}

#[test]
fn data_are_taken_as_found_to_be_examined() {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    draw(&photos, &Drawing { per_class: 3, size: 64, seed: 2 }).unwrap();
    std::fs::create_dir(photos.join("empty")).unwrap();
    crate::fs::write_atomic(&photos.join("fish/broken.jpg"), b"no picture").unwrap();
    assert!(matches!(open(&photos, &DataOptions::default()), Err(DataError::EmptyClass { .. })));
    let data = open(&photos, &DataOptions { as_found: true, ..DataOptions::default() }).unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.skipped.len()), (19, 0, 0));
    let empty = Warning::EmptyClass { class: "empty".to_owned(), folder: photos.join("empty") };
    assert!(data.warnings.contains(&empty), "{:?}", data.warnings);
    let broken = data.train.iter().find(|sample| sample.path == "fish/broken.jpg").unwrap();
    assert_eq!(broken.file().unwrap().as_deref(), Some(&b"no picture"[..]));
    assert!(broken.picture(&crate::image::Limits::default()).is_err());
}
