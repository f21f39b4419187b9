//! `defrost schedule`: a learning rate over the steps, as a table, a figure or JSON.

use std::path::Path;

use defrost::fs::write_atomic;
use defrost::report::{self, to_png};
use defrost::schedule::Schedule;
use serde::Serialize;

use crate::args;
use crate::failure::Failure;
use crate::terminal::{Terminal, columns, scientific, short};

/// The most steps that are listed; more would fill the memory rather than tell anything.
const MAX_STEPS: u64 = 10_000_000;

/// Rows of the table in the terminal, the first step aside.
const ROWS: u64 = 16;

/// Characters of the table's longest bar.
const BAR: f64 = 40.0;

/// Pixels of a PNG for each of the figure's.
const PNG_SCALE: f32 = 2.0;

#[derive(Serialize)]
struct Values<'a> {
    schedule: &'a str,
    /// `[step, learning rate]`
    values: &'a [(u64, f32)],
}

pub(super) fn run(args: &args::Schedule, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let mut schedule: Schedule = args.schedule.parse()?;
    if let Some(steps) = args.steps {
        schedule = schedule.resolve(steps);
    }
    let steps = args.steps.map(u64::from).or_else(|| schedule.decay_steps());
    let steps = steps.ok_or_else(|| Failure::user(words.endless_schedule()).hint(words.give_steps()))?;
    if steps > MAX_STEPS {
        return Err(Failure::user(words.too_many_steps(steps, MAX_STEPS)).hint(words.give_steps()));
    }
    let values = schedule.values(steps);
    if let Some(path) = &args.out {
        draw(path, &values, &args.schedule, terminal)?;
    }
    if terminal.wants_json() {
        terminal.json(&Values { schedule: &args.schedule, values: &values })
    } else if args.out.is_none() {
        terminal.data(table(&values, terminal).as_bytes())
    } else {
        Ok(())
    }
}

fn draw(path: &Path, values: &[(u64, f32)], title: &str, terminal: &Terminal) -> Result<(), Failure> {
    let svg = report::schedule(values, title, terminal.words.0);
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => write_atomic(path, svg.as_bytes())?,
        Some("png") => write_atomic(path, &to_png(&svg, PNG_SCALE)?)?,
        _ => return Err(Failure::user(terminal.words.figure_ending(&path.display().to_string()))),
    }
    terminal.say(terminal.words.written(&short(path)));
    Ok(())
}

/// Evenly spaced steps with their rates and bars, long as the rate is high on a logarithmic scale.
fn table(values: &[(u64, f32)], terminal: &Terminal) -> String {
    let last = values.len().saturating_sub(1) as u64;
    let rows = last.min(ROWS);
    let steps = (0..=rows).map(|row| (row * last).checked_div(rows).unwrap_or(0));
    let shown: Vec<(u64, f32)> = steps.filter_map(|step| values.get(step as usize).copied()).collect();
    let positive = || shown.iter().map(|value| value.1).filter(|rate| *rate > 0.0);
    let (low, high) = (positive().fold(f32::INFINITY, f32::min), positive().fold(0.0, f32::max));
    let span = f64::from(high / low).log10().max(1.0);
    let mut table = vec![vec![terminal.words.step(), terminal.words.learning_rate()]];
    table.extend(shown.iter().map(|&(step, rate)| vec![step.to_string(), scientific(rate)]));
    let text = columns(&table);
    let mut lines = text.lines();
    let mut plot = lines.next().unwrap_or_default().to_owned() + "\n";
    for (line, (_, rate)) in lines.zip(&shown) {
        let share = if *rate > 0.0 { 1.0 - f64::from(high / rate).log10() / span } else { 0.0 };
        // A tenth for the lowest rate, so that only a rate of 0 has no bar.
        let length = if *rate > 0.0 { (BAR * (0.1 + 0.9 * share)).round() as usize } else { 0 };
        plot.push_str(format!("{line}  {}", "█".repeat(length)).trim_end());
        plot.push('\n');
    }
    plot
}
