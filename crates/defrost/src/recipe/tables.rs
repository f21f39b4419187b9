//! The tables of a recipe that aren't concepts of their own: `[data]`, `[preprocess]`, `[augment]`, `[head]`.

use std::fmt;
use std::path::PathBuf;

use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::augment::{self, AugmentError, Mixing, Pipeline};
use crate::data::{DataOptions, Fold, Labels, LimitPerClass, Validation};
use crate::exec::cpu::{self, Engine};
use crate::image::{Decoding, Resize};
use crate::settings::Checks;

/// Where the backbone's weights come from: `"pretrained"`, `"none"`, or a file or run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Weights {
    /// The backbone's own.
    #[default]
    Pretrained,
    /// Nowhere: it is trained from scratch.
    None,
    /// A file in one of the known formats, or the folder of a run.
    File(PathBuf),
}

impl Serialize for Weights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Weights::Pretrained => serializer.serialize_str("pretrained"),
            Weights::None => serializer.serialize_str("none"),
            Weights::File(path) => path.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Weights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Weights, D::Error> {
        Ok(match String::deserialize(deserializer)?.as_str() {
            "pretrained" => Weights::Pretrained,
            "none" => Weights::None,
            path => Weights::File(path.into()),
        })
    }
}

/// In what 1×1 convolutions multiply, in the frozen part and the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floats everywhere.
    #[default]
    F32,
    /// bf16; sums, and everything else, in single precision.
    Bf16,
}

impl Precision {
    /// The engine that computes so.
    pub fn engine(self) -> Engine {
        Engine::new(match self {
            Precision::F32 => cpu::Precision::F32,
            Precision::Bf16 => cpu::Precision::Bf16,
        })
    }
}

/// What is trained on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// The folder or archive; may be given on the command line instead.
    pub path: Option<PathBuf>,
    /// A folder of validation pictures, whatever lies beside the training pictures.
    pub val: Option<PathBuf>,
    /// The classes to take, in the order of their numbers; empty takes all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Where validation pictures come from.
    pub validation: Validation,
    /// An earlier run or its `split.csv`: pictures that it lists keep their side.
    pub split: Option<PathBuf>,
    /// Validates on one of so many folds: `"2/5"`.
    pub fold: Option<Fold>,
    /// A table of pictures to leave out: the columns `path`, `content` or both.
    pub exclude: Option<PathBuf>,
    /// A table of right classes, such as a run's `relabel.csv`: the columns `class` and `path`, `content` or both.
    pub relabel: Option<PathBuf>,
    /// Which of CIFAR-100's two labels: `"fine"` (100 classes) or `"coarse"` (20).
    #[serde(skip_serializing_if = "Labels::is_fine")]
    pub labels: Labels,
    /// Shuffles within a buffer of so many pictures, as `tf.data` does, instead of all of them.
    pub shuffle_buffer: Option<usize>,
    /// Takes a subset: at most so many pictures of each class.
    #[serde(skip_serializing_if = "LimitPerClass::is_none")]
    pub limit: LimitPerClass,
}

impl Data {
    /// How the data set is opened; `strict` makes a picture that can't be read an error.
    pub fn options(&self, seed: u64, strict: bool) -> DataOptions {
        DataOptions {
            validation_dir: self.val.clone(),
            classes: self.classes.clone(),
            validation: self.validation,
            split: self.split.clone(),
            fold: self.fold,
            exclude: self.exclude.clone(),
            relabel: self.relabel.clone(),
            labels: self.labels,
            limit_per_class: self.limit,
            seed,
            strict,
            cache: None,
            as_found: false,
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        let sizes = [
            ("shuffle_buffer", self.shuffle_buffer),
            ("limit.train", self.limit.train),
            ("limit.validation", self.limit.validation),
            ("limit.test", self.limit.test),
        ];
        for (key, size) in sizes {
            checks.require(size != Some(0), key, "at least 1", 0);
        }
        for (index, class) in self.classes.iter().enumerate() {
            checks.require(!self.classes[..index].contains(class), "classes", "a list without repetitions", class);
        }
    }
}

/// What the run should come to; `defrost recipe verify` compares. It is no part of the run's identity.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// The lowest and the highest validation accuracy that are right, 0–1.
    pub val_accuracy: Option<(f64, f64)>,
}

impl Expect {
    /// Whether nothing is expected.
    pub fn is_none(&self) -> bool {
        self.val_accuracy.is_none()
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        if let Some((low, high)) = self.val_accuracy {
            let sound = 0.0 <= low && low <= high && high <= 1.0;
            checks.require(sound, "val_accuracy", "[low, high], shares from 0 to 1", [low, high]);
        }
    }
}

/// What happens to every picture before the network sees it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preprocess {
    /// How many of a JPEG's pixels are decoded.
    pub decode: Decoding,
    /// How it gets its size.
    pub resize: Resize,
}

/// How training pictures are varied: a table, or just the pipeline (`augment = "none"`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Augment {
    /// `"auto"`, `"none"`, a preset's name or a pipeline's line.
    pub pipeline: String,
    /// How many variants of each picture there are, the plain one included; `None` is left to the data's size.
    pub views: Option<usize>,
    /// Decides the variants. Not the run's seed, so that runs with other seeds find the same features in the cache.
    pub seed: u64,
    /// MixUp: α of the Beta(α, α) that its shares come from; 0 is off. Drawn by the run's seed, at epoch time.
    pub mixup: f64,
    /// CutMix: α of the Beta(α, α) that its shares come from; 0 is off. Drawn by the run's seed, at epoch time.
    pub cutmix: f64,
}

impl Default for Augment {
    fn default() -> Augment {
        Augment { pipeline: "auto".to_owned(), views: None, seed: 0, mixup: 0.0, cutmix: 0.0 }
    }
}

impl Augment {
    /// How batches are mixed.
    pub fn mixing(&self) -> Mixing {
        Mixing { mixup: self.mixup, cutmix: self.cutmix }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        match self.pipeline.as_str() {
            "auto" => {}
            line => check_pipeline(line, checks),
        }
        if let Some(views) = self.views {
            checks.require((1..=1000).contains(&views), "views", "from 1 to 1000", views);
        }
        for (key, alpha) in [("mixup", self.mixup), ("cutmix", self.cutmix)] {
            checks.require((0.0..=1000.0).contains(&alpha), key, "from 0 (off) to 1000", alpha);
        }
        checks.require(i64::try_from(self.seed).is_ok(), "seed", "at most 9223372036854775807", self.seed);
    }
}

fn check_pipeline(line: &str, checks: &mut Checks) {
    match line.parse::<Pipeline>() {
        Ok(_) => {}
        Err(AugmentError::Unknown { name }) => {
            let known: Vec<&str> = ["auto"].into_iter().chain(augment::names()).collect();
            let expected = format!("made of {}", known.join(", "));
            checks.require_known(false, "pipeline", &expected, &name, known);
        }
        Err(error) => checks.require_agreement(false, "pipeline", format!("is wrong: {error}")),
    }
}

impl Serialize for Augment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Augment::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Augment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Augment, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Augment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pipeline such as \"none\", or a table")
            }

            fn visit_str<E>(self, pipeline: &str) -> Result<Augment, E> {
                Ok(Augment { pipeline: pipeline.to_owned(), ..Augment::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Augment, A::Error> {
                Augment::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}

/// `layers = [{ dense = 256, activation = "relu" }, { dropout = 0.3 }]`
pub(crate) mod head {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::graph::Activation;
    use crate::head::{Head, HeadLayer};
    use crate::settings::Checks;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct HeadTable {
        #[serde(default = "default_layers")]
        layers: Vec<Layer>,
    }

    fn default_layers() -> Vec<Layer> {
        Head::default().layers.into_iter().map(Layer).collect()
    }

    #[derive(Clone, Serialize, Deserialize)]
    #[serde(try_from = "LayerTable", into = "LayerTable")]
    struct Layer(HeadLayer);

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct LayerTable {
        dense: Option<usize>,
        activation: Option<ActivationName>,
        dropout: Option<f64>,
    }

    #[derive(Clone, Copy, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum ActivationName {
        Linear,
        Relu,
        Relu6,
        #[serde(alias = "swish")]
        Silu,
        Sigmoid,
        Softmax,
    }

    impl From<ActivationName> for Activation {
        fn from(name: ActivationName) -> Activation {
            match name {
                ActivationName::Linear => Activation::Linear,
                ActivationName::Relu => Activation::Relu,
                ActivationName::Relu6 => Activation::Relu6,
                ActivationName::Silu => Activation::Swish,
                ActivationName::Sigmoid => Activation::Sigmoid,
                ActivationName::Softmax => Activation::Softmax,
            }
        }
    }

    impl From<Activation> for ActivationName {
        fn from(activation: Activation) -> ActivationName {
            match activation {
                Activation::Linear => ActivationName::Linear,
                Activation::Relu => ActivationName::Relu,
                Activation::Relu6 => ActivationName::Relu6,
                Activation::Swish => ActivationName::Silu,
                Activation::Sigmoid => ActivationName::Sigmoid,
                Activation::Softmax => ActivationName::Softmax,
            }
        }
    }

    impl TryFrom<LayerTable> for Layer {
        type Error = &'static str;

        fn try_from(table: LayerTable) -> Result<Layer, &'static str> {
            match (table.dense, table.activation, table.dropout) {
                (Some(units), activation, None) => {
                    let activation = activation.map_or(Activation::Relu, Activation::from);
                    Ok(Layer(HeadLayer::Dense { units, activation }))
                }
                (None, None, Some(rate)) => Ok(Layer(HeadLayer::Dropout(rate as f32))),
                (Some(_), _, Some(_)) => Err("is two layers, `dense` and `dropout`; write one after the other"),
                (None, Some(_), _) => Err("has an `activation` without `dense`"),
                (None, None, None) => Err("is empty; write `dense = 256` or `dropout = 0.3`"),
            }
        }
    }

    impl From<Layer> for LayerTable {
        fn from(layer: Layer) -> LayerTable {
            match layer.0 {
                HeadLayer::Dense { units, activation } => {
                    LayerTable { dense: Some(units), activation: Some(activation.into()), dropout: None }
                }
                // The shortest decimal that is this f32: 0.3 and not 0.30000001192092896.
                HeadLayer::Dropout(rate) => {
                    LayerTable { dense: None, activation: None, dropout: rate.to_string().parse().ok() }
                }
            }
        }
    }

    pub(crate) fn serialize<S: Serializer>(head: &Head, serializer: S) -> Result<S::Ok, S::Error> {
        HeadTable { layers: head.layers.iter().copied().map(Layer).collect() }.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Head, D::Error> {
        let table = HeadTable::deserialize(deserializer)?;
        Ok(Head { layers: table.layers.into_iter().map(|layer| layer.0).collect() })
    }

    pub(in crate::recipe) fn check(head: &Head, checks: &mut Checks) {
        checks.within("layers", |checks| {
            for (index, layer) in head.layers.iter().enumerate() {
                checks.within(index, |checks| match *layer {
                    HeadLayer::Dense { units, .. } => {
                        checks.require((1..=65_536).contains(&units), "dense", "from 1 to 65536", units);
                    }
                    HeadLayer::Dropout(rate) => {
                        checks.require((0.0..1.0).contains(&rate), "dropout", "at least 0 and < 1", rate);
                    }
                });
            }
        });
    }
}
