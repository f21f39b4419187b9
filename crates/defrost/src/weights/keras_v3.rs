//! Keras 3's own formats: `.weights.h5`, where layers are known by class and position, and `.keras`, a zip archive of that
//! file and the model's configuration, which has the names.
//!
//! A layer's tensors are `…/CLASS_N/vars/0`, `1`, … with the class in snake case and N counting the layers of that class in
//! their model (the first has no suffix); a nested model is `…/layers/functional/layers/…`.

mod write;

pub use write::{KerasError, to_keras_archive, to_keras_weights};

use super::hdf5::Hdf5;
use super::{Budget, Contents, Damage, Entry, Ignored, Reason, without_number};
use crate::graph::{Graph, Layer};
use hdf5_pure::Group;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;

/// The archive's member that holds the tensors.
pub(super) const WEIGHTS_MEMBER: &str = "model.weights.h5";
const CONFIG_MEMBER: &str = "config.json";

/// Groups inside groups that are followed; real files have about six.
const MAX_DEPTH: usize = 32;

/// The archive: names from its configuration.
pub(super) fn read_archive(bytes: &[u8]) -> Result<Contents, Damage> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes))?;
    let mut budget = Budget::of(bytes.len());
    let mut member = |name: &str| -> Result<Vec<u8>, Damage> {
        let mut member = archive.by_name(name).map_err(|error| Damage(format!("{name}: {error}")))?;
        budget.take(member.size(), name)?;
        let mut content = Vec::new();
        // One byte more than it claims: only past its end is the checksum compared.
        let limit = member.size().saturating_add(1);
        (&mut member).take(limit).read_to_end(&mut content).map_err(|error| Damage(format!("{name}: {error}")))?;
        Ok(content)
    };
    let config: Value =
        serde_json::from_slice(&member(CONFIG_MEMBER)?).map_err(|error| Damage(format!("{CONFIG_MEMBER}: {error}")))?;
    let hdf5 = Hdf5::open(member(WEIGHTS_MEMBER)?)?;
    let mut names = Names::default();
    names.add_model(&config, "", "");
    contents(&hdf5, &names)
}

/// The bare file: the container that fits `graph` best gets its names, other layers are called by class and position.
pub(super) fn read_weights(hdf5: &Hdf5, graph: &Graph) -> Result<Contents, Damage> {
    let mut numbering = Numbering::default();
    let groups: BTreeMap<String, (usize, &Layer)> = (0..)
        .zip(graph.layers())
        .map(|(index, layer)| (numbering.group(layer.op.class()), (index, layer)))
        .filter(|(_, (_, layer))| !layer.params.is_empty())
        .collect();
    let mut scores: BTreeMap<String, usize> = BTreeMap::new();
    for (path, numbers) in walk(&hdf5.root())? {
        if groups.get(last_part(&path)).is_some_and(|(_, layer)| layer.params.len() == numbers.len()) {
            *scores.entry(parent(&path).to_owned()).or_default() += 1;
        }
    }
    let mut names = Names::default();
    // Of equals the first wins, as in `fit`.
    if let Some((backbone, _)) = scores.iter().rev().max_by_key(|(_, score)| **score) {
        for (group, (order, layer)) in groups {
            let name = Name {
                order,
                container: container_of(backbone),
                layer: layer.name.clone(),
                variables: layer.params.iter().map(|param| param.name.to_owned()).collect(),
            };
            names.by_path.insert(join(backbone, &group), name);
        }
    }
    contents(hdf5, &names)
}

/// Counts the layers of each class in a model, as Keras numbers their groups.
#[derive(Debug, Default)]
struct Numbering(BTreeMap<String, usize>);

impl Numbering {
    /// The group of the next layer of `class`.
    fn group(&mut self, class: &str) -> String {
        let class = snake_case(class);
        let number = self.0.entry(class.clone()).or_default();
        *number += 1;
        if *number == 1 { class } else { format!("{class}_{}", *number - 1) }
    }
}

/// What a layer's group is called in the model.
#[derive(Debug, Clone)]
struct Name {
    order: usize,
    container: String,
    layer: String,
    variables: Vec<String>,
}

/// By the group's path in the file.
#[derive(Debug, Default)]
struct Names {
    by_path: BTreeMap<String, Name>,
}

impl Names {
    /// Takes the layers of a model's configuration, which lies at `path` in the file; nested models too. The depth is
    /// bounded by the JSON parser's own limit.
    fn add_model(&mut self, config: &Value, path: &str, container: &str) {
        let Some(layers) = config["config"]["layers"].as_array() else { return };
        let mut numbering = Numbering::default();
        for layer in layers {
            let (Some(class), Some(name)) = (layer["class_name"].as_str(), layer["config"]["name"].as_str()) else {
                continue;
            };
            let group = join(&join(path, "layers"), &numbering.group(class));
            if layer["config"]["layers"].is_array() {
                self.add_model(layer, &group, &join(container, name));
                continue;
            }
            let has = |flag: &str| layer["config"][flag].as_bool() != Some(false);
            let variables = variables_of(&snake_case(class))
                .iter()
                .filter(|variable| match **variable {
                    "gamma" => has("scale"),
                    "beta" => has("center"),
                    _ => true,
                })
                .map(|variable| (*variable).to_owned())
                .collect();
            let name =
                Name { order: self.by_path.len(), container: container.to_owned(), layer: name.to_owned(), variables };
            self.by_path.insert(group, name);
        }
    }

    /// The name of the layer at `path`; by class and position where the configuration doesn't say.
    fn of(&self, path: &str) -> Name {
        self.by_path.get(path).cloned().unwrap_or_else(|| Name {
            order: usize::MAX,
            container: container_of(parent(path)),
            layer: last_part(path).to_owned(),
            variables: variables_of(class(last_part(path))).iter().map(|variable| (*variable).to_owned()).collect(),
        })
    }
}

/// Keras' order of a layer's variables.
fn variables_of(class: &str) -> &'static [&'static str] {
    match class {
        "batch_normalization" => &["gamma", "beta", "moving_mean", "moving_variance"],
        "normalization" => &["mean", "variance", "count"],
        "conv2d" | "depthwise_conv2d" | "dense" => &["kernel", "bias"],
        _ => &[],
    }
}

fn contents(hdf5: &Hdf5, names: &Names) -> Result<Contents, Damage> {
    let mut contents = Contents { ordered: true, ..Contents::default() };
    let mut named: Vec<(String, Vec<u32>, Name)> =
        walk(&hdf5.root())?.into_iter().map(|(path, numbers)| (path.clone(), numbers, names.of(&path))).collect();
    named.sort_by(|a, b| (a.2.order, &a.0).cmp(&(b.2.order, &b.0)));
    for (path, numbers, name) in named {
        if let Some(reason) = state(&path) {
            contents.ignored.push(Ignored { name: path, reason });
            continue;
        }
        for number in numbers {
            let dataset = join(&path, &format!("vars/{number}"));
            let variable = name.variables.get(number as usize).cloned().unwrap_or_else(|| number.to_string());
            match hdf5.tensor(&hdf5.root().dataset(&dataset)?, &dataset)? {
                Some(tensor) => contents.entries.push(Entry::new(&name.container, &name.layer, &variable, tensor)),
                None => contents.ignored.push(Ignored { name: dataset, reason: Reason::NotNumbers }),
            }
        }
    }
    Ok(contents)
}

/// Why the variables at `path` are no layer's, if so.
fn state(path: &str) -> Option<Reason> {
    match path.split('/').next() {
        Some("optimizer" | "metrics" | "compile_metrics" | "loss_tracker") => Some(Reason::TrainingState),
        _ if last_part(path) == "seed_generator" => Some(Reason::RandomState),
        _ => None,
    }
}

/// The path of every group that has variables, and their numbers in order.
fn walk(root: &Group) -> Result<BTreeMap<String, Vec<u32>>, Damage> {
    let mut found = BTreeMap::new();
    let mut open = vec![(String::new(), root.clone(), 0)];
    while let Some((path, group, depth)) = open.pop() {
        // Links may go in circles; a path can't, since it ends here.
        if depth > MAX_DEPTH || found.len() + open.len() > MAX_GROUPS {
            return Err(Damage(format!("groups are nested without end at {path}")));
        }
        for name in group.groups()? {
            let child = group.group(&name)?;
            if name == "vars" {
                let mut numbers: Vec<u32> = child.datasets()?.iter().filter_map(|name| name.parse().ok()).collect();
                numbers.sort_unstable();
                if !numbers.is_empty() {
                    found.insert(path.clone(), numbers);
                }
            } else {
                open.push((join(&path, &name), child, depth + 1));
            }
        }
    }
    Ok(found)
}

/// More layers than any model has.
const MAX_GROUPS: usize = 100_000;

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The nested model's path without the groups that only say `layers`.
fn container_of(path: &str) -> String {
    path.split('/').filter(|part| *part != "layers").collect::<Vec<_>>().join("/")
}

/// The class of a group: `conv2d_3` → `conv2d`.
fn class(group: &str) -> &str {
    without_number(group).unwrap_or(group)
}

/// `DepthwiseConv2D` → `depthwise_conv2d`, `ReLU` → `re_lu`: an underscore before a capital that begins a word or follows a
/// small letter.
fn snake_case(class: &str) -> String {
    let characters: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut result = String::new();
    for (index, &character) in characters.iter().enumerate() {
        let begins_word = characters.get(index + 1).is_some_and(|next| next.is_ascii_lowercase());
        let follows_small = index > 0 && characters[index - 1].is_ascii_lowercase();
        if index > 0 && character.is_ascii_uppercase() && (begins_word || follows_small) {
            result.push('_');
        }
        result.extend(character.to_lowercase());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_written_as_keras_writes_them() {
        for (class, expected) in [
            ("Conv2D", "conv2d"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("BatchNormalization", "batch_normalization"),
            ("ZeroPadding2D", "zero_padding2d"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("ReLU", "re_lu"),
            ("InputLayer", "input_layer"),
        ] {
            assert_eq!(snake_case(class), expected);
        }
    }

    #[test]
    fn layers_of_a_class_are_numbered() {
        let mut numbering = Numbering::default();
        let groups = ["Conv2D", "Dense", "Conv2D", "Conv2D"].map(|class| numbering.group(class));
        assert_eq!(groups, ["conv2d", "dense", "conv2d_1", "conv2d_2"]);
        assert_eq!(groups.map(|group| class(&group).to_owned()), ["conv2d", "dense", "conv2d", "conv2d"]);
    }

    #[test]
    fn a_configuration_gives_names_to_paths() {
        let config = serde_json::json!({"class_name": "Functional", "config": {"name": "outer", "layers": [
            {"class_name": "Functional", "config": {"name": "base", "layers": [
                {"class_name": "BatchNormalization", "config": {"name": "bn", "scale": false}},
                {"class_name": "Conv2D", "config": {"name": "first"}},
                {"class_name": "Conv2D", "config": {"name": "second"}}]}},
            {"class_name": "Dense", "config": {"name": "classifier"}}]}});
        let mut names = Names::default();
        names.add_model(&config, "", "");
        let second = names.of("layers/functional/layers/conv2d_1");
        assert_eq!((second.container.as_str(), second.layer.as_str()), ("base", "second"));
        assert_eq!(names.of("layers/functional/layers/batch_normalization").variables[0], "beta");
        let dense = names.of("layers/dense");
        assert_eq!((dense.container.as_str(), dense.layer.as_str(), dense.order), ("", "classifier", 3));
        assert_eq!(names.of("layers/dense_7").layer, "dense_7");
    }
}
