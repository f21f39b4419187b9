//! Keras' HDF5 with layer names: what Keras 2 writes, and what Keras 3 still reads and writes (`x.h5`).
//!
//! The root (or, in a whole model, the group `model_weights`) lists its layers in `layer_names`, and each layer's group its
//! tensors in `weight_names`: `stem_conv/kernel:0` (Keras 2), `stem_conv/kernel` (Keras 3). A nested model is a single
//! layer whose group holds the tensors of all its layers.

use super::hdf5::{Hdf5, strings};
use super::{Contents, Damage, Entry, Ignored, Reason};

/// Whether layers have names; else it is a `.weights.h5`.
pub(super) fn is_legacy(hdf5: &Hdf5) -> bool {
    hdf5.root().group("model_weights").is_ok() || matches!(strings(&hdf5.root(), "layer_names"), Ok(Some(_)))
}

pub(super) fn read(hdf5: &Hdf5) -> Result<Contents, Damage> {
    let root = hdf5.root();
    let mut contents = Contents { ordered: true, ..Contents::default() };
    let weights = match root.group("model_weights") {
        Ok(weights) => {
            if root.group("optimizer_weights").is_ok() {
                contents.ignored.push(Ignored { name: "optimizer_weights".into(), reason: Reason::TrainingState });
            }
            weights
        }
        Err(_) => root,
    };
    let layers = strings(&weights, "layer_names")?.ok_or_else(|| Damage("it has no attribute `layer_names`".into()))?;
    for layer in layers {
        let group = weights.group(&layer)?;
        for name in strings(&group, "weight_names")?.unwrap_or_default() {
            let (container, owner, variable) = split(&layer, &name);
            match hdf5.tensor(&group.dataset(&name)?, &name)? {
                Some(tensor) => contents.entries.push(Entry::new(container, owner, variable, tensor)),
                None => contents.ignored.push(Ignored { name, reason: Reason::NotNumbers }),
            }
        }
    }
    Ok(contents)
}

/// `(container, layer, variable)` of a tensor called `name` in the group `group`: the layer is the last part but one; where
/// that isn't the group itself, the group is a nested model.
fn split<'a>(group: &'a str, name: &'a str) -> (&'a str, &'a str, &'a str) {
    match name.rsplit_once('/') {
        None => ("", group, name),
        Some((path, variable)) => {
            let layer = path.rsplit('/').next().unwrap_or(path);
            (if layer == group { "" } else { group }, layer, variable)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_are_split_into_container_layer_and_variable() {
        assert_eq!(split("stem_conv", "stem_conv/kernel:0"), ("", "stem_conv", "kernel:0"));
        assert_eq!(split("stem_conv", "scope/stem_conv/kernel:0"), ("", "stem_conv", "kernel:0"));
        assert_eq!(split("efficientnetb0", "stem_conv/kernel:0"), ("efficientnetb0", "stem_conv", "kernel:0"));
        assert_eq!(split("dense", "kernel"), ("", "dense", "kernel"));
    }
}
