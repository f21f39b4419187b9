//! What Keras' `summary()` and the notebook's cells print about a network.

use super::{CutPoint, Graph, Layer};

/// Counts of a backbone and, where there is one, its head, for one cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Layers of the backbone.
    pub layers: usize,
    /// Those from the cut on, with or without weights.
    pub trainable_layers: usize,
    /// Those before the cut.
    pub frozen_layers: usize,
    /// The first of the trainable ones.
    pub first_trainable_layer: Option<String>,
    /// Elements of all tensors, the head's included.
    pub parameters: usize,
    /// Those that an optimizer may change (no moving statistics).
    pub trainable_parameters: usize,
    /// The rest.
    pub frozen_parameters: usize,
    /// Tensors that an optimizer may change.
    pub trainable_tensors: usize,
    /// The backbone's output without the batch.
    pub output_shape: Vec<usize>,
}

impl Summary {
    /// Counts `graph`, whose first `backbone_layers` layers are the backbone.
    pub fn new(graph: &Graph, backbone_layers: usize, cut: CutPoint) -> Summary {
        let trainable: Vec<usize> = graph
            .layers()
            .iter()
            .enumerate()
            .filter(|(index, _)| cut.trains(*index))
            .flat_map(|(_, layer)| layer.params.iter().filter(|param| param.trainable).map(super::Param::len))
            .collect();
        let (parameters, trainable_parameters) = (graph.param_count(), trainable.iter().sum());
        let frozen_layers = cut.first_trainable.min(backbone_layers);
        Summary {
            layers: backbone_layers,
            trainable_layers: backbone_layers - frozen_layers,
            frozen_layers,
            first_trainable_layer: graph.layers()[..backbone_layers].get(frozen_layers).map(|layer| layer.name.clone()),
            parameters,
            trainable_parameters,
            frozen_parameters: parameters - trainable_parameters,
            trainable_tensors: trainable.len(),
            output_shape: graph.layers()[backbone_layers - 1].output_shape.clone(),
        }
    }

    /// Trainable parameters in per cent of all.
    pub fn trainable_percent(&self) -> f64 {
        100.0 * self.trainable_parameters as f64 / self.parameters as f64
    }
}

/// `4049571` as `4,049,571`.
pub fn human_count(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table as Keras prints it: layer (class), output shape, parameters, what it is connected to, and whether it trains.
pub fn layer_table(graph: &Graph, cut: CutPoint) -> String {
    let headings = ["layer (type)", "output shape", "param #", "connected to", "trainable"].map(str::to_owned);
    let mut rows = vec![headings];
    rows.extend(graph.layers().iter().enumerate().map(|(index, layer)| {
        [
            format!("{} ({})", layer.name, layer.op.class()),
            shape_text(layer),
            human_count(layer.param_count()),
            layer.inputs.iter().map(|&input| graph.layers()[input].name.as_str()).collect::<Vec<_>>().join(", "),
            if layer.params.is_empty() {
                "-"
            } else if cut.trains(index) {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
        ]
    }));
    let widths: [usize; 5] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .enumerate()
            .map(
                |(column, (cell, width))| {
                    if column == 2 { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                },
            )
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
        if number == 0 {
            text.push_str(&"─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
            text.push('\n');
        }
    }
    text
}

fn shape_text(layer: &Layer) -> String {
    let extents: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
    format!("(None, {})", extents.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 4_049_571].map(human_count), ["0", "999", "1,000", "4,049,571"]);
    }
}
