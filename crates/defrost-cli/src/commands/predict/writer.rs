//! What is said of pictures, as a table, CSV or JSON, written lot by lot.

use std::path::PathBuf;

use super::{Line, Report};
use crate::args;
use crate::failure::Failure;
use crate::terminal::{Bars, Terminal, Versioned, cells_wide, padded, percent};

/// How it is written.
enum Form {
    /// With the widths of its columns.
    Table { path: usize, class: usize },
    Csv {
        /// Classes that a row lists.
        shown: usize,
        /// Training pictures that it names.
        nearest: usize,
    },
    Json {
        /// Whether a line was written already.
        begun: bool,
    },
}

/// Writes lines on stdout.
pub(super) struct Writer<'a> {
    form: Form,
    bars: &'a Bars,
    terminal: &'a Terminal,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        args: &args::Predict,
        terminal: &'a Terminal,
        bars: &'a Bars,
        classes: &[String],
        pictures: &[PathBuf],
    ) -> Writer<'a> {
        let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let form = if terminal.wants_json() {
            Form::Json { begun: false }
        } else if args.csv {
            Form::Csv { shown: args.top_k.min(classes.len()), nearest: args.nearest.unwrap_or(0) }
        } else {
            Form::Table {
                path: widest(&mut pictures.iter().map(|path| cells_wide(&path.display().to_string()))),
                // And `100.0 %`.
                class: widest(&mut classes.iter().map(|class| cells_wide(class))) + 8,
            }
        };
        Writer { form, bars, terminal }
    }

    /// What stands before the first line.
    pub(super) fn begin(&mut self, run: &str) -> Result<(), Failure> {
        match &self.form {
            Form::Table { .. } => Ok(()),
            Form::Csv { shown, nearest } => {
                let mut heading = ["path", "class", "probability", "error"].map(str::to_owned).to_vec();
                heading.extend((1..=*shown).flat_map(|rank| [format!("class_{rank}"), format!("probability_{rank}")]));
                heading.push("unlike".to_owned());
                heading
                    .extend((1..=*nearest).flat_map(|rank| [format!("nearest_{rank}"), format!("similarity_{rank}")]));
                self.data(&csv_lines(&[heading])?)
            }
            Form::Json { .. } => {
                // The object without its lines, up to where they go.
                let empty = Report { run: run.to_owned(), predictions: Vec::new() };
                let mut text = serde_json::to_vec(&Versioned::new(&empty)).map_err(Failure::system)?;
                text.truncate(text.len() - JSON_END.len());
                self.data(&text)
            }
        }
    }

    pub(super) fn write(&mut self, lines: &[Line]) -> Result<(), Failure> {
        let text = match &mut self.form {
            Form::Table { path, class } => {
                let rows = lines.iter().map(|line| row(line, (*path, *class), self.terminal));
                rows.collect::<String>().into_bytes()
            }
            Form::Csv { shown, nearest } => {
                csv_lines(&lines.iter().map(|line| record(line, *shown, *nearest)).collect::<Vec<_>>())?
            }
            Form::Json { begun } => {
                let mut text = Vec::new();
                for line in lines {
                    if std::mem::replace(begun, true) {
                        text.push(b',');
                    }
                    serde_json::to_writer(&mut text, line).map_err(Failure::system)?;
                }
                text
            }
        };
        self.data(&text)
    }

    /// What stands after the last line.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        if matches!(self.form, Form::Json { .. }) { self.data(&[JSON_END, b"\n"].concat()) } else { Ok(()) }
    }

    /// Writes above the bar.
    fn data(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.bars.suspended(|| self.terminal.data(bytes))
    }
}

/// Closes the list and the object.
const JSON_END: &[u8] = b"]}";

/// The path, the most probable classes, and what to be wary of; of a picture that can't be read, why.
fn row(line: &Line, (path, class): (usize, usize), terminal: &Terminal) -> String {
    if let Some(error) = &line.error {
        return format!("{error}\n");
    }
    let words = terminal.words;
    let mut cells = vec![padded(&line.path, path)];
    cells.extend(line.top.iter().map(|top| {
        let share = percent(f64::from(top.probability));
        padded(&format!("{} {share} %", top.class), class)
    }));
    let mut text = cells.join("  ");
    if line.unlike == Some(true) {
        text = format!("{text}  {}", words.unlike());
    } else if line.class.is_none() {
        text = format!("{text}  {}", words.unsure());
    }
    let mut text = format!("{}\n", text.trim_end());
    for near in line.nearest.iter().flatten() {
        text.push_str(&format!("  {}\n", words.near(&near.class, &near.path, near.similarity)));
    }
    text
}

/// `path`, `class`, `probability`, `error`, then `class_1`, `probability_1`, …, `unlike`, and `nearest_1`, `similarity_1`, ….
fn record(line: &Line, shown: usize, nearest: usize) -> Vec<String> {
    let probability = line.probability.map(|probability| probability.to_string());
    let fixed = [Some(&line.path), line.class.as_ref(), probability.as_ref(), line.error.as_ref()];
    let mut record: Vec<String> = fixed.into_iter().map(|cell| cell.cloned().unwrap_or_default()).collect();
    let fields = record.len() + 2 * shown;
    record.extend(line.top.iter().flat_map(|top| [top.class.clone(), top.probability.to_string()]));
    record.resize(fields, String::new());
    record.push(line.unlike.map(|unlike| unlike.to_string()).unwrap_or_default());
    let fields = record.len() + 2 * nearest;
    record.extend(line.nearest.iter().flatten().flat_map(|near| [near.path.clone(), near.similarity.to_string()]));
    record.resize(fields, String::new());
    record
}

fn csv_lines(records: &[Vec<String>]) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    records.iter().try_for_each(|record| writer.write_record(record))?;
    writer.into_inner().map_err(|error| Failure::system(error.into_error()))
}
