//! `defrost advise`: which strategy suits the data, why, and the recipe for it.

use defrost::advise::{Advice, advise};
use defrost::features::Cache;
use defrost::job::{Environment, Job};
use defrost::progress::Progress;
use defrost::recipe::Recipe;
use serde::Serialize;

use super::cache;
use crate::args;
use crate::failure::{Blame, Failure};
use crate::interrupt;
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
    let cancel = interrupt::listen(terminal)?;
    let bars = terminal.bars();
    let progress = Progress::new(&bars, cancel);
    let weights_cache = cache::weights(terminal)?;
    let environment = Environment {
        embedded: defrost_weights::efficientnet_lite0(),
        weights_cache: &weights_cache,
        features: Cache::none(),
        lang: words.0,
    };
    let job = Job::prepare(&recipe, false, &environment, progress)?;
    // The recipe as asked for, not as the job resolved it: the advice decides what it left open.
    let advice = advise(&job.data, &job.model, &recipe, progress).map_err(|error| match progress.cancelled() {
        true => Failure { blame: Blame::Interrupted, error: anyhow::anyhow!(words.stopped()), hint: None },
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
    terminal.say(words.advice(&advice));
    advice.reasons.iter().for_each(|reason| terminal.say(format!("  - {reason}")));
    terminal.say(words.advised_recipe());
    terminal.data(recipe.as_bytes())
}
