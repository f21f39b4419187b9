//! The order of the modules: a module may use only those that `lib.rs` declares before it, or on the same level.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Modules by level: blank lines in `lib.rs` separate the levels.
fn levels(source: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(source.join("lib.rs")).unwrap();
    let mut level = 0;
    let mut levels = BTreeMap::new();
    for line in text.lines() {
        match line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            Some(module) => {
                levels.insert(module.to_owned(), level);
            }
            None if line.is_empty() => level += 1,
            None => {}
        }
    }
    levels
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The modules that a file names as `crate::module`, outside tests.
fn used(text: &str) -> Vec<String> {
    let code: String = text
        .split("#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    code.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').map(str::trim).collect(),
            None => vec![rest],
        })
        .map(|name| name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn modules_use_only_what_lies_below_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let levels = levels(&source);
    assert!(levels.len() > 20, "{levels:?}");
    let mut uses = 0;
    let mut upward = Vec::new();
    for file in files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        let module = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let Some(&own) = levels.get(&module) else { continue };
        // Tests may use anything.
        if relative.to_str().unwrap().contains("tests") {
            continue;
        }
        for other in used(&std::fs::read_to_string(&file).unwrap()) {
            let Some(&level) = levels.get(&other) else { continue };
            uses += 1;
            if level > own {
                upward.push(format!("{} uses crate::{other}", relative.display()));
            }
        }
    }
    assert!(uses > 100, "{uses}");
    assert!(upward.is_empty(), "{upward:#?}");
}
