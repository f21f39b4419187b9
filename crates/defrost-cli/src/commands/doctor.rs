//! `defrost doctor`: what is wrong with the data, as a table, a page and a list of pictures to leave out.

use std::path::{Path, PathBuf};

use defrost::doctor::{Diagnosis, Finding, Kind, LabelCheck, Severity};
use defrost::job;
use defrost::recipe::Recipe;
use defrost::report::{FindingWords, doctor_page};
use serde::Serialize;

use super::workplace::Workplace;
use crate::args;
use crate::failure::Failure;
use crate::terminal::{Terminal, columns, short};

#[derive(Serialize)]
struct Report<'a> {
    data: String,
    backbone: &'static str,
    pictures: usize,
    readable: usize,
    classes: &'a [String],
    sides: Sides,
    /// Kinds that were found, the gravest first.
    counts: Vec<Count>,
    findings: &'a [Finding],
    labels: &'a Option<LabelCheck>,
    exclude: Vec<Exclusion<'a>>,
    /// Where the list was written.
    exclude_out: Option<String>,
    html: Option<String>,
}

#[derive(Serialize)]
struct Sides {
    train: usize,
    validation: usize,
    test: usize,
}

#[derive(Serialize)]
struct Count {
    kind: Kind,
    severity: Severity,
    findings: usize,
    pictures: usize,
}

#[derive(Serialize)]
struct Exclusion<'a> {
    path: &'a str,
    reason: String,
}

pub(super) fn run(args: &args::Doctor, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let work = Workplace::open(terminal, args.no_cache)?;
    let (job, diagnosis) =
        job::examine(&recipe(args)?, &work.environment(), work.progress()).map_err(|error| work.failure(error))?;
    tell(args, &diagnosis, terminal);

    let exclude_out = args.exclude_out.clone().or_else(|| args.html.as_deref().map(beside));
    if let Some(path) = &exclude_out {
        defrost::fs::write_atomic(path, &diagnosis.exclude_csv())?;
        terminal.say(words.exclusions_written(&short(path), diagnosis.exclusions().len()));
    }
    if let Some(path) = &args.html {
        let exclude = exclude_out.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let page = doctor_page(&diagnosis, &job.data, &exclude, words.0)?;
        defrost::fs::write_atomic(path, page.as_bytes())?;
        terminal.say(words.written(&short(path)));
    }
    if terminal.wants_json() {
        let [train, validation, test] = diagnosis.sides;
        terminal.json(&Report {
            data: args.data.display().to_string(),
            backbone: job.model.backbone.id,
            pictures: diagnosis.pictures,
            readable: diagnosis.readable,
            classes: &diagnosis.classes,
            sides: Sides { train, validation, test },
            counts: counts(&diagnosis),
            findings: &diagnosis.findings,
            labels: &diagnosis.labels,
            exclude: diagnosis
                .exclusions()
                .into_iter()
                .map(|(subject, reason)| Exclusion { path: &subject.path, reason })
                .collect(),
            exclude_out: exclude_out.as_ref().map(|path| path.display().to_string()),
            html: args.html.as_ref().map(|path| path.display().to_string()),
        })?;
    }
    Ok(())
}

fn recipe(args: &args::Doctor) -> Result<Recipe, Failure> {
    let mut recipe = Recipe::default();
    recipe.data.path = Some(args.data.clone());
    recipe.data.classes = args.classes.clone().unwrap_or_default();
    for (key, value) in [("backbone", &args.backbone), ("weights", &args.weights)] {
        if let Some(value) = value {
            recipe.set(key, value)?;
        }
    }
    Ok(recipe)
}

/// `photos.html` → `photos.exclude.csv`.
fn beside(page: &Path) -> PathBuf {
    page.with_extension("exclude.csv")
}

fn counts(diagnosis: &Diagnosis) -> Vec<Count> {
    let count = |kind: Kind| {
        let found = || diagnosis.of_kind(kind);
        let pictures = found().map(|finding| finding.pictures.len()).sum();
        Count { kind, severity: kind.severity(), findings: found().count(), pictures }
    };
    Kind::ALL.into_iter().map(count).filter(|count| count.findings > 0).collect()
}

/// A table of what was found, each kind's first findings below it; all of them with `-v`.
fn tell(args: &args::Doctor, diagnosis: &Diagnosis, terminal: &Terminal) {
    const FIRST: usize = 3;
    let words = terminal.words;
    let lang = words.0;
    terminal.say(words.examined(&short(&args.data), diagnosis.pictures, diagnosis.classes.len(), diagnosis.sides));
    if diagnosis.findings.is_empty() {
        terminal.say(words.nothing_found());
        return;
    }
    let counts = counts(diagnosis);
    let rows: Vec<Vec<String>> = std::iter::once(words.finding_headings().to_vec())
        .chain(counts.iter().map(|count| {
            let left_out: usize = diagnosis.of_kind(count.kind).map(|finding| finding.leave_out.len()).sum();
            let numbers = [count.findings, count.pictures, left_out].map(|number| number.to_string());
            [&[lang.kind(count.kind).to_owned()][..], &numbers].concat()
        }))
        .collect();
    terminal.say(format!("\n{}", columns(&rows)));
    let shown = if terminal.is_verbose() { usize::MAX } else { FIRST };
    for count in &counts {
        terminal.say(words.kind_and_meaning(lang.kind(count.kind), lang.meaning(count.kind)));
        for finding in diagnosis.of_kind(count.kind).take(shown) {
            terminal.say(format!("  {}", lang.sentence(finding)));
        }
        if count.findings > shown {
            terminal.say(format!("  {}", words.more_findings(count.findings - shown)));
        }
    }
}
