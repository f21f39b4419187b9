//! A model card (Mitchell et al. 2019): what a classifier tells apart, how good it is, what it needs and how to use it.
//!
//! Everything in it is the classifier's own: nothing is asked of the pictures or the clock, so the same classifier has the same
//! card.

use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;

use super::preprocessing::Preprocessing;
use super::timm::Classifier;
use super::{OPSET, licence};
use crate::artefact::{Artefact, Figures, Origin};
use crate::calibrate::Calibration;
use crate::graph::human_count;
use crate::image::Resize;
use crate::model::Model;
use crate::report::Lang;

/// What the templates name.
#[derive(Serialize)]
struct Card<'a> {
    backbone: &'a str,
    classes: &'a [String],
    parameters: String,
    head: Vec<&'a str>,
    input_size: usize,
    resize: &'a str,
    resized: String,
    mean: String,
    std: String,
    figures: Option<Figures>,
    temperature: f64,
    calibration: Option<&'a Calibration>,
    origin: Option<&'a Origin>,
    licence: Option<&'a str>,
    weights_hash: &'a str,
    recipe: &'a str,
    timm: &'a str,
    classifier: String,
    opset: i64,
    version: &'a str,
}

/// The text, in Markdown.
///
/// # Errors
/// When the template has a mistake.
pub(super) fn write(artefact: &Artefact, model: &Model, lang: Lang) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.add_filter("percent", |share: f64| format!("{:.1}", 100.0 * share));
    environment.add_filter("decimals", |value: f64, places: usize| format!("{value:.places$}"));
    let template = match lang {
        Lang::English => include_str!("card.en.md"),
        Lang::Korean => include_str!("card.ko.md"),
    };
    environment.add_template("card", template)?;
    let preprocessing = Preprocessing::of(model);
    let list = |values: [f64; 3]| values.map(|value| format!("{value:.3}")).join(", ");
    let card = Card {
        backbone: &artefact.backbone,
        classes: &artefact.classes,
        parameters: human_count(model.graph.param_count()),
        head: model.graph.layers()[model.backbone_layers..].iter().map(|layer| layer.name.as_str()).collect(),
        input_size: artefact.input_size,
        resize: artefact.resize.name(),
        resized: resized(artefact),
        mean: list(preprocessing.mean()),
        std: list(preprocessing.std()),
        figures: artefact.figures,
        temperature: artefact.temperature(),
        calibration: artefact.calibration.as_ref(),
        origin: artefact.origin.as_ref(),
        licence: licence(artefact),
        weights_hash: &artefact.weights_hash,
        recipe: artefact.recipe.trim_end(),
        timm: model.backbone.timm(),
        classifier: Classifier::of(model).python,
        opset: OPSET,
        version: env!("CARGO_PKG_VERSION"),
    };
    let text = environment.get_template("card")?.render(Value::from(Serde(card)))?;
    Ok(format!("{}\n", text.trim_end()))
}

/// The Python expression that brings `picture` to the network's size; Pillow rounds to whole values, which we don't.
fn resized(artefact: &Artefact) -> String {
    let size = artefact.input_size;
    let pillow = |filter: &str| format!("picture.resize(({size}, {size}), Image.{filter})");
    let tensorflow = |method: &str| format!("tf.image.resize(picture, ({size}, {size}), \"{method}\")");
    match artefact.resize {
        Resize::BilinearAntialias => pillow("BILINEAR"),
        Resize::BicubicAntialias => pillow("BICUBIC"),
        Resize::Lanczos3Antialias => pillow("LANCZOS"),
        Resize::Nearest => tensorflow("nearest"),
        Resize::Area => tensorflow("area"),
        Resize::Bilinear => tensorflow("bilinear"),
        Resize::Bicubic => tensorflow("bicubic"),
    }
}
