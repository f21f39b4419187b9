//! Layouts and their errors, end to end: folders of small pictures through [`open`].

mod forms;
mod marks;
mod split;

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
