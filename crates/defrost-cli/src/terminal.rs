//! What the user sees: data on stdout; talk, bars and errors on stderr.
//!
//! Invariant: stdout holds nothing but data. A reader who leaves (`| head`) is no error, and a lost stderr none either.

mod bars;
mod stages;
mod wrap;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::environment;
use crate::failure::{Blame, Failure};
use crate::lang::Words;

pub(crate) use bars::Bars;
pub(crate) use stages::{StageTable, scientific};

/// The version of every `--json` object: raised when a field changes its meaning or goes, not when one is added.
const JSON_VERSION: u32 = 1;

/// Cells of a line that are taken for granted: a terminal that claims fewer is left to break lines itself.
const NARROWEST: u16 = 40;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// How to talk to this user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    pub(crate) words: Words,
    json: bool,
    quiet: bool,
    verbose: u8,
}

/// A JSON object with its version first.
#[derive(Serialize)]
pub(crate) struct Versioned<'a, T> {
    version: u32,
    #[serde(flatten)]
    body: &'a T,
}

impl<'a, T> Versioned<'a, T> {
    pub(crate) fn new(body: &'a T) -> Versioned<'a, T> {
        Versioned { version: JSON_VERSION, body }
    }
}

impl Terminal {
    pub(crate) fn new(words: Words, json: bool, quiet: bool, verbose: u8) -> Terminal {
        Terminal { words, json, quiet, verbose }
    }

    /// Whether the data are asked for as JSON.
    pub(crate) fn wants_json(&self) -> bool {
        self.json
    }

    /// Writes data to stdout as they are.
    pub(crate) fn data(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure { blame: Blame::ReaderLeft, error: error.into(), hint: None },
            _ => {
                let message = self.words.stdout_is_lost(&error.to_string());
                Failure::system(anyhow::Error::new(error).context(message))
            }
        })
    }

    /// Writes a command's help to stdout, coloured where that is wanted.
    pub(crate) fn help(&self, command: &mut clap::Command) -> Result<(), Failure> {
        command.print_help().map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure { blame: Blame::ReaderLeft, error: error.into(), hint: None },
            _ => Failure::system(error),
        })
    }

    /// Writes one JSON object to stdout, its version first.
    pub(crate) fn json<T: Serialize>(&self, body: &T) -> Result<(), Failure> {
        self.object(&Versioned::new(body))
    }

    /// Writes one JSON object that has a version of its own.
    pub(crate) fn object<T: Serialize>(&self, object: &T) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(object).map_err(Failure::system)?;
        text.push(b'\n');
        self.data(&text)
    }

    /// Says a line, unless it should be quiet.
    pub(crate) fn say(&self, line: impl AsRef<str>) {
        if !self.quiet {
            talk(line.as_ref());
        }
    }

    /// Says a line where more is asked for (`-v`).
    pub(crate) fn detail(&self, line: impl AsRef<str>) {
        if self.verbose > 0 {
            talk(line.as_ref());
        }
    }

    /// Whether more is asked for (`-v`).
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose > 0
    }

    /// Says what could be done better.
    pub(crate) fn hint(&self, text: impl AsRef<str>) {
        self.say(format!("  {HINT}hint:{HINT:#} {}", text.as_ref()));
    }

    /// Says what the user should know before trusting the result; `-q` doesn't silence it.
    pub(crate) fn warn(&self, text: impl AsRef<str>) {
        talk(&format!("{WARNING}warning:{WARNING:#} {}", text.as_ref()));
    }

    /// Progress bars for long work.
    pub(crate) fn bars(&self) -> Bars {
        Bars::new(*self)
    }

    /// Greets who gives no command, which is a mistake all the same.
    pub(crate) fn welcome(&self) -> ExitCode {
        talk(&self.words.welcome());
        Blame::User.exit_code()
    }

    /// Says why a command failed; the exit code.
    pub(crate) fn explain(&self, failure: &Failure) -> ExitCode {
        match failure.blame {
            Blame::ReaderLeft => {}
            Blame::Interrupted => self.say(failure.error.to_string()),
            Blame::User | Blame::System => {
                let (problem, hint) = failure.texts();
                talk(&format!("{ERROR}error:{ERROR:#} {problem}"));
                if let Some(hint) = hint {
                    talk(&format!("\n{HINT}hint:{HINT:#} {hint}"));
                }
                if self.verbose > 0 {
                    failure.error.chain().skip(1).for_each(|cause| talk(&format!("  because {cause}")));
                }
            }
        }
        failure.blame.exit_code()
    }
}

/// Prints what clap has to say: help as data, mistakes as the program's other errors.
pub(crate) fn explain_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error
        .render()
        .ansi()
        .to_string()
        .replace("\n  \u{1b}[32mtip:\u{1b}[0m", "\nhint:")
        .replace("\n  tip:", "\nhint:");
    talk(text.trim_end());
    // Who gives pictures and no command.
    if let (clap::error::ErrorKind::InvalidSubcommand, Some(clap::error::ContextValue::String(given))) =
        (error.kind(), error.get(clap::error::ContextKind::InvalidSubcommand))
        && Path::new(given).exists()
    {
        talk(&format!("\n{HINT}hint:{HINT:#} `defrost train {given}`, or `defrost predict {given}`?"));
    }
    Blame::User.exit_code()
}

/// A path as it is said: the home folder as `~`.
pub(crate) fn short(path: &Path) -> String {
    let below = environment::home().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned));
    below.map_or_else(|| path.display().to_string(), |below| format!("~/{}", below.display()))
}

/// `31 MB`: decimal, as disks are sold.
pub(crate) fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if value < 9.95 && unit != "B" { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// `91.5` of 0.915.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// Rows in columns, the first row the headings; columns of numbers stand to the right.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let column = |index: usize| rows.iter().filter_map(move |row| row.get(index));
    let layout: Vec<(usize, bool)> = (0..count)
        .map(|index| {
            let numbers = column(index).skip(1).all(|cell| cell.starts_with(|first: char| first.is_ascii_digit()));
            (column(index).map(|cell| cells_wide(cell)).max().unwrap_or(0), numbers)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&layout).map(|(cell, &(width, to_the_right))| match to_the_right {
            true => " ".repeat(width - cells_wide(cell)) + cell,
            false => padded(cell, width),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A text with spaces up to a width.
pub(crate) fn padded(text: &str, width: usize) -> String {
    text.to_owned() + &" ".repeat(width.saturating_sub(cells_wide(text)))
}

/// Cells that a terminal gives to a text: Hangul takes two a syllable.
pub(crate) fn cells_wide(text: &str) -> usize {
    textwrap::core::display_width(text)
}

/// Writes a line to stderr, coloured where that is wanted, and broken to the width of a terminal. Nothing can be told to a user
/// whose stderr is gone.
fn talk(line: &str) {
    let line = match terminal_size::terminal_size_of(io::stderr()) {
        Some((width, _)) => wrap::wrapped(line, width.0.max(NARROWEST).into()),
        None => line.to_owned(),
    };
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_short() {
        assert_eq!([0, 999, 1000, 31_400_000, 999_600_000].map(bytes), ["0 B", "999 B", "1.0 kB", "31 MB", "1.0 GB"]);
    }

    #[test]
    fn columns_line_up() {
        let rows = [["이름", "수", "x"], ["a", "1", "y"], ["bcdef", "23", "zz"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(columns(&rows), "이름   수  x\na       1  y\nbcdef  23  zz\n");
    }
}
