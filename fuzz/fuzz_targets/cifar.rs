//! CIFAR's files; the first byte says which, and beside it lie sound names of classes.
#![no_main]

use defrost::data::{self, DataOptions, Labels};
use libfuzzer_sys::fuzz_target;

/// The dictionary `{key: ["a", "b"]}` as Python 2 pickles it.
fn names(key: &str) -> Vec<u8> {
    [b"\x80\x02}(U", &[key.len() as u8][..], key.as_bytes(), b"](U\x01aU\x01beu."].concat()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, batch)) = bytes.split_first() else { return };
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    put("batches.meta.txt", b"a\nb");
    put("batches.meta", &names("label_names"));
    let name = ["data_batch_1.bin", "data_batch_1", "train.bin", "train", "meta", "batches.meta"];
    let name = name[usize::from(first % 6)];
    if name.starts_with("train") {
        std::fs::remove_file(folder.path().join("batches.meta")).unwrap();
        put("fine_label_names.txt", b"a\nb");
        put("coarse_label_names.txt", b"a\nb");
        put("meta", &names("fine_label_names"));
    }
    if name.ends_with("meta") {
        put(if name == "meta" { "train" } else { "data_batch_1" }, b"");
    }
    put(name, batch);
    for labels in [Labels::Fine, Labels::Coarse] {
        let _ = data::open(folder.path(), &DataOptions { as_found: true, labels, ..DataOptions::default() });
    }
});
