//! The batches of an epoch: rows read for a step, mixed where the recipe asks for it.
//!
//! Invariant: a batch is a function of the rows and its position, so that it can be read ahead and again after a stop.

use crate::augment::{Mixed, Mixing, Position};
use crate::features::{FeaturesError, Rows};
use crate::loss::{CrossEntropy, Target};

/// Reads the training batches of a stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Feed<'a> {
    pub(super) rows: &'a Rows,
    pub(super) mixing: Mixing,
    /// The run's.
    pub(super) seed: u64,
    /// Positions of a row, down and across.
    pub(super) grid: [usize; 2],
    pub(super) classes: usize,
}

/// What one step trains on.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) rows: Vec<f32>,
    labels: Vec<usize>,
    /// `[rows, classes]`; `None` where the labels say all.
    shares: Option<Vec<f32>>,
    /// How much each picture counts.
    weights: Vec<f32>,
}

impl Feed<'_> {
    /// The rows of `pictures`, (number, label) each, for a step of an epoch, both from 0.
    pub(super) fn read(&self, pictures: &[(usize, usize)], epoch: usize, step: usize) -> Result<Batch, FeaturesError> {
        let rows = read_rows(self.rows, pictures, epoch)?;
        let labels: Vec<usize> = pictures.iter().map(|&(_, label)| label).collect();
        let weights: Vec<f32> = pictures.iter().map(|&(picture, _)| self.rows.pictures().weight(picture)).collect();
        if self.mixing.is_off() {
            return Ok(Batch { rows, labels, shares: None, weights });
        }
        let position = Position { seed: self.seed, epoch: epoch as u64, step: step as u64 };
        let Mixed { rows, targets, partners } = self.mixing.mix(&rows, &labels, self.classes, self.grid, position);
        let mixed = |(own, (partner, share)): (&f32, &(usize, f32))| share * own + (1.0 - share) * weights[*partner];
        let weights = weights.iter().zip(&partners).map(mixed).collect();
        Ok(Batch { rows, labels, shares: Some(targets), weights })
    }
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The loss of picture `i`, times its weight, and its part of the gradient of the batch's loss.
    ///
    /// The sum is divided by the number of pictures, not by the sum of their weights: `Σ wᵢ · lossᵢ / n`, as Keras does with
    /// `sample_weight` and its reduction `sum_over_batch_size` (`keras.losses.Loss`).
    pub(super) fn loss(&self, i: usize, loss: &CrossEntropy, logits: &[f32], gradient: &mut [f32]) -> f32 {
        let value = loss.forward_backward(logits, self.target(i), self.len(), gradient);
        gradient.iter_mut().for_each(|gradient| *gradient *= self.weights[i]);
        value * self.weights[i]
    }

    /// What picture `i` should be.
    pub(super) fn target(&self, i: usize) -> Target<'_> {
        match &self.shares {
            None => Target::Class(self.labels[i]),
            Some(shares) => {
                let classes = shares.len() / self.labels.len();
                Target::Distribution(&shares[i * classes..][..classes])
            }
        }
    }
}

/// The rows of pictures, on the view that the epoch (from 0) trains on.
pub(super) fn read_rows(rows: &Rows, pictures: &[(usize, usize)], epoch: usize) -> Result<Vec<f32>, FeaturesError> {
    let numbers: Vec<usize> = pictures
        .iter()
        .map(|&(picture, _)| {
            let own = rows.pictures().rows_of(picture);
            own.start + epoch % own.len()
        })
        .collect();
    rows.read(&numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_act_as_keras_sample_weight() {
        let goldens: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/goldens/optim/losses.json")).unwrap();
        let golden = &goldens["class_weight_and_sample_weight"];
        let floats = |key: &str| -> Vec<f32> {
            golden[key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
        };
        let (losses, weights) = (floats("per_sample"), floats("weights"));
        let batch = Batch { rows: Vec::new(), labels: vec![0; losses.len()], shares: None, weights: weights.clone() };
        let plain = CrossEntropy::plain(2);
        let mut sum = 0.0;
        for (i, loss) in losses.iter().enumerate() {
            // Of two logits (x, 0), x at the class, the loss is ln(1 + exp(−x)).
            let logits = [-(loss.exp() - 1.0).ln(), 0.0];
            let (mut gradient, mut unweighted) = ([0.0; 2], [0.0; 2]);
            sum += batch.loss(i, &plain, &logits, &mut gradient);
            plain.forward_backward(&logits, Target::Class(0), losses.len(), &mut unweighted);
            assert_eq!(gradient, unweighted.map(|gradient| gradient * weights[i]));
        }
        let expected = golden["model_loss"].as_f64().unwrap() as f32;
        assert!((sum / losses.len() as f32 - expected).abs() <= 1e-5 * expected, "{sum}, {expected}");
    }
}
