//! `defrost recipe`: is it sound, and what does it say in full?

use std::path::Path;

use defrost::fs;
use defrost::recipe::{Recipe, RecipeErrors};
use serde::Serialize;

use crate::args::RecipeAction;
use crate::failure::Failure;
use crate::terminal::{Terminal, short};

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

pub(super) fn run(action: &RecipeAction, terminal: &Terminal) -> Result<(), Failure> {
    match action {
        RecipeAction::Check { file } => check(file, terminal),
        RecipeAction::Show { file } => show(file, terminal),
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
    recipe.warnings().iter().for_each(|warning| terminal.warn(warning.to_string()));
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
