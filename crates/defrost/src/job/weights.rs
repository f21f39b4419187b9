//! Which tensors a run begins with: the backbone's own, a file's, an earlier classifier's, or none.

use std::path::{Path, PathBuf};

use super::{Environment, JobError};
use crate::artefact::{Artefact, Origin};
use crate::backbone::Backbone;
use crate::model::{Layout, Model};
use crate::progress::Progress;
use crate::recipe::{Recipe, Weights};
use crate::run;
use crate::tensor::{Params, Tensor};
use crate::weights::{self, LoadReport};

/// Tensors for a model's backbone, and for its head where they fit.
#[derive(Debug)]
pub struct Start {
    /// How the backbone must be built for them.
    pub layout: Layout,
    /// The backbone's tensors; empty where all are drawn.
    pub backbone: Params,
    /// What was found in a file of weights.
    pub report: Option<LoadReport>,
    /// Where the backbone's tensors come from.
    pub origin: Origin,
    earlier: Option<(Artefact, Params)>,
}

impl Start {
    /// Finds and reads the weights that the recipe asks for.
    pub(super) fn find(
        recipe: &Recipe,
        backbone: &'static Backbone,
        input_size: usize,
        environment: &Environment<'_>,
        progress: Progress<'_>,
    ) -> Result<Start, JobError> {
        match &recipe.weights {
            Weights::None => {
                let (layout, origin) = (Layout::FromScratch, Origin::scratch());
                Ok(Start { layout, backbone: Params::new(), report: None, origin, earlier: None })
            }
            Weights::File(path) if path.is_dir() || Artefact::exists(path) => Start::from_run(path, backbone),
            Weights::File(path) => {
                let graph = backbone.graph(input_size);
                let loaded = weights::load(path, &graph, &|name| backbone.rename(name))?;
                let report = Some(loaded.report);
                let (layout, origin) = (Layout::of(&loaded.params), Origin::file(path.display().to_string()));
                Ok(Start { layout, backbone: loaded.params, report, origin, earlier: None })
            }
            Weights::Pretrained => {
                let graph = backbone.graph(input_size);
                let rename = |name: &str| backbone.rename(name);
                let loaded = match &backbone.source {
                    None => weights::load_bytes(backbone.id, environment.embedded, &graph, &rename)?,
                    Some(source) => {
                        let folder = environment.weights_cache;
                        let folder = folder.ok_or(JobError::NoWeightsFolder { backbone: backbone.id })?;
                        let fetched = weights::fetch(source, folder, progress)?;
                        weights::load(&fetched.path, &graph, &rename)?
                    }
                };
                let report = Some(loaded.report);
                let (layout, origin) = (Layout::Pretrained, Origin::published(backbone));
                Ok(Start { layout, backbone: loaded.params, report, origin, earlier: None })
            }
        }
    }

    /// Goes on from the classifier of an earlier run.
    fn from_run(path: &Path, backbone: &'static Backbone) -> Result<Start, JobError> {
        let folder = Artefact::locate(path).unwrap_or_else(|| path.join(run::MODEL));
        let (artefact, model) = Artefact::load(&folder)?;
        if artefact.backbone != backbone.id {
            return Err(JobError::OtherBackbone {
                path: PathBuf::from(path),
                expected: backbone.id,
                found: artefact.backbone,
            });
        }
        let names: Vec<String> = model.backbone_tensors().collect();
        let (base, head) = model.params.into_iter().partition(|(name, _)| names.contains(name));
        let origin = artefact.origin.clone().unwrap_or_else(|| Origin::file(path.display().to_string()));
        Ok(Start { layout: artefact.layout, backbone: base, report: None, origin, earlier: Some((artefact, head)) })
    }

    /// Puts the tensors into `model`. Of an earlier classifier's head, layers of the same shape are kept, and the outputs of
    /// the classes that both know.
    pub(super) fn apply(self, model: &mut Model, classes: &[String]) {
        model.params.extend(self.backbone);
        let Some((earlier, head)) = self.earlier else { return };
        for (name, tensor) in head {
            let Some(own) = model.params.get_mut(&name) else { continue };
            if name.starts_with("classifier/") {
                copy_known_classes(own, &tensor, classes, &earlier.classes);
            } else if own.shape() == tensor.shape() {
                *own = tensor;
            }
        }
    }
}

/// Copies the columns of the classes that both know, where the rows agree.
fn copy_known_classes(own: &mut Tensor, earlier: &Tensor, classes: &[String], earlier_classes: &[String]) {
    let (columns, earlier_columns) = (classes.len(), earlier_classes.len());
    if own.data().len() / columns != earlier.data().len() / earlier_columns {
        return;
    }
    for (column, class) in classes.iter().enumerate() {
        let Some(source) = earlier_classes.iter().position(|other| other == class) else { continue };
        for (row, earlier_row) in
            own.data_mut().chunks_exact_mut(columns).zip(earlier.data().chunks_exact(earlier_columns))
        {
            row[column] = earlier_row[source];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_of_known_classes_move_with_their_names() {
        let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let earlier = Tensor::new([2, 2], vec![1.0, 2.0, 3.0, 4.0]);
        let mut own = Tensor::zeros([2, 3]);
        copy_known_classes(&mut own, &earlier, &names(&["a", "new", "b"]), &names(&["b", "a"]));
        assert_eq!(own.data(), [2.0, 0.0, 1.0, 4.0, 0.0, 3.0]);
        let mut other_width = Tensor::zeros([3, 3]);
        copy_known_classes(&mut other_width, &earlier, &names(&["a", "b", "c"]), &names(&["b", "a"]));
        assert_eq!(other_width, Tensor::zeros([3, 3]));
    }
}
