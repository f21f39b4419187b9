//! Single settings changed from outside: `--set stages.1.learning_rate=1e-4`, `--epochs 5,5`.

use toml::{Table, Value};

use super::{Epochs, Recipe, RecipeErrors};
use crate::settings::{self, Mistake, Problem};

/// The three forms of a cut, of which a stage has one.
const CUTS: [&str; 3] = ["last", "fraction", "from"];

impl Recipe {
    /// Sets the field at a dotted path, indices from 0: `("stages.1.learning_rate", "1e-4")`.
    ///
    /// The value is TOML; what isn't, is taken as a string, so that words need no quotes. Setting one form of a stage's cut
    /// removes the others. Ranges are left to [`check`](Recipe::check), so that settings which belong together can follow each
    /// other.
    ///
    /// # Errors
    /// When there is no such field, or the value is of the wrong type; the recipe is then unchanged.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), RecipeErrors> {
        let value = value.parse::<Value>().unwrap_or_else(|_| Value::from(value));
        let path: Vec<&str> = key.split('.').collect();
        let mut base = self.clone();
        if path[0] == "stages" && base.stages.is_empty() {
            base.stages = base.default_stages();
        }
        let mut settings = toml::from_str(&base.to_toml()).map(Value::Table).map_err(|error| {
            let message = error.message().to_owned();
            errors(Mistake { key: String::new(), line: None, problem: Problem::Syntax { message } })
        })?;
        put(&mut settings, &path, 0, value).map_err(errors)?;
        let read = settings::read(settings, |_, _| ());
        *self = read.map_err(|mistakes| RecipeErrors { origin: None, mistakes })?;
        Ok(())
    }

    /// Sets the epochs of all stages: `"5,5"`, one number for each; a stage of 0 epochs is left out.
    ///
    /// # Errors
    /// When there aren't as many numbers as stages, or one isn't a number.
    pub fn set_epochs(&mut self, epochs: &str) -> Result<(), RecipeErrors> {
        let mut stages = if self.stages.is_empty() { self.default_stages() } else { self.stages.clone() };
        let numbers: Option<Vec<usize>> = epochs.split(',').map(|number| number.trim().parse().ok()).collect();
        let Some(numbers) = numbers.filter(|numbers| numbers.len() == stages.len()) else {
            let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
            let expected = format!(
                "{} numbers such as `{}`, for {}",
                names.len(),
                vec!["5"; names.len()].join(","),
                names.join(", ")
            );
            return Err(errors(Mistake::unexpected("epochs", expected, format_args!("`{epochs}`"))));
        };
        for (stage, &number) in stages.iter_mut().zip(&numbers) {
            stage.epochs = Epochs::Exactly(number);
        }
        stages.retain(|stage| stage.max_epochs() > 0);
        if stages.is_empty() {
            return Err(errors(Mistake::unexpected("epochs", "at least 1 for one stage", format_args!("`{epochs}`"))));
        }
        self.stages = stages;
        Ok(())
    }
}

fn errors(mistake: Mistake) -> RecipeErrors {
    RecipeErrors { origin: None, mistakes: vec![mistake] }
}

/// Puts `value` at `path[depth..]` below `place`, making a table where there is none.
fn put(place: &mut Value, path: &[&str], depth: usize, value: Value) -> Result<(), Mistake> {
    let Some(key) = path.get(depth) else {
        *place = value;
        return Ok(());
    };
    match place {
        Value::Array(list) => {
            let length = list.len();
            let entry = key.parse().ok().and_then(|index: usize| list.get_mut(index)).ok_or_else(|| {
                let expected = format!("followed by an index below {length}");
                Mistake::unexpected(path[..depth].join("."), expected, format_args!("`{key}`"))
            })?;
            put(entry, path, depth + 1, value)
        }
        Value::Table(table) => {
            if path[0] == "stages" && path.len() == 3 && CUTS.contains(key) {
                for cut in CUTS {
                    table.remove(cut);
                }
            }
            put(table.entry(*key).or_insert_with(|| Value::Table(Table::new())), path, depth + 1, value)
        }
        other => {
            *other = Value::Table(Table::new());
            put(other, path, depth, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Cut;
    use crate::recipe::{Data, Stage, Weights};
    use crate::schedule::{CosineDecay, Schedule};

    fn error(recipe: &mut Recipe, key: &str, value: &str) -> String {
        let before = recipe.clone();
        let error = recipe.set(key, value).unwrap_err().to_string();
        assert_eq!(*recipe, before);
        error
    }

    #[test]
    fn words_need_no_quotes() {
        let mut recipe = Recipe::default();
        recipe.set("backbone", "efficientnet_b0.keras_imagenet").unwrap();
        recipe.set("weights", "none").unwrap();
        recipe.set("data.classes", "['a', 'b']").unwrap();
        recipe.set("data.limit.train", "400").unwrap();
        recipe.set("augment", "none").unwrap();
        recipe.set("loss.label_smoothing", "0.1").unwrap();
        assert_eq!((recipe.backbone.as_str(), &recipe.weights), ("efficientnet_b0.keras_imagenet", &Weights::None));
        let Data { classes, limit, .. } = &recipe.data;
        assert_eq!((classes.as_slice(), limit.train), (&["a".to_owned(), "b".to_owned()][..], Some(400)));
        assert_eq!((recipe.augment.pipeline.as_str(), recipe.loss.label_smoothing), ("none", 0.1));
    }

    #[test]
    fn a_stage_of_the_defaults_can_be_changed() {
        let mut recipe = Recipe::default();
        recipe.set("stages.1.learning_rate", "cosine_decay(initial_learning_rate=1e-4)").unwrap();
        recipe.set("stages.1.learning_rate.cosine_decay.alpha", "0.01").unwrap();
        let cosine = Schedule::CosineDecay(CosineDecay { alpha: 0.01, ..CosineDecay::new(1e-4) });
        assert_eq!(recipe.stages, [Stage::feature_extraction(5), Stage::fine_tuning(5).learning_rate(cosine)]);
        recipe.set("weights", "none").unwrap();
        assert_eq!(recipe.stages.len(), 2);
    }

    #[test]
    fn one_cut_takes_the_place_of_another() {
        let mut recipe = Recipe::default();
        recipe.set("stages.1.from", "block6d").unwrap();
        assert_eq!(recipe.stages[1].cut, Cut::From("block6d".to_owned()));
        recipe.set("stages.1.fraction", "0.7").unwrap();
        assert_eq!(recipe.stages[1].cut, Cut::Fraction(0.7));
        recipe.set("stages.1.last", "20").unwrap();
        assert_eq!(recipe.stages[1].cut, Cut::Last(20));
    }

    #[test]
    fn mistakes_change_nothing() {
        let mut recipe = Recipe::default();
        let all = [
            ("stages.1.lr", "1e-4"),
            ("stages.2.epochs", "3"),
            ("stages.first.epochs", "3"),
            ("batch_size", "many"),
            ("bacth_size", "16"),
            ("seed.x", "1"),
            ("stages.1.optimizer", "adm"),
            ("stages.1.learning_rate", "cosine_decay(initial_learning_rate=1e-4, decay_steps=0)"),
            ("", "1"),
        ];
        let report = all.map(|(key, value)| format!("{key}={value}\n    {}", error(&mut recipe, key, value)));
        insta::assert_snapshot!(report.join("\n"), @r#"
        stages.1.lr=1e-4
            unknown key `stages.1.lr`; did you mean `stages.1.learning_rate`?
        stages.2.epochs=3
            `stages` must be followed by an index below 2; got `2`
        stages.first.epochs=3
            `stages` must be followed by an index below 2; got `first`
        batch_size=many
            `batch_size` must be a whole number of at least 0; got "many"
        bacth_size=16
            unknown key `bacth_size`; did you mean `batch_size`?
        seed.x=1
            `seed` must be a whole number of at least 0; got a table
        stages.1.optimizer=adm
            `stages.1.optimizer` must be one of `adam`, `adamw`, `sgd`, `rmsprop`; got `adm`; did you mean `adam`?
        stages.1.learning_rate=cosine_decay(initial_learning_rate=1e-4, decay_steps=0)
            `stages.1.learning_rate` isn't a schedule: `cosine_decay.decay_steps` must be > 0; got 0
        =1
            unknown key ``; there are `seed`, `backbone`, `weights`, `input_size`, `batch_size`, `precision`, `base_learning_rate`, `data`, `preprocess`, `augment`, `head`, `loss`, `expect`, `stages`
        "#);
    }

    #[test]
    fn epochs_are_given_for_all_stages_at_once() {
        let mut recipe = Recipe::default();
        recipe.set_epochs("3, 7").unwrap();
        assert_eq!(recipe.stages, [Stage::feature_extraction(3), Stage::fine_tuning(7)]);
        recipe.set_epochs("2,0").unwrap();
        assert_eq!(recipe.stages, [Stage::feature_extraction(2)]);
        let mut recipe = Recipe::default();
        let all = ["5", "5,x", "0,0", ""].map(|epochs| recipe.set_epochs(epochs).unwrap_err().to_string());
        insta::assert_snapshot!(all.join("\n"), @r"
        `epochs` must be 2 numbers such as `5,5`, for feature_extraction, fine_tuning; got `5`
        `epochs` must be 2 numbers such as `5,5`, for feature_extraction, fine_tuning; got `5,x`
        `epochs` must be at least 1 for one stage; got `0,0`
        `epochs` must be 2 numbers such as `5,5`, for feature_extraction, fine_tuning; got ``
        ");
    }
}
