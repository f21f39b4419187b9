//! The pictures of each class, by side, with a bar: the same rows on every page.

use serde::Serialize;

use crate::data::ClassCount;

/// The bar of the largest class, in `rem`.
const WIDEST: f64 = 8.0;

#[derive(Serialize)]
pub(super) struct CountRow<'a> {
    name: &'a str,
    train: usize,
    validation: usize,
    test: usize,
    /// Length of the bar, in `rem`.
    share: String,
}

pub(super) fn count_rows(counts: &[ClassCount]) -> Vec<CountRow<'_>> {
    let of = |count: &ClassCount| count.train + count.validation + count.test;
    let largest = counts.iter().map(of).max().unwrap_or(0).max(1) as f64;
    counts
        .iter()
        .map(|count| CountRow {
            name: &count.class,
            train: count.train,
            validation: count.validation,
            test: count.test,
            share: format!("{:.2}", WIDEST * of(count) as f64 / largest),
        })
        .collect()
}
