//! What a finished network sees in the pictures that it has learned from, for telling foreign ones.

use rayon::prelude::*;

use super::Job;
use super::rows::StageRows;
use crate::data::evenly;
use crate::exec::cpu::{Engine, Program};
use crate::familiar::{Familiar, MOST_HELD_OUT, MOST_LEARNED};
use crate::features::{FeaturesError, Pictures, RowNumber, Rows, Side};
use crate::graph::Tap;
use crate::progress::Progress;
use crate::train::{RowSource as _, TrainError};

/// Rows that are read at once.
const CHUNK: usize = 64;

impl Job {
    /// Takes some training and validation pictures from the last stage's rows to the pooled features.
    pub(super) fn familiar(
        &self,
        source: &mut StageRows,
        pictures: &Pictures,
        progress: Progress<'_>,
    ) -> Result<Option<Familiar>, TrainError> {
        let last = self.stages.len() - 1;
        let rows = source.rows(last, &self.model, progress)?;
        let pooled = Tap(self.model.backbone_layers);
        let tap = self.stages[last].tap;
        let rest =
            (tap < pooled).then(|| Program::new(&self.model.graph, &self.model.params, tap, pooled, Engine::default()));
        let features = |side: Side, most: usize| -> Result<Vec<f32>, TrainError> {
            let plain = |&(picture, _): &(usize, usize)| pictures.rows_of(picture).start;
            let numbers: Vec<RowNumber> = pictures.readable(side).iter().map(plain).collect();
            let mut features = Vec::new();
            for chunk in evenly(numbers, most).chunks(CHUNK) {
                if progress.cancelled() {
                    return Err(TrainError::Cancelled);
                }
                features.extend(pooled_features(&rows, chunk, rest.as_ref())?);
            }
            Ok(features)
        };
        let (learned, held_out) = (features(Side::Train, MOST_LEARNED)?, features(Side::Validation, MOST_HELD_OUT)?);
        let dimensions: usize = self.model.graph.layers()[pooled.0].output_shape.iter().product();
        Ok(Familiar::fit(&learned, &held_out, dimensions))
    }
}

fn pooled_features(rows: &Rows, numbers: &[RowNumber], rest: Option<&Program>) -> Result<Vec<f32>, FeaturesError> {
    let values = rows.read(numbers)?;
    let Some(program) = rest else { return Ok(values) };
    let mut features = vec![0.0; numbers.len() * program.output_len()];
    features
        .par_chunks_exact_mut(program.output_len())
        .zip(values.par_chunks_exact(program.input_len()))
        .for_each_init(|| program.arena(), |arena, (output, input)| program.run(input, arena, output));
    Ok(features)
}
