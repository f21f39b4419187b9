//! `defrost summary`: a backbone's layers, and what trains for a cut.

use defrost::backbone;
use defrost::graph::{Cut, Summary, human_count, layer_table};
use defrost::head::Head;
use serde::Serialize;

use crate::args;
use crate::failure::Failure;
use crate::terminal::Terminal;

#[derive(Serialize)]
struct Counts<'a> {
    backbone: &'a str,
    layers: usize,
    trainable_layers: usize,
    frozen_layers: usize,
    first_trainable_layer: Option<&'a str>,
    parameters: usize,
    trainable_parameters: usize,
    frozen_parameters: usize,
    trainable_tensors: usize,
    output_shape: &'a [usize],
}

pub(super) fn run(args: &args::Summary, terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let backbone = backbone::find(&args.backbone)?;
    let base = match args.weights {
        Some(_) => backbone.graph_from_scratch(backbone.input_size),
        None => backbone.graph(backbone.input_size),
    };
    let cut = args.cut.clone().unwrap_or(Cut::Head).locate(&base)?;
    let layers = base.len();
    let graph = match args.num_classes {
        Some(classes) => Head::default().attach(base, classes as usize),
        None => base,
    };
    let summary = Summary::new(&graph, layers, cut);
    if terminal.wants_json() {
        return terminal.json(&Counts {
            backbone: backbone.id,
            layers: summary.layers,
            trainable_layers: summary.trainable_layers,
            frozen_layers: summary.frozen_layers,
            first_trainable_layer: summary.first_trainable_layer.as_deref(),
            parameters: summary.parameters,
            trainable_parameters: summary.trainable_parameters,
            frozen_parameters: summary.frozen_parameters,
            trainable_tensors: summary.trainable_tensors,
            output_shape: &summary.output_shape,
        });
    }
    let first = summary.first_trainable_layer.as_deref().map(|layer| words.first_trainable(layer)).unwrap_or_default();
    let text = [
        layer_table(&graph, cut),
        words.layers(summary.layers, summary.frozen_layers, summary.trainable_layers) + &first,
        words.parameters(
            &human_count(summary.parameters),
            &human_count(summary.trainable_parameters),
            &human_count(summary.frozen_parameters),
            summary.trainable_percent(),
        ),
        words.output_shape(&summary.output_shape),
    ];
    terminal.data((text.join("\n") + "\n").as_bytes())?;
    if let Some(block) = cut.splits_block(&graph) {
        terminal.hint(words.cut_inside_block(block));
    }
    Ok(())
}
