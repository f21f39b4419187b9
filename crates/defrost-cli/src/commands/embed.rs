//! `defrost embed`: the features of pictures as a file, for use elsewhere.

use std::path::Path;

use defrost::job::EmbeddingFormat;
use defrost::recipe::Recipe;
use serde::Serialize;

use super::workplace::Workplace;
use crate::args;
use crate::failure::Failure;
use crate::terminal::{Terminal, short};

#[derive(Serialize)]
struct Report {
    out: String,
    /// The table of paths and labels, where they have a file of their own.
    table: Option<String>,
    backbone: &'static str,
    samples: usize,
    num_features: usize,
    skipped: usize,
}

pub(super) fn run(args: &args::Embed, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    // Before any work.
    let format = EmbeddingFormat::of(&args.out)?;
    let work = Workplace::open(terminal, args.no_cache)?;
    let job = work.prepare(&recipe(args)?, args.strict)?;
    let embedding = job.embed(work.progress()).map_err(|error| work.failure(error))?;
    let samples = embedding.paths.len();
    if samples == 0 {
        return Err(Failure::user(words.nothing_readable(&short(&args.data))));
    }
    let bytes = embedding.to_bytes(format)?;
    let table = format.needs_table().then(|| args.out.with_extension("csv"));
    if let Some(table) = &table {
        defrost::fs::write_atomic(table, &embedding.to_csv())?;
    }
    defrost::fs::write_atomic(&args.out, &bytes)?;

    let all: usize = job.data.sides().iter().map(|(_, samples)| samples.len()).sum();
    let skipped = job.data.skipped.len() + all - samples;
    if skipped > 0 {
        terminal.warn(words.unreadable(skipped));
    }
    let num_features = embedding.features.shape()[1];
    terminal.say(words.embedded_features(samples, num_features, &short(&args.out), table.as_deref().map(short)));
    if terminal.wants_json() {
        let shown = |path: &Path| path.display().to_string();
        let (out, table) = (shown(&args.out), table.as_deref().map(shown));
        terminal.json(&Report { out, table, backbone: embedding.backbone, samples, num_features, skipped })?;
    }
    Ok(())
}

/// Every picture on its plain view, as deep as the head begins.
fn recipe(args: &args::Embed) -> Result<Recipe, Failure> {
    let mut recipe = Recipe::default();
    recipe.data.path = Some(args.data.clone());
    let input_size = args.input_size.map(|size| size.to_string());
    let fields = [
        ("backbone", &args.backbone),
        ("weights", &args.weights),
        ("input_size", &input_size),
        ("preprocess.decode", &args.decode),
    ];
    for (key, value) in fields {
        if let Some(value) = value {
            recipe.set(key, value)?;
        }
    }
    recipe.set("augment", "none")?;
    recipe.set_epochs("1,0")?;
    Ok(recipe)
}
