//! Cuts and taps: what trains, and which tensor is stored for it.
//!
//! A cut names the first trainable layer of the backbone. The **effective** cut is the first layer from there on that has
//! trainable parameters or is random in training. The **tap** is a function of shapes and multiply-adds alone: among the
//! tensors before the effective cut that every path crosses, with at most 5 % of the graph's multiply-adds between them and
//! the cut, the smallest; ties to the latest; if none qualifies, the latest.

use super::{Graph, LayerIndex, Op};
use crate::error::did_you_mean;

/// Which layers of a backbone train, in a recipe's words.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Cut {
    /// None: feature extraction.
    #[default]
    Head,
    /// The last `n` layers, counted as Keras counts them.
    Last(usize),
    /// All but the first `floor(share · layers)` layers.
    Fraction(f64),
    /// All from the first layer with this name or of this block (`block6d`).
    From(String),
    /// Every layer.
    All,
}

/// A cut that the graph doesn't have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CutError {
    /// More layers than there are.
    #[error("`last` must be at most the {layers} layers of {graph}; got {last}")]
    TooMany {
        /// Asked for.
        last: usize,
        /// Available.
        layers: usize,
        /// The graph's name.
        graph: String,
    },
    /// Not a share.
    #[error("`fraction` is the share that stays frozen and must lie in 0..=1; got {0}")]
    Fraction(f64),
    /// No such layer or block.
    #[error("{graph} has no layer or block `{name}`{}", if hint.is_empty() { "; `defrost summary` lists them" } else { hint })]
    Unknown {
        /// Asked for.
        name: String,
        /// The graph's name.
        graph: String,
        /// The nearest name.
        hint: String,
    },
}

/// A cut found in a graph: the index of the first trainable layer (the number of layers where only the head trains).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CutPoint {
    /// Index of the first trainable layer.
    pub first_trainable: LayerIndex,
}

/// The tensor stored for a cut: the output of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tap(pub LayerIndex);

impl Cut {
    /// Finds the cut in a backbone (without its head).
    ///
    /// # Errors
    /// When the backbone has too few layers, or no layer or block of that name.
    pub fn locate(&self, backbone: &Graph) -> Result<CutPoint, CutError> {
        let layers = backbone.len();
        let graph = || backbone.name().to_owned();
        let first_trainable = match self {
            Cut::Head => layers,
            Cut::All => 0,
            Cut::Last(last) if *last > layers => return Err(CutError::TooMany { last: *last, layers, graph: graph() }),
            Cut::Last(last) => layers - last,
            Cut::Fraction(share) if !(0.0..=1.0).contains(share) => return Err(CutError::Fraction(*share)),
            Cut::Fraction(share) => (share * layers as f64).floor() as usize,
            Cut::From(name) => {
                backbone.layers().iter().position(|layer| belongs_to(&layer.name, name)).ok_or_else(|| {
                    let blocks = backbone.layers().iter().map(|layer| block_of(&layer.name));
                    let names = backbone.layers().iter().map(|layer| layer.name.as_str());
                    let hint = did_you_mean(name, blocks.chain(names));
                    CutError::Unknown { name: name.clone(), graph: graph(), hint }
                })?
            }
        };
        Ok(CutPoint { first_trainable })
    }
}

fn belongs_to(layer: &str, name: &str) -> bool {
    layer == name || layer.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'))
}

/// `block6d` of `block6d_expand_bn`, `block_13` of `block_13_expand`, `stem` of `stem_conv`.
pub(super) fn block_of(layer: &str) -> &str {
    let end = layer
        .strip_prefix("block_")
        .map_or_else(|| layer.find('_'), |rest| rest.find('_').map(|end| end + "block_".len()));
    &layer[..end.unwrap_or(layer.len())]
}

impl CutPoint {
    /// Whether the layer may train.
    pub fn trains(self, layer: LayerIndex) -> bool {
        layer >= self.first_trainable
    }

    /// The first layer at or after the cut that has trainable parameters or is random in training. Stochastic depth is random
    /// only with `batch_statistics`.
    pub fn effective(self, graph: &Graph, batch_statistics: bool) -> LayerIndex {
        let acts = |index: LayerIndex| {
            let layer = &graph.layers()[index];
            let random =
                matches!(layer.op, Op::Dropout { rate, per_sample } if rate > 0.0 && (batch_statistics || !per_sample));
            random || layer.params.iter().any(|param| param.trainable)
        };
        (self.first_trainable..graph.len()).find(|&index| acts(index)).unwrap_or(graph.len())
    }

    /// If the cut falls inside a block, the block's name: the skip connection then crosses the cut.
    pub fn splits_block(self, graph: &Graph) -> Option<&str> {
        let name = |index: usize| graph.layers().get(index).map(|layer| block_of(&layer.name));
        let block = name(self.first_trainable)?;
        let before = name(self.first_trainable.checked_sub(1)?)?;
        (block == before && block.starts_with("block")).then_some(block)
    }
}

/// The largest share of the graph's multiply-adds that the tail may compute again, frozen, from a smaller tap.
const RERUN_SHARE: f64 = 0.05;

impl Tap {
    /// The tap for a cut of `graph` (the backbone with its head).
    pub fn of(graph: &Graph, cut: CutPoint, batch_statistics: bool) -> Tap {
        let effective = cut.effective(graph, batch_statistics);
        let cost = |index: LayerIndex| {
            let layer = &graph.layers()[index];
            layer
                .inputs
                .first()
                .map_or(0, |&input| layer.op.multiply_adds(&graph.layers()[input].output_shape, &layer.output_shape))
        };
        let budget = RERUN_SHARE * (0..graph.len()).map(cost).sum::<u64>() as f64;
        let size = |index: LayerIndex| graph.layers()[index].output_shape.iter().product::<usize>();

        // From the cut downwards: the first candidate is the latest, a later one replaces it only if strictly smaller.
        let (mut best, mut rerun) = (None, 0);
        for index in (0..effective).rev() {
            if Tap(index).is_crossed_by_every_path(graph) {
                match best {
                    None => best = Some(index),
                    Some(latest) if rerun as f64 <= budget && size(index) < size(latest) => best = Some(index),
                    Some(_) => {}
                }
            }
            rerun += cost(index);
        }
        Tap(best.unwrap_or(0))
    }

    /// Whether a frozen layer with parameters lies before the tap, so that storing it saves work: not so for a tap that is
    /// the picture itself.
    pub fn is_partial(self, graph: &Graph) -> bool {
        graph.layers()[..=self.0].iter().any(|layer| layer.params.iter().any(|param| param.trainable))
    }

    /// Positions of the tensor, down and across: `[1, 1]` where it has none, as pooled features.
    pub fn grid(self, graph: &Graph) -> [usize; 2] {
        match graph.layers()[self.0].output_shape[..] {
            [height, width, _] => [height, width],
            _ => [1, 1],
        }
    }

    /// Whether this is the only tensor made up to there that a later layer reads.
    pub fn is_crossed_by_every_path(self, graph: &Graph) -> bool {
        graph.layers()[self.0 + 1..].iter().flat_map(|layer| &layer.inputs).all(|&input| input >= self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone;
    use crate::head::Head;

    fn b0() -> Graph {
        backbone::find("efficientnet_b0").unwrap().graph(224)
    }

    fn tap_name(cut: &Cut) -> String {
        let backbone = b0();
        let point = cut.locate(&backbone).unwrap();
        let graph = Head::default().attach(backbone, 5);
        graph.layers()[Tap::of(&graph, point, false).0].name.clone()
    }

    #[test]
    fn the_notebooks_cut_stores_the_skip_connections_source() {
        assert_eq!(tap_name(&Cut::Last(30)), "block6c_add");
        assert_eq!(tap_name(&Cut::Last(20)), "block6c_add");
        assert_eq!(tap_name(&Cut::Head), "gap");
        assert_eq!(tap_name(&Cut::All), "rescaling_1");
    }

    #[test]
    fn cuts_are_located_as_keras_counts() {
        let backbone = b0();
        let first = |cut: Cut| cut.locate(&backbone).unwrap().first_trainable;
        assert_eq!(first(Cut::Last(30)), 208);
        assert_eq!(first(Cut::Fraction(0.7)), 166);
        assert_eq!(backbone.len() - first(Cut::From("block6d".into())), 31);
        assert_eq!(first(Cut::Head), 238);
    }

    #[test]
    fn an_unknown_block_is_answered_with_the_nearest() {
        let error = Cut::From("block6z".into()).locate(&b0()).unwrap_err().to_string();
        assert!(error.starts_with("efficientnetb0 has no layer or block `block6z`; did you mean `block6"), "{error}");
        assert!(Cut::Last(300).locate(&b0()).is_err());
    }

    #[test]
    fn a_cut_inside_a_block_is_noticed() {
        let backbone = b0();
        let splits = |cut: Cut| cut.locate(&backbone).unwrap().splits_block(&backbone).map(str::to_owned);
        assert_eq!(splits(Cut::Last(30)).as_deref(), Some("block6d"));
        assert_eq!(splits(Cut::Last(31)), None);
        assert_eq!(splits(Cut::Head), None);
    }
}
