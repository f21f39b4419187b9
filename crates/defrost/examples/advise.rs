//! Asks which strategy suits a data set: `cargo run --release -p defrost --example advise -- photos/`
//!
//! Prints the sentence, the reasons with their figures, and the recipe.

#![expect(clippy::print_stdout, reason = "a program's output")]

use std::error::Error;

use defrost::advise::advise;
use defrost::backbone;
use defrost::data;
use defrost::model::{Layout, Model};
use defrost::progress::Progress;
use defrost::recipe::Recipe;
use defrost::weights;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: advise DATA")?;
    let mut recipe = Recipe::default();
    let data = data::open(&path, &recipe.data.options(recipe.seed, false))?;
    recipe.data.path = Some(path.into());

    let backbone = backbone::find(&recipe.backbone)?;
    let graph = backbone.graph(backbone.input_size);
    let embedded = defrost_weights::efficientnet_lite0();
    let loaded = weights::load_bytes(backbone.id, embedded, &graph, &|name| backbone.rename(name))?;
    let classes = data.classes.len();
    let mut model = Model::new(backbone, Layout::Pretrained, backbone.input_size, &recipe.head, classes, recipe.seed);
    model.params.extend(loaded.params);

    let advice = advise(&data, &model, &recipe, Progress::none())?;
    println!("{advice}");
    for reason in &advice.reasons {
        println!("- {reason}");
    }
    println!("\n{}", advice.recipe.to_toml());
    Ok(())
}
