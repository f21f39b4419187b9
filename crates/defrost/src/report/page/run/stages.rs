//! The stages as they were run.

use serde::Serialize;

use super::words::words;
use super::{StageReport, percent};
use crate::graph::human_count;
use crate::report::Lang;

#[derive(Serialize)]
pub(super) struct StageCard {
    name: String,
    lines: Vec<Line>,
    frozen_share: String,
    thawed_share: String,
    strip: String,
}

#[derive(Serialize)]
struct Line {
    name: &'static str,
    value: String,
    tone: &'static str,
}

pub(super) fn stage_card(stage: &StageReport, lang: Lang) -> StageCard {
    let words = words(lang);
    let line = |name, value| Line { name, value, tone: "" };
    let cut = match &stage.first_layer {
        Some(layer) => format!("{} ({layer})", stage.cut),
        None => stage.cut.clone(),
    };
    let held = stage.unchanged == stage.frozen_tensors;
    let thawed = 100.0 * stage.trainable_layers as f64 / stage.layers.max(1) as f64;
    StageCard {
        name: lang.stage(&stage.name).to_owned(),
        lines: vec![
            line(words.cut, cut),
            line(words.learning_rate, stage.learning_rate.clone()),
            line(words.optimizer, stage.optimizer.to_owned()),
            line(words.epochs, stage.epochs.to_string()),
            line(words.time, lang.duration(stage.seconds)),
            line(
                words.parameters,
                lang.of_all(&human_count(stage.trainable_parameters), &human_count(stage.parameters)),
            ),
            line(words.accuracy_after, format!("{} %", percent(stage.val_accuracy))),
            Line {
                name: words.proof,
                value: lang.unchanged(stage.unchanged, stage.frozen_tensors),
                tone: if held { "good" } else { "fault" },
            },
        ],
        frozen_share: format!("{:.2}", 100.0 - thawed),
        thawed_share: format!("{thawed:.2}"),
        strip: lang.layers_frozen(stage.layers - stage.trainable_layers, stage.layers),
    }
}
