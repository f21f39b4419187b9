//! `defrost advise`: which strategy suits the data, why, and the recipe for it.

use defrost::advise::{Advice, advise};
use defrost::recipe::Recipe;
use defrost::report::InLang;
use serde::Serialize;

use super::workplace::Workplace;
use crate::args;
use crate::failure::Failure;
use crate::terminal::Terminal;

#[derive(Serialize)]
struct Report<'a> {
    data: String,
    sentence: String,
    /// Each as a text; `advice.reasons` has the figures.
    reasons: Vec<String>,
    /// For `defrost train --recipe`.
    recipe: String,
    advice: &'a Advice,
}

pub(super) fn run(args: &args::Advise, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let mut recipe = Recipe::default();
    recipe.data.path = Some(args.data.clone());
    for (key, value) in [("backbone", &args.backbone), ("weights", &args.weights)] {
        if let Some(value) = value {
            recipe.set(key, value)?;
        }
    }
    let work = Workplace::open(terminal, true)?;
    let progress = work.progress();
    let job = work.prepare(&recipe, false)?;
    // The recipe as asked for, not as the job resolved it: the advice decides what it left open.
    let advice = advise(&job.data, &job.model, &recipe, progress).map_err(|error| match progress.cancelled() {
        true => Failure::stopped(words.stopped()),
        false => Failure::user(error),
    })?;
    let recipe = advice.recipe.to_toml();
    if terminal.wants_json() {
        return terminal.json(&Report {
            data: args.data.display().to_string(),
            sentence: advice.to_string(),
            reasons: advice.reasons.iter().map(ToString::to_string).collect(),
            recipe,
            advice: &advice,
        });
    }
    terminal.say(advice.in_lang(words.0));
    advice.reasons.iter().for_each(|reason| terminal.say(format!("  - {}", reason.in_lang(words.0))));
    terminal.say(words.advised_recipe());
    terminal.data(recipe.as_bytes())
}
