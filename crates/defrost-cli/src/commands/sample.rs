//! `defrost sample`: pictures of our own.

use defrost::data::{DRAWN_CLASSES, Drawing, draw};
use serde::Serialize;

use crate::args::Sample;
use crate::failure::Failure;
use crate::terminal::{Terminal, short};

#[derive(Serialize)]
struct Drawn<'a> {
    path: String,
    classes: &'a [&'a str],
    samples: usize,
}

pub(super) fn run(args: &Sample, terminal: &Terminal) -> Result<(), Failure> {
    let samples = draw(&args.dir, &Drawing { per_class: args.per_class, size: args.size, seed: args.seed })?;
    let path = args.dir.display().to_string();
    terminal.say(terminal.words.drawn(&short(&args.dir), samples, DRAWN_CLASSES.len()));
    terminal.say(terminal.words.next(&format!("defrost train {path}")));
    if terminal.wants_json() {
        terminal.json(&Drawn { path, classes: &DRAWN_CLASSES, samples })?;
    }
    Ok(())
}
