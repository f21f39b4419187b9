//! What a stage may change, and the proof that nothing else did.
//!
//! Before a stage, each backbone tensor that it may not change is hashed (BLAKE3); afterwards the hashes must be the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::shortened;
use crate::exec::cpu::BatchNormMode;
use crate::graph::CutPoint;
use crate::model::Model;
use crate::tensor::{Params, Tensor, hash_tensor};

/// Frozen tensors that a stage has changed.
#[derive(Debug, thiserror::Error)]
#[error(
    "stage {stage} changed {} frozen tensor(s): {}; this run's weights can't be trusted: delete the run and report this",
    tensors.len(),
    shortened(tensors, 3)
)]
pub struct FreezeError {
    /// The stage's name.
    pub stage: String,
    /// Names of the tensors.
    pub tensors: Vec<String>,
}

/// The hashes of the tensors that a stage may not change, taken before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    stage: String,
    backbone_tensors: usize,
    before: BTreeMap<String, String>,
}

/// One line of the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenTensor {
    /// `layer/variable`
    pub name: String,
    /// BLAKE3 before the stage.
    pub before: String,
    /// BLAKE3 after it.
    pub after: String,
}

/// The proof for one stage: an entry of `freezing.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenStage {
    /// The stage's name.
    pub stage: String,
    /// All tensors of the backbone.
    pub backbone_tensors: usize,
    /// Those that the stage may not change.
    pub frozen_tensors: usize,
    /// Those of them that are bit for bit the same.
    pub unchanged: usize,
    /// Each with its hashes.
    pub tensors: Vec<FrozenTensor>,
}

/// The backbone's tensors that a stage with this cut may not change. Moving statistics of thawed BatchNorm are among them,
/// unless the stage asks for batch statistics.
pub fn frozen_tensors(model: &Model, cut: CutPoint, mode: BatchNormMode) -> Vec<String> {
    let layers = model.graph.layers()[..model.backbone_layers].iter().enumerate();
    layers
        .flat_map(|(index, layer)| {
            let thawed = cut.trains(index);
            let statistics_move = mode == BatchNormMode::BatchStatistics && layer.op.class() == "BatchNormalization";
            let may_change = move |trainable: bool| thawed && (trainable || statistics_move);
            layer.params.iter().filter(move |param| !may_change(param.trainable)).map(|param| layer.param_name(param))
        })
        .collect()
}

impl Snapshot {
    /// Hashes what the stage called `stage` may not change.
    pub fn take(stage: &str, model: &Model, cut: CutPoint, mode: BatchNormMode) -> Snapshot {
        let before = frozen_tensors(model, cut, mode)
            .into_iter()
            .map(|name| {
                let hash = hash(&name, &model.params[&name]);
                (name, hash)
            })
            .collect();
        Snapshot { stage: stage.to_owned(), backbone_tensors: model.backbone_tensors().count(), before }
    }

    /// Compares with the tensors as they are now.
    ///
    /// # Errors
    /// When one of them has changed or is gone.
    pub fn verify(&self, params: &Params) -> Result<FrozenStage, FreezeError> {
        let tensors: Vec<FrozenTensor> = self
            .before
            .iter()
            .map(|(name, before)| {
                let after = params.get(name).map_or_else(String::new, |tensor| hash(name, tensor));
                FrozenTensor { name: name.clone(), before: before.clone(), after }
            })
            .collect();
        let changed: Vec<String> =
            tensors.iter().filter(|tensor| tensor.before != tensor.after).map(|tensor| tensor.name.clone()).collect();
        if !changed.is_empty() {
            return Err(FreezeError { stage: self.stage.clone(), tensors: changed });
        }
        Ok(FrozenStage {
            stage: self.stage.clone(),
            backbone_tensors: self.backbone_tensors,
            frozen_tensors: tensors.len(),
            unchanged: tensors.len(),
            tensors,
        })
    }
}

fn hash(name: &str, tensor: &Tensor) -> String {
    let mut hasher = blake3::Hasher::new();
    hash_tensor(&mut hasher, name, tensor);
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone;
    use crate::graph::Cut;
    use crate::head::Head;
    use crate::model::Layout;

    fn lite0() -> Model {
        let backbone = backbone::find("efficientnet_lite0").unwrap();
        Model::new(backbone, Layout::Pretrained, 32, &Head::default(), 5, 0)
    }

    #[test]
    fn the_notebooks_cut_freezes_216_of_lite0s_245_tensors() {
        let model = lite0();
        let cut = model.locate(&Cut::Last(30)).unwrap();
        assert_eq!(frozen_tensors(&model, cut, BatchNormMode::Inference).len(), 216);
        assert_eq!(model.backbone_tensors().count(), 245);
        // Each of the block's three thawed BatchNorms and those after it has two moving statistics.
        let thawed = model.graph.layers()[126..156].iter().filter(|layer| layer.op.class() == "BatchNormalization");
        let moving = 2 * thawed.count();
        assert_eq!(frozen_tensors(&model, cut, BatchNormMode::BatchStatistics).len(), 216 - moving);
    }

    #[test]
    fn one_flipped_bit_is_found() {
        let mut model = lite0();
        let cut = model.locate(&Cut::Last(30)).unwrap();
        let snapshot = Snapshot::take("fine_tuning", &model, cut, BatchNormMode::Inference);
        assert_eq!(snapshot.verify(&model.params).unwrap().unchanged, 216);
        let value = &mut model.params.get_mut("block3b_bn/moving_mean").unwrap().data_mut()[5];
        *value = f32::from_bits(value.to_bits() ^ 1);
        let error = snapshot.verify(&model.params).unwrap_err();
        assert_eq!(error.tensors, ["block3b_bn/moving_mean"]);
        assert!(error.to_string().contains("block3b_bn/moving_mean"), "{error}");
    }
}
