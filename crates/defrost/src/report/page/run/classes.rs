//! What is confused with what, and how well each class is told from the others.

use std::cmp::Reverse;

use serde::Serialize;

use super::{RunReport, percent};
use crate::metrics::ClassMetrics;

/// Classes of the largest confusion matrix that is drawn.
const MATRIX_CLASSES: usize = 30;

/// Above so many, the matrix gets narrow columns.
const ROOMY_CLASSES: usize = 8;

/// Confusions that are listed.
const PAIRS: usize = 6;

#[derive(Serialize)]
pub(super) struct Matrix<'a> {
    classes: &'a [String],
    many: bool,
    rows: Vec<MatrixRow<'a>>,
}

#[derive(Serialize)]
struct MatrixRow<'a> {
    class: &'a str,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    kind: String,
    count: u64,
    share: String,
}

#[derive(Serialize)]
pub(super) struct Pair {
    count: u64,
    text: String,
}

#[derive(Serialize)]
pub(super) struct ClassRow<'a> {
    name: &'a str,
    precision: String,
    recall: String,
    f1: String,
    support: u64,
    taken_for: String,
}

/// `roses → tulips`
pub(super) fn arrow(classes: &[String], truth: usize, said: usize) -> String {
    format!("{} → {}", classes[truth], classes[said])
}

/// How many pictures of a class were taken for another: count, truth, prediction.
pub(super) type Confusion = (u64, usize, usize);

/// What was confused, the most frequent first.
pub(super) fn confusions(report: &RunReport<'_>) -> Vec<Confusion> {
    let matrix = &report.validation.confusion;
    let cells = matrix.rows().enumerate().flat_map(|(truth, row)| {
        row.iter()
            .enumerate()
            .map(move |(said, &count)| (count, truth, said))
            .filter(move |cell| cell.0 > 0 && cell.2 != truth)
    });
    let mut cells: Vec<Confusion> = cells.collect();
    cells.sort_by_key(|&(count, truth, said)| (Reverse(count), truth, said));
    cells
}

pub(super) fn matrix<'a>(report: &RunReport<'a>) -> Option<Matrix<'a>> {
    if report.classes.len() > MATRIX_CLASSES {
        return None;
    }
    let rows = report.classes.iter().zip(report.validation.confusion.rows()).enumerate();
    let rows = rows.map(|(truth, (class, row))| {
        let total = row.iter().sum::<u64>().max(1) as f64;
        let cells = row.iter().enumerate().map(|(said, &count)| {
            let share = count as f64 / total;
            let right = if truth == said { "right" } else { "wrong" };
            let kind = match count {
                0 => "none".to_owned(),
                _ if share > 0.5 => format!("{right} strong"),
                _ => right.to_owned(),
            };
            Cell { kind, count, share: format!("{share:.3}") }
        });
        MatrixRow { class, cells: cells.collect() }
    });
    Some(Matrix { classes: report.classes, many: report.classes.len() > ROOMY_CLASSES, rows: rows.collect() })
}

pub(super) fn class_rows<'a>(
    report: &RunReport<'a>,
    metrics: &[ClassMetrics],
    pairs: &[Confusion],
) -> Vec<ClassRow<'a>> {
    let taken_for = |class: usize| {
        let own = pairs.iter().filter(|pair| pair.1 == class).take(3);
        own.map(|&(count, _, said)| format!("{} {count}", report.classes[said])).collect::<Vec<_>>().join(", ")
    };
    let rows = report.classes.iter().zip(metrics).enumerate();
    rows.map(|(class, (name, of))| ClassRow {
        name,
        precision: percent(of.precision),
        recall: percent(of.recall),
        f1: percent(of.f1),
        support: of.support,
        taken_for: taken_for(class),
    })
    .collect()
}

pub(super) fn pairs(report: &RunReport<'_>, confusions: &[Confusion]) -> Vec<Pair> {
    let pair = |&(count, truth, said): &Confusion| Pair { count, text: arrow(report.classes, truth, said) };
    confusions.iter().take(PAIRS).map(pair).collect()
}
