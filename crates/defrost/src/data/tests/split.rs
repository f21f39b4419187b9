//! Which side a picture is on.

use super::*;

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
