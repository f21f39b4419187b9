//! Tables and archives, and that all forms of one data set are the same.

use super::*;

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
