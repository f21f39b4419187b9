//! Recipes as TOML text: reading with all mistakes and their lines, and writing.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::Recipe;
use crate::settings::{self, Mistake, Problem, inline};

/// All mistakes of a recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct RecipeErrors {
    /// The file that it was read from.
    pub origin: Option<PathBuf>,
    /// What is wrong, in the order of the lines.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for RecipeErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            let separator = if index > 0 { "\n" } else { "" };
            match (&self.origin, mistake.line) {
                (Some(origin), Some(line)) => write!(f, "{separator}{}:{line}: {mistake}", origin.display())?,
                (Some(origin), None) => write!(f, "{separator}{}: {mistake}", origin.display())?,
                (None, Some(line)) => write!(f, "{separator}line {line}: {mistake}")?,
                (None, None) => write!(f, "{separator}{mistake}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for RecipeErrors {}

impl Recipe {
    /// Reads a recipe; `origin` is the file that errors name.
    ///
    /// # Errors
    /// All mistakes at once: of syntax; or else unknown keys, wrong types and values out of range.
    pub fn parse(text: &str, origin: Option<&Path>) -> Result<Recipe, RecipeErrors> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let line = |offset: usize| 1 + text[..offset].matches('\n').count();
        let syntax = |error: toml::de::Error| Mistake {
            key: String::new(),
            line: error.span().map(|span| line(span.start)),
            problem: Problem::Syntax { message: error.message().to_owned() },
        };
        let table = if errors.is_empty() {
            Table::deserialize(toml::de::Deserializer::from(document.clone())).map_err(|error| vec![syntax(error)])
        } else {
            Err(errors.into_iter().map(syntax).collect())
        };
        let recipe = table.and_then(|table| {
            settings::read(Value::Table(table), Recipe::check_ranges).map_err(|mut mistakes| {
                for mistake in &mut mistakes {
                    mistake.line = offset_of(document.get_ref(), &mistake.key).map(line);
                }
                mistakes
            })
        });
        recipe.map_err(|mut mistakes| {
            mistakes.sort_by_key(|mistake| mistake.line);
            RecipeErrors { origin: origin.map(Path::to_owned), mistakes }
        })
    }

    /// The recipe as TOML, with every field that has a value; made to be read by people, too.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let recipe = serde_json::to_value(self).unwrap_or_default();
        let present = |table: &serde_json::Map<String, Json>| -> Vec<String> {
            let present = table.iter().filter(|(_, value)| !value.is_null());
            present.map(|(key, value)| format!("{key} = {}\n", inline(value))).collect()
        };
        let mut section = |header: String, lines: Vec<String>| {
            if !lines.is_empty() {
                // Writing to a string can't fail.
                let _ = write!(text, "{header}{}", lines.concat());
            }
        };
        for (key, value) in recipe.as_object().into_iter().flatten() {
            match value {
                Json::Null => {}
                Json::Object(table) => section(format!("\n[{key}]\n"), present(table)),
                Json::Array(tables) => {
                    for table in tables.iter().filter_map(Json::as_object) {
                        section(format!("\n[[{key}]]\n"), present(table));
                    }
                }
                value => section(String::new(), vec![format!("{key} = {}\n", inline(value))]),
            }
        }
        text
    }
}

/// Where the deepest known part of a dotted path stands.
fn offset_of(document: &DeTable<'_>, path: &str) -> Option<usize> {
    let mut keys = path.split('.');
    let first = keys.next()?;
    let (key, mut value) = document.get_key_value(first)?;
    let mut offset = key.span().start;
    for key in keys {
        let found = match value.get_ref() {
            DeValue::Table(table) => table.get_key_value(key).map(|(key, value)| (key.span().start, value)),
            DeValue::Array(list) => {
                key.parse().ok().and_then(|index: usize| list.get(index)).map(|value| (value.span().start, value))
            }
            _ => None,
        };
        let Some((start, inner)) = found else { break };
        (offset, value) = (start, inner);
    }
    Some(offset)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{LimitPerClass, Validation};
    use crate::graph::{Activation, Cut};
    use crate::head::{Head, HeadLayer};
    use crate::image::{Decoding, Resize};
    use crate::loss::{ClassWeights, LossConfig};
    use crate::optim::{Adam, OptimizerConfig, Sgd};
    use crate::recipe::{Augment, BatchNorm, Data, EarlyStopping, Epochs, Monitor, Precision, Stage, Weights};
    use crate::schedule::{CosineDecay, Schedule};

    fn parse(text: &str) -> Result<Recipe, String> {
        Recipe::parse(text, Some(Path::new("r.toml"))).map_err(|errors| errors.to_string())
    }

    #[test]
    fn an_empty_recipe_is_the_default() {
        assert_eq!(parse(""), Ok(Recipe::default()));
    }

    #[test]
    fn the_default_says_everything() {
        insta::assert_snapshot!(Recipe::default().resolved().to_toml(), @r#"
        seed = 42
        backbone = "efficientnet_lite0.imagenet"
        weights = "pretrained"
        input_size = 224
        batch_size = 32
        precision = "f32"
        base_learning_rate = 0.001

        [data]
        validation = "auto"

        [preprocess]
        decode = "full"
        resize = "bilinear_antialias"

        [augment]
        pipeline = "auto"
        seed = 0
        mixup = 0.0
        cutmix = 0.0

        [head]
        layers = [{ dense = 256, activation = "relu" }, { dropout = 0.3 }]

        [loss]
        label_smoothing = 0.0
        class_weights = "none"

        [[stages]]
        name = "feature_extraction"
        epochs = 5
        learning_rate = 0.001
        optimizer = { adam = { beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7, amsgrad = false } }
        batch_norm = "inference"

        [[stages]]
        name = "fine_tuning"
        epochs = 5
        last = 30
        learning_rate = 0.0001
        optimizer = { adam = { beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7, amsgrad = false } }
        batch_norm = "inference"
        "#);
    }

    #[test]
    fn a_recipe_is_read_as_it_is_meant() {
        let text = r#"
            seed = 7
            backbone = "efficientnet_b0.keras_imagenet"
            augment = "none"

            [data]
            path = "cifar-10-binary.tar.gz"
            classes = ["airplane", "automobile"]
            validation = "test"

            [head]
            layers = [{ dense = 64, activation = "swish" }, { dropout = 0.5 }]

            [[stages]]
            epochs = { max = 30, until = "converged" }

            [[stages]]
            last = 30
            learning_rate = { cosine_decay = { initial_learning_rate = 1e-4, alpha = 0.01 } }
            optimizer = { adamw = {} }
            early_stopping = { patience = 2, restore_best_weights = true }

            [[stages]]
            name = "full_fine_tuning"
            epochs = 2
            optimizer = "sgd"
            batch_norm = "batch_statistics"
        "#;
        let recipe = parse(text).unwrap();
        let (monitor, patience, min_delta) = (Monitor::ValLoss, 3, 1e-3);
        let cosine = Schedule::CosineDecay(CosineDecay { alpha: 0.01, ..CosineDecay::new(1e-4) });
        let stages = [
            Stage::feature_extraction(5).epochs(Epochs::UntilConverged { max: 30, monitor, patience, min_delta }),
            Stage::fine_tuning(5)
                .learning_rate(cosine)
                .optimizer(OptimizerConfig::Adamw(Adam { weight_decay: Some(0.004), ..Adam::default() }))
                .early_stopping(EarlyStopping { patience: 2, restore_best_weights: true, ..EarlyStopping::default() }),
            Stage::full_fine_tuning(2)
                .optimizer(OptimizerConfig::Sgd(Sgd::default()))
                .batch_norm(BatchNorm::BatchStatistics),
        ];
        let mut expected = Recipe::default().seed(7).backbone("efficientnet_b0.keras_imagenet").stages(stages);
        expected.augment.pipeline = "none".to_owned();
        expected.data = Data {
            path: Some("cifar-10-binary.tar.gz".into()),
            classes: vec!["airplane".to_owned(), "automobile".to_owned()],
            validation: Validation::Test,
            ..Data::default()
        };
        let dense = HeadLayer::Dense { units: 64, activation: Activation::Swish };
        expected.head = Head { layers: vec![dense, HeadLayer::Dropout(0.5)] };
        assert_eq!(recipe, expected);
    }

    #[test]
    fn all_mistakes_come_at_once_with_their_lines() {
        let text = r#"sed = 7
seed = -1
backbone = "efficientnet_lite9"
batch_size = "many"
input_size = 8

[data]
validaton = "test"
validation = 1.5
limit = { train = 0 }
classes = ["a", "b", "a"]

[preprocess]
resize = "bicubik"

[augment]
views = 0
pipeline = "flip|rotat(15)"
mixup = -0.2
[head]
layers = [
    { dense = 0 },
    { dropout = 1.0 },
    { dense = 3, dropout = 0.1 },
    { dense = 3, activation = "rleu" },
]

[loss]
label_smoothing = 2
class_weights = "balance"

[[stages]]
epochs = 0
lr = 1e-3

[[stages]]
last = 30
from = "block6d"

[[stages]]
from = "blok6d"
epochs = { max = 3 }
optimizer = { adam = { beta1 = 0.5, clipnorm = 1, clipvalue = 1 } }

[[stages]]
last = 900
learning_rate = { cosine_decay = { initial_learning_rate = 1e-4, decay_steps = 0 } }
epochs = { max = 3, until = "converged" }
early_stopping = { monitor = "val_los" }
"#;
        insta::assert_snapshot!(parse(text).unwrap_err(), @r#"
        r.toml:1: unknown key `sed`; did you mean `seed`?
        r.toml:2: `seed` must be a whole number of at least 0; got -1
        r.toml:3: `backbone` must be one that `defrost backbones` lists; got `efficientnet_lite9`; did you mean `efficientnet_lite0.imagenet`?
        r.toml:4: `batch_size` must be a whole number of at least 0; got "many"
        r.toml:5: `input_size` must be from 32 to 4096; got 8
        r.toml:8: unknown key `data.validaton`; did you mean `data.validation`?
        r.toml:9: `data.validation` must be "auto", "test" or a number between 0 and 1; got 1.5
        r.toml:10: `data.limit.train` must be at least 1; got 0
        r.toml:11: `data.classes` must be a list without repetitions; got "a"
        r.toml:14: `preprocess.resize` must be one of `bilinear`, `bilinear_antialias`, `nearest`, `area`, `bicubic`, `bicubic_antialias`, `lanczos3_antialias`; got `bicubik`; did you mean `bicubic`?
        r.toml:17: `augment.views` must be from 1 to 1000; got 0
        r.toml:18: `augment.pipeline` must be made of auto, flip, flip_vertical, shift, rotate, shear, zoom, crop, brightness, contrast, saturation, hue, erase, rand_augment, trivial_augment, none, light, standard; got `rotat`; did you mean `rotate`?
        r.toml:19: `augment.mixup` must be from 0 (off) to 1000; got -0.2
        r.toml:22: `head.layers.0.dense` must be from 1 to 65536; got 0
        r.toml:23: `head.layers.1.dropout` must be at least 0 and < 1; got 1.0
        r.toml:24: `head.layers.2` is two layers, `dense` and `dropout`; write one after the other
        r.toml:25: `head.layers.3.activation` must be one of `linear`, `relu`, `relu6`, `silu`, `swish`, `sigmoid`, `softmax`; got `rleu`; did you mean `relu`?
        r.toml:29: `loss.label_smoothing` must be at least 0 and < 1; got 2.0
        r.toml:30: `loss.class_weights` must be "none", "balanced" or a list with one number a class; got "balance"
        r.toml:33: `stages.0.epochs` must be from 1 to 100000; got 0
        r.toml:34: unknown key `stages.0.lr`; did you mean `stages.0.learning_rate`?
        r.toml:36: `stages.1` has more than one cut, `last` and `from`; keep one
        r.toml:42: `stages.2.epochs.until` is missing
        r.toml:43: unknown key `stages.2.optimizer.adam.beta1`; did you mean `stages.2.optimizer.adam.beta_1`?
        r.toml:43: `stages.2.optimizer.adam.clipvalue` and `clipnorm` exclude each other; keep one
        r.toml:45: `stages.3.name` must be a name that no earlier stage has; got "fine_tuning"
        r.toml:47: `stages.3.learning_rate.cosine_decay.decay_steps` must be > 0; got 0
        r.toml:49: `stages.3.early_stopping.monitor` must be one of `val_loss`, `val_accuracy`, `loss`, `accuracy`; got `val_los`; did you mean `val_loss`?
        "#);
    }

    #[test]
    fn all_syntax_errors_come_at_once() {
        insta::assert_snapshot!(parse("seed = \nbatch_size = 3 4\nseed = 5\n[data\n").unwrap_err(), @r"
        r.toml:1: string values must be quoted, expected literal string
        r.toml:2: string values must be quoted, expected literal string
        r.toml:3: duplicate key
        r.toml:4: unclosed table, expected `]`
        ");
    }

    #[test]
    fn hostile_texts_are_errors() {
        let deep = format!("seed = {}", "[".repeat(10_000));
        let texts = [
            "seed = nan",
            "stages = 3",
            "stages = [3]",
            "stages.1 = 2",
            "\u{0}",
            &deep,
            "a.b.c.d = 1",
            "stages = [[]]",
        ];
        for text in texts {
            assert!(parse(text).is_err(), "{text:.40}");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_run() {
        let spelled =
            parse("base_learning_rate = 0.001\n[[stages]]\n[[stages]]\nlast = 30\nlearning_rate = 1e-4").unwrap();
        assert_eq!(spelled.hash(), Recipe::default().hash());
        assert_ne!(Recipe::default().seed(1).hash(), Recipe::default().hash());
        let expecting = parse("[expect]\nval_accuracy = [0.8, 0.9]").unwrap();
        assert_eq!(expecting.expect.val_accuracy, Some((0.8, 0.9)));
        assert_eq!(expecting.hash(), Recipe::default().hash());
        assert_eq!(parse(&expecting.to_toml()), Ok(expecting));
        let error = parse("[expect]\nval_accuracy = [0.9, 0.8]").unwrap_err();
        assert_eq!(error, "r.toml:2: `expect.val_accuracy` must be [low, high], shares from 0 to 1; got [0.9, 0.8]");
        assert_eq!(Recipe::default().resolved().resolved(), Recipe::default().resolved());
    }

    fn stage() -> impl Strategy<Value = Stage> {
        let cut = prop_oneof![
            Just(Cut::Head),
            Just(Cut::All),
            (1..140_usize).prop_map(Cut::Last),
            (0.01..1.0).prop_map(Cut::Fraction),
            "block(1a|2b|6d)".prop_map(Cut::From),
        ];
        let name = prop_oneof![Just("full_fine_tuning".to_owned()), Just("fine_tuning".to_owned()), "\\PC{1,8}"];
        let epochs = prop_oneof![
            (1..100_usize).prop_map(Epochs::Exactly),
            (1..100_usize, 0..9_usize, 0.0..1.0).prop_map(|(max, patience, min_delta)| Epochs::UntilConverged {
                max,
                monitor: Monitor::ValAccuracy,
                patience,
                min_delta,
            }),
        ];
        let learning_rate = proptest::option::of(prop_oneof![
            (0.0..0.1).prop_map(Schedule::from),
            (0.0..0.1, proptest::option::of(1..1000_u32)).prop_map(|(rate, decay_steps)| {
                Schedule::CosineDecay(CosineDecay { decay_steps, ..CosineDecay::new(rate) })
            }),
        ]);
        let optimizer = prop_oneof![
            Just(OptimizerConfig::default()),
            (0.0..1.0).prop_map(|decay| OptimizerConfig::Adamw(Adam { weight_decay: Some(decay), ..Adam::default() })),
        ];
        (cut, name, epochs, learning_rate, optimizer, any::<bool>()).prop_map(
            |(cut, name, epochs, learning_rate, optimizer, more)| Stage {
                name,
                epochs,
                cut,
                learning_rate,
                optimizer,
                batch_norm: more.then_some(BatchNorm::BatchStatistics),
                early_stopping: (more && matches!(epochs, Epochs::Exactly(_))).then(EarlyStopping::default),
            },
        )
    }

    prop_compose! {
        fn recipe()(
            seed in 0..u64::try_from(i64::MAX).unwrap(),
            base_learning_rate in 1e-9..1e3,
            path in proptest::option::of("\\PC{1,12}"),
            shares in (0.01..0.99_f32, 0.0..0.99_f32, 0.0..0.99),
            sizes in (32..600_usize, 1..999_usize),
            more in any::<bool>(),
            stages in proptest::collection::vec(stage(), 0..4),
        ) -> Recipe {
            let some = more.then_some(sizes.1);
            let mut names = std::collections::BTreeSet::new();
            let stages = stages.into_iter().filter(|stage| names.insert(stage.name.clone())).collect();
            Recipe {
                seed,
                weights: if more { Weights::None } else { Weights::File("a b.h5".into()) },
                input_size: more.then_some(sizes.0),
                batch_size: sizes.1,
                precision: if more { Precision::Bf16 } else { Precision::F32 },
                base_learning_rate,
                data: Data {
                    path: path.clone().map(Into::into),
                    classes: path.into_iter().collect(),
                    validation: Validation::Fraction(shares.0),
                    shuffle_buffer: some,
                    limit: LimitPerClass { train: some, ..LimitPerClass::default() },
                    ..Data::default()
                },
                preprocess: crate::recipe::Preprocess { decode: Decoding::Scaled, resize: Resize::Bilinear },
                augment: Augment { views: some, seed, mixup: shares.2, ..Augment::default() },
                head: Head { layers: vec![HeadLayer::Dropout(shares.1)] },
                loss: LossConfig { label_smoothing: shares.2, class_weights: ClassWeights::Values(vec![shares.2, 1.0]) },
                stages,
                ..Recipe::default()
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(recipe in recipe()) {
            let text = recipe.to_toml();
            prop_assert_eq!(Recipe::parse(&text, None).map_err(|errors| format!("{errors}\n{text}")), Ok(recipe.clone()));
            prop_assert_eq!(recipe.resolved().hash(), recipe.hash());
        }
    }
}
