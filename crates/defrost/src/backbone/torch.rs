//! What PyTorch's packages call a network's tensors, in both directions from one table.
//!
//! A name is a layer's and an attribute's: `blocks.1.0.bn1.running_var` is `block2a_expand_bn/moving_variance`. timm builds all
//! families here as its class `EfficientNet`, whose blocks are numbered by stage and by place in the stage.

/// A family's layers as timm calls them.
#[derive(Debug)]
pub(super) struct TimmNames {
    /// Layers outside the blocks: (ours, timm's).
    pub(super) outer: &'static [(&'static str, &'static str)],
    /// Layers of the first stage's block, which doesn't expand: (ours without the block, timm's).
    pub(super) plain: &'static [(&'static str, &'static str)],
    /// Layers of all other blocks.
    pub(super) expanded: &'static [(&'static str, &'static str)],
    /// `(stage, place, rest)` of our name: `block2a_expand_bn` → `(1, 0, "expand_bn")`.
    pub(super) split: fn(&str) -> Option<(usize, usize, &str)>,
    /// What our names of a block begin with: `(1, 0)` → `block2a_`.
    pub(super) prefix: fn(usize, usize) -> Option<String>,
}

impl TimmNames {
    fn block(&self, stage: usize) -> &'static [(&'static str, &'static str)] {
        if stage == 0 { self.plain } else { self.expanded }
    }

    /// timm's name of our layer.
    fn layer_to_timm(&self, layer: &str) -> Option<String> {
        let named = |list: &[(&str, &'static str)], ours: &str| {
            list.iter().find(|(own, _)| *own == ours).map(|(_, theirs)| *theirs)
        };
        if let Some(theirs) = named(self.outer, layer) {
            return Some(theirs.to_owned());
        }
        let (stage, place, rest) = (self.split)(layer)?;
        Some(format!("blocks.{stage}.{place}.{}", named(self.block(stage), rest)?))
    }

    /// Our name of timm's layer.
    fn layer_from_timm(&self, layer: &str) -> Option<String> {
        let named = |list: &[(&'static str, &str)], theirs: &str| {
            list.iter().find(|(_, foreign)| *foreign == theirs).map(|(own, _)| *own)
        };
        let Some(rest) = layer.strip_prefix("blocks.") else { return named(self.outer, layer).map(str::to_owned) };
        let (stage, rest) = rest.split_once('.')?;
        let (place, rest) = rest.split_once('.')?;
        let (stage, place) = (stage.parse().ok()?, place.parse().ok()?);
        Some(format!("{}{}", (self.prefix)(stage, place)?, named(self.block(stage), rest)?))
    }

    /// timm's name of our tensor.
    pub(super) fn to_timm(&self, ours: &str) -> Option<String> {
        let (layer, variable) = ours.rsplit_once('/')?;
        Some(format!("{}.{}", self.layer_to_timm(layer)?, attribute(variable)?))
    }

    /// Our name of timm's tensor.
    pub(super) fn ours_of_timm(&self, theirs: &str) -> Option<String> {
        let (layer, attribute) = theirs.rsplit_once('.')?;
        Some(format!("{}/{}", self.layer_from_timm(layer)?, variable(layer, attribute)?))
    }
}

/// Our variable of PyTorch's attribute; a layer whose last name holds `bn` is a BatchNorm.
pub(super) fn variable(foreign_layer: &str, attribute: &str) -> Option<&'static str> {
    let batch_norm = foreign_layer.rsplit('.').next().is_some_and(|last| last.contains("bn"));
    Some(match (attribute, batch_norm) {
        ("weight", true) => "gamma",
        ("bias", true) => "beta",
        ("running_mean", true) => "moving_mean",
        ("running_var", true) => "moving_variance",
        ("weight", false) => "kernel",
        ("bias", false) => "bias",
        _ => return None,
    })
}

/// PyTorch's attribute of our variable.
fn attribute(variable: &str) -> Option<&'static str> {
    Some(match variable {
        "kernel" | "gamma" => "weight",
        "bias" | "beta" => "bias",
        "moving_mean" => "running_mean",
        "moving_variance" => "running_var",
        _ => return None,
    })
}
