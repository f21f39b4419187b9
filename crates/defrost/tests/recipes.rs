//! The recipes that come with the project are sound, and say what they are meant to say.

use std::path::{Path, PathBuf};

use defrost::data::Validation;
use defrost::graph::Cut;
use defrost::image::Resize;
use defrost::recipe::{BatchNorm, Recipe, Stage, Warning, Weights};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes")
}

fn recipe(name: &str) -> Recipe {
    let path = folder().join(name);
    Recipe::parse(&std::fs::read_to_string(&path).expect("it is one of ours"), Some(&path))
        .unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn every_recipe_is_sound_and_states_its_data_command_and_result() {
    let mut tried = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let recipe = recipe(&name);
        let expected: &[Warning] = match name.as_str() {
            "notebook.toml" => &[Warning::TestIsValidation, Warning::ShuffleBuffer { pictures: 1000 }],
            _ => &[],
        };
        assert_eq!(recipe.warnings(), expected, "{name}");
        assert_eq!(Recipe::parse(&recipe.resolved().to_toml(), None), Ok(recipe.resolved()), "{name}");
        let text = std::fs::read_to_string(folder().join(&name)).unwrap();
        for part in ["# Data ", "# Command  defrost train ", "# Expect "] {
            assert!(text.contains(part), "{name} lacks `{part}`");
        }
        tried += 1;
    }
    assert!(tried >= 4, "{tried}");
}

#[test]
fn the_notebooks_protocol_is_the_chapters() {
    let recipe = recipe("notebook.toml").resolved();
    assert_eq!(recipe.backbone, "efficientnet_b0.keras_imagenet");
    assert_eq!((recipe.weights, recipe.input_size, recipe.batch_size), (Weights::Pretrained, Some(224), 32));
    assert_eq!(recipe.data.classes, ["airplane", "automobile", "bird", "cat", "deer"]);
    assert_eq!((recipe.data.validation, recipe.data.shuffle_buffer), (Validation::Test, Some(1000)));
    assert_eq!((recipe.augment.pipeline.as_str(), recipe.preprocess.resize), ("none", Resize::Bilinear));
    assert_eq!(recipe.head, defrost::head::Head::default());
    let stages = [
        Stage::feature_extraction(5).learning_rate(1e-3).batch_norm(BatchNorm::Inference),
        Stage::fine_tuning(5).last(30).learning_rate(1e-4).batch_norm(BatchNorm::Inference),
    ];
    assert_eq!(recipe.stages, stages);
}

#[test]
fn training_from_scratch_trains_everything_on_batch_statistics() {
    let recipe = recipe("scratch.toml");
    let [stage] = recipe.stages.as_slice() else { panic!("{:?}", recipe.stages) };
    assert_eq!(
        (&recipe.weights, &stage.cut, stage.batch_norm),
        (&Weights::None, &Cut::All, Some(BatchNorm::BatchStatistics))
    );
}
