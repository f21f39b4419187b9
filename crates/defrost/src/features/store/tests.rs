use super::*;

/// Four floats.
const SHELF: Shelf = Shelf { trunk: [7; 32], row_len: 4 };
const RECORD: u64 = 56;

fn key(number: u32) -> Key {
    *blake3::hash(&number.to_le_bytes()).as_bytes()
}

fn row(number: u32) -> Vec<f32> {
    (0..4).map(|index| number as f32 + index as f32 / 8.0).collect()
}

fn keys(numbers: std::ops::Range<u32>) -> Vec<Key> {
    numbers.map(key).collect()
}

fn insert(store: &Store, numbers: std::ops::Range<u32>) -> Kept {
    let rows: Vec<Vec<f32>> = numbers.clone().map(row).collect();
    let rows: Vec<(Key, &[f32])> = numbers.map(key).zip(rows.iter().map(Vec::as_slice)).collect();
    store.insert(SHELF, &rows, &BTreeMap::new(), &BTreeSet::new()).unwrap()
}

/// How many of the rows are found and whole; none may come out as another.
fn whole(store: &Store, numbers: std::ops::Range<u32>) -> usize {
    let kept = store.find(&keys(numbers.clone())).unwrap();
    let mut found = 0;
    for (place, number) in numbers.enumerate() {
        let mut values = [0.0; 4];
        if kept.read(place, &key(number), &mut values) {
            assert_eq!(values[..], row(number), "{number}");
            found += 1;
        }
    }
    found
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    segment_files(folder).into_iter().map(|(path, _)| path).collect()
}

fn bytes_of_rows(folder: &Path) -> u64 {
    segments(folder).iter().map(|path| std::fs::metadata(path).unwrap().len()).sum()
}

#[test]
fn an_error_names_the_remedy_that_fits() {
    let error = |kind: ErrorKind| StoreError(FsError::at("write", Path::new("a"))(kind.into())).to_string();
    assert!(error(ErrorKind::StorageFull).ends_with("; free some space or use `--no-cache`"));
    assert!(error(ErrorKind::NotADirectory).ends_with("; keep the cache in another folder or use `--no-cache`"));
}

#[test]
fn rows_are_found_by_key_from_any_store_on_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), 1 << 20);
    assert_eq!(whole(&store, 0..10), 0);
    insert(&store, 0..6);
    insert(&store, 4..10);
    let other = Store::new(folder.path(), 1 << 20);
    assert_eq!((whole(&store, 0..12), whole(&other, 0..12)), (10, 10));
    // Each row is stored once, and a second batch goes on where the first one ended.
    assert_eq!(bytes_of_rows(folder.path()), segment::HEADER + 10 * RECORD);
    assert_eq!(other.usage().unwrap().rows, 10);
    // The same row twice in a batch.
    let twice = [(key(50), &row(50)[..]), (key(50), &row(50)[..])];
    let kept = store.insert(SHELF, &twice, &BTreeMap::new(), &BTreeSet::new()).unwrap();
    assert_eq!(kept.places[0], kept.places[1]);
    assert_eq!(other.usage().unwrap().rows, 11);
}

#[test]
fn two_stores_fill_one_folder_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let path = folder.path();
            scope.spawn(move || {
                let store = Store::new(path, 1 << 20);
                // Overlapping ranges, in another order for each.
                for step in 0..8 {
                    let first = (step * (2 * worker + 1)) % 8 * 5;
                    insert(&store, first..first + 10);
                    assert_eq!(whole(&store, first..first + 10), 10);
                }
            });
        }
    });
    let store = Store::new(folder.path(), 1 << 20);
    assert_eq!(whole(&store, 0..45), 45);
    assert_eq!(bytes_of_rows(folder.path()), segment::HEADER + 45 * RECORD);
    assert_eq!(store.verify().unwrap(), Verified { rows: 45, damaged: 0, index_rebuilt: false });
}

#[test]
fn the_least_recently_used_rows_make_room_within_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let limit = 40 * RECORD;
    let store = Store::new(folder.path(), limit);
    for first in [0, 10, 20] {
        insert(&store, first..first + 10);
    }
    assert!(whole(&store, 20..30) == 10 && whole(&store, 0..10) == 10);
    for first in (100..400).step_by(10) {
        insert(&store, first..first + 10);
        assert_eq!(whole(&store, first..first + 10), 10, "the newest are there");
        assert!(bytes_of_rows(folder.path()) <= limit);
        if first == 100 {
            // 10..20 was used before the others.
            assert!(whole(&store, 0..10) > whole(&store, 10..20));
        }
    }
    assert_eq!(whole(&store, 0..30), 0);

    // What a run reads from isn't evicted for its own rows: the rest has no room.
    let held = store.find(&keys(390..400)).unwrap();
    let held: BTreeSet<u64> = held.segments.keys().copied().collect();
    let rows: Vec<Vec<f32>> = (500..600).map(row).collect();
    let rows: Vec<(Key, &[f32])> = (500..600).map(key).zip(rows.iter().map(Vec::as_slice)).collect();
    let kept = store.insert(SHELF, &rows, &BTreeMap::new(), &held).unwrap();
    let stored = kept.places.iter().flatten().count();
    assert!((15..=30).contains(&stored), "{stored}");
    assert!(kept.places[..stored].iter().all(Option::is_some), "the first of them");
    assert_eq!((whole(&store, 390..400), whole(&store, 500..600)), (10, stored));
    assert!(bytes_of_rows(folder.path()) <= limit);

    // A smaller limit holds from the next insertion on; one that is too small for a row stores none.
    insert(&Store::new(folder.path(), 12 * RECORD), 700..702);
    assert!(bytes_of_rows(folder.path()) <= 12 * RECORD);
    let kept = insert(&Store::new(folder.path(), RECORD), 800..802);
    assert_eq!(kept.places, [None, None]);
}

#[test]
fn altered_rows_are_told_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), 1 << 20);
    insert(&store, 0..20);
    let path = &segments(folder.path())[0];
    let mut bytes = crate::fs::read(path).unwrap();
    for slot in [3, 11] {
        bytes[(segment::HEADER + slot * RECORD) as usize + 45] ^= 4;
    }
    crate::fs::write_atomic(path, &bytes).unwrap();
    assert_eq!(whole(&store, 0..20), 18);
    assert_eq!(store.verify().unwrap(), Verified { rows: 20, damaged: 2, index_rebuilt: false });
    assert_eq!(store.verify().unwrap(), Verified { rows: 18, damaged: 0, index_rebuilt: false });
    insert(&store, 0..20);
    assert_eq!(whole(&store, 0..20), 20);
}

#[test]
fn a_shortened_or_missing_file_of_rows_costs_its_rows() {
    let mut tried = 0;
    for len in (0..segment::HEADER + 10 * RECORD).step_by(37) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), 1 << 20);
        insert(&store, 0..10);
        let path = &segments(folder.path())[0];
        std::fs::File::options().write(true).open(path).unwrap().set_len(len).unwrap();
        let left = (len.saturating_sub(segment::HEADER) / RECORD) as usize;
        assert_eq!(whole(&store, 0..10), left, "{len}");
        insert(&store, 0..10);
        assert_eq!(whole(&store, 0..10), 10, "{len}");
        for path in segments(folder.path()) {
            std::fs::remove_file(path).unwrap();
        }
        assert_eq!(whole(&store, 0..10), 0, "{len}");
        insert(&store, 0..10);
        assert_eq!(store.verify().unwrap(), Verified { rows: 10, damaged: 0, index_rebuilt: false }, "{len}");
        tried += 1;
    }
    assert!(tried > 10);
}

#[test]
fn a_damaged_or_missing_index_is_made_anew_from_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    insert(&Store::new(folder.path(), 1 << 20), 0..30);
    let path = folder.path().join(INDEX);
    let good = crate::fs::read(&path).unwrap();
    let cut = |len: usize| good[..len].to_vec();
    let flipped = |place: usize| {
        let mut bytes = good.clone();
        bytes[place] ^= 0x10;
        bytes
    };
    let used: Vec<usize> = (0..good.len()).filter(|&place| good[place] != 0).collect();
    let step = used.len() / 100;
    let mut damaged: Vec<Vec<u8>> = used.iter().step_by(step).map(|&place| flipped(place)).collect();
    damaged.extend((0..good.len()).step_by(good.len() / 20).map(cut));
    damaged.push(b"no index at all".to_vec());
    let (mut rebuilt, tried) = (0, damaged.len());
    for bytes in damaged {
        crate::fs::write_atomic(&path, &bytes).unwrap();
        let store = Store::new(folder.path(), 1 << 20);
        assert_eq!(whole(&store, 0..30), 30);
        crate::fs::write_atomic(&path, &bytes).unwrap();
        let verified = store.verify().unwrap();
        assert_eq!((verified.rows, verified.damaged), (30, 0));
        rebuilt += usize::from(verified.index_rebuilt);
    }
    assert!(tried > 100 && rebuilt > 20, "{rebuilt} of {tried}");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(whole(&Store::new(folder.path(), 1 << 20), 0..30), 30);
}

#[test]
fn a_process_killed_in_mid_write_loses_only_the_rows_under_way() {
    let folder = tempfile::tempdir().unwrap();
    insert(&Store::new(folder.path(), 1 << 20), 0..10);
    let segment = &segments(folder.path())[0];
    let (index, good) = (crate::fs::read(&folder.path().join(INDEX)).unwrap(), crate::fs::read(segment).unwrap());
    insert(&Store::new(folder.path(), 1 << 20), 10..15);
    let after = crate::fs::read(segment).unwrap();
    let mut tried = 0;
    for len in (good.len()..=after.len()).step_by(19) {
        // Rows written so far, but not entered; a segment begun, but not entered; half an index of a rebuild.
        crate::fs::write_atomic(&folder.path().join(INDEX), &index).unwrap();
        crate::fs::write_atomic(segment, &after[..len]).unwrap();
        let unknown = folder.path().join("00000000000000aa.rows");
        crate::fs::write_atomic(&unknown, &after[..len / 2]).unwrap();
        crate::fs::write_atomic(&folder.path().join("index.redb.new"), &index[..index.len() / 2]).unwrap();
        let store = Store::new(folder.path(), 1 << 20);
        assert_eq!(whole(&store, 0..20), 10);
        assert!(!unknown.exists());
        // What comes next takes the place of what was under way.
        insert(&store, 20..23);
        assert_eq!((whole(&store, 0..10), whole(&store, 20..23)), (10, 3));
        assert_eq!(store.verify().unwrap(), Verified { rows: 13, damaged: 0, index_rebuilt: false });
        // The index is lost as well.
        std::fs::remove_file(folder.path().join(INDEX)).unwrap();
        let store = Store::new(folder.path(), 1 << 20);
        assert_eq!((whole(&store, 0..10), whole(&store, 20..23)), (10, 3));
        tried += 1;
    }
    assert!(tried > 10);
}

#[test]
fn a_run_at_work_survives_that_everything_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), 1 << 20);
    let kept = insert(&store, 0..5);
    let removed = Store::new(folder.path(), 0).clear().unwrap();
    assert_eq!((removed.files, segments(folder.path()).len()), (2, 0));
    let mut values = [0.0; 4];
    assert!(kept.read(4, &key(4), &mut values));
    let rows = [(key(9), &row(9)[..])];
    let held = kept.segments.keys().copied().collect();
    let more = store.insert(SHELF, &rows, &kept.segments, &held).unwrap();
    assert!(more.read(0, &key(9), &mut values));
    assert_eq!((whole(&store, 0..5), whole(&store, 9..10)), (0, 1));
}

#[test]
fn an_empty_folder_holds_nothing_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none");
    let store = Store::new(&path, 0);
    assert_eq!(store.usage().unwrap(), Usage::default());
    assert_eq!(store.verify().unwrap(), Verified::default());
    assert_eq!(store.clear().unwrap(), Usage::default());
    assert!(!path.exists());
}
