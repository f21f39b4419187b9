//! Lists that leave pictures out or give them other classes.

use super::*;
use crate::fs;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_marks_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relabel.csv");
        fs::write_atomic(&path, &[&b"path,content,class\n"[..], &bytes].concat()).unwrap();
        if let Ok(marks) = read_marks(&path) {
            prop_assert!(marks.iter().all(|mark| !mark.class.is_empty()));
            write_marks(&path, &marks).unwrap();
            prop_assert_eq!(read_marks(&path).unwrap(), marks);
        }
    }
}
