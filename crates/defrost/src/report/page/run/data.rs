//! The pictures: how many, which were left out, what is wrong with them.

use serde::Serialize;

use super::RunReport;
use crate::doctor::{Diagnosis, Kind, Severity};
use crate::report::{FindingWords, Lang};

/// Lines of a list of pictures.
const LINES: usize = 100;

#[derive(Serialize)]
pub(super) struct Skipped {
    title: String,
    lines: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct FindingRow {
    name: &'static str,
    severity: &'static str,
    count: usize,
    meaning: &'static str,
    lines: Vec<String>,
}

pub(super) fn skipped(report: &RunReport<'_>, lang: Lang) -> Option<Skipped> {
    let lines = report.skipped.iter().take(LINES).map(|(path, reason)| format!("{path}: {reason}")).collect();
    (!report.skipped.is_empty()).then(|| Skipped { title: lang.skipped(report.skipped.len()), lines })
}

pub(super) fn findings(diagnosis: &Diagnosis, lang: Lang) -> Vec<FindingRow> {
    let row = |kind: Kind| {
        let found: Vec<_> = diagnosis.of_kind(kind).collect();
        (!found.is_empty()).then(|| FindingRow {
            name: lang.kind(kind),
            severity: match kind.severity() {
                Severity::Fault => "fault",
                Severity::Doubt => "doubt",
                Severity::Note => "note",
            },
            count: found.len(),
            meaning: lang.meaning(kind),
            lines: found.into_iter().take(LINES).map(|finding| lang.sentence(finding)).collect(),
        })
    };
    Kind::ALL.into_iter().filter_map(row).collect()
}
