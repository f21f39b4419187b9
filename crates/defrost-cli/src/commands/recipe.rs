//! `defrost recipe`: is it sound, and what does it say in full?

use std::path::Path;

use defrost::fs;
use defrost::recipe::{Recipe, RecipeErrors};
use defrost::report::InLang;
use serde::Serialize;

use super::train::Work;
use crate::args::RecipeAction;
use crate::failure::Failure;
use crate::terminal::{Terminal, percent, short};

#[derive(Serialize)]
struct Checked {
    path: String,
    valid: bool,
    hash: Option<String>,
    mistakes: Vec<Mistake>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Mistake {
    key: String,
    line: Option<usize>,
    message: String,
}

#[derive(Serialize)]
struct Shown<'a> {
    path: String,
    hash: String,
    recipe: &'a Recipe,
}

#[derive(Serialize)]
struct Verified {
    path: String,
    run: String,
    val_accuracy: f64,
    expected: (f64, f64),
    holds: bool,
}

pub(super) fn run(action: &RecipeAction, terminal: &Terminal) -> Result<(), Failure> {
    match action {
        RecipeAction::Check { file } => check(file, terminal),
        RecipeAction::Show { file } => show(file, terminal),
        RecipeAction::Verify { file, data } => verify(file, data.as_deref(), terminal),
    }
}

/// Reads a recipe; all mistakes are reported at once.
pub(super) fn read(file: &Path) -> Result<Recipe, Failure> {
    Ok(Recipe::parse(&fs::read_to_string(file)?, Some(file))?)
}

fn check(file: &Path, terminal: &Terminal) -> Result<(), Failure> {
    let parsed = Recipe::parse(&fs::read_to_string(file)?, Some(file));
    if terminal.wants_json() {
        terminal.json(&checked(file, parsed.as_ref()))?;
    }
    let recipe = parsed?;
    recipe.warnings().iter().for_each(|warning| terminal.warn(warning.in_lang(terminal.words.0)));
    terminal.say(terminal.words.recipe_is_sound(&short(file), recipe.resolved().stages.len()));
    Ok(())
}

fn checked(file: &Path, parsed: Result<&Recipe, &RecipeErrors>) -> Checked {
    let mistakes = parsed.err().map(|errors| errors.mistakes.iter());
    Checked {
        path: file.display().to_string(),
        valid: parsed.is_ok(),
        hash: parsed.ok().map(|recipe| recipe.hash().to_hex().to_string()),
        mistakes: mistakes
            .into_iter()
            .flatten()
            .map(|mistake| Mistake { key: mistake.key.clone(), line: mistake.line, message: mistake.to_string() })
            .collect(),
        warnings: parsed.ok().iter().flat_map(|recipe| recipe.warnings()).map(|warning| warning.to_string()).collect(),
    }
}

fn show(file: &Path, terminal: &Terminal) -> Result<(), Failure> {
    let recipe = read(file)?;
    let hash = recipe.hash().to_hex().to_string();
    let recipe = recipe.resolved();
    if terminal.wants_json() {
        return terminal.json(&Shown { path: file.display().to_string(), hash, recipe: &recipe });
    }
    terminal.data(recipe.to_toml().as_bytes())
}

fn verify(file: &Path, data: Option<&Path>, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let mut recipe = read(file)?;
    let Some((low, high)) = recipe.expect.val_accuracy else {
        return Err(Failure::user(words.expects_nothing(&short(file))).hint("[expect]\nval_accuracy = [0.88, 0.94]"));
    };
    if let Some(data) = data {
        recipe.data.path = Some(data.to_owned());
    }
    let work = Work { recipe, resumed: None, out: None, strict: false, no_cache: false };
    let (outcome, _) = work.carry_out(terminal)?;
    let holds = (low..=high).contains(&outcome.val_accuracy);
    let said = words.verified(holds, &percent(outcome.val_accuracy), &percent(low), &percent(high));
    if terminal.wants_json() {
        let (path, run, val_accuracy) = (file.display().to_string(), outcome.run, outcome.val_accuracy);
        terminal.json(&Verified { path, run, val_accuracy, expected: (low, high), holds })?;
    }
    if !holds {
        return Err(Failure::user(said));
    }
    terminal.say("");
    terminal.say(said);
    Ok(())
}
