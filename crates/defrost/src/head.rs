//! The new layers on top of a backbone: GlobalAveragePooling → Dense(256, relu) → Dropout(0.3) → Dense(num_classes, softmax).

use crate::graph::{Activation, Builder, Graph};

/// One configurable layer between the pooling and the classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HeadLayer {
    /// `activation(x · kernel + bias)`
    Dense {
        /// Outputs.
        units: usize,
        /// Applied last.
        activation: Activation,
    },
    /// Zeroes a share of the inputs in training.
    Dropout(f32),
}

/// The layers between pooling and classifier; the classifier itself follows from the number of classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// In order, after the pooling.
    pub layers: Vec<HeadLayer>,
}

impl Default for Head {
    /// The notebook's: Dense(256, relu) → Dropout(0.3).
    fn default() -> Head {
        Head { layers: vec![HeadLayer::Dense { units: 256, activation: Activation::Relu }, HeadLayer::Dropout(0.3)] }
    }
}

impl Head {
    /// Puts the head on `backbone`. Layers are called `gap`, `dense_1`, `dropout`, …, `classifier`; the classifier gives
    /// logits' softmax.
    pub fn attach(&self, backbone: Graph, num_classes: usize) -> Graph {
        let (mut g, x) = Builder::extend(backbone);
        let mut x = g.global_average_pooling("gap", x);
        let (mut dense, mut dropout) = (0, 0);
        for layer in &self.layers {
            x = match *layer {
                HeadLayer::Dense { units, activation } => {
                    dense += 1;
                    g.dense(&format!("dense_{dense}"), x, units, activation)
                }
                HeadLayer::Dropout(rate) => {
                    dropout += 1;
                    let name = if dropout == 1 { "dropout".to_owned() } else { format!("dropout_{dropout}") };
                    g.dropout(&name, x, rate)
                }
            };
        }
        g.dense("classifier", x, num_classes, Activation::Softmax);
        g.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone;

    #[test]
    fn the_default_head_has_the_notebooks_parameters() {
        let backbone = backbone::find("efficientnet_b0").unwrap().graph(224);
        let base = backbone.len();
        let model = Head::default().attach(backbone, 5);
        let names: Vec<&str> = model.layers()[base..].iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(names, ["gap", "dense_1", "dropout", "classifier"]);
        assert_eq!(model.param_count(), 4_378_792);
    }
}
