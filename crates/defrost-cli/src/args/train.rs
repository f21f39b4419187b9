//! `defrost train`.

use std::path::PathBuf;

use defrost::data::Fold;

use super::value::{parse_count, parse_setting};

/// Train a classifier of pictures: of a folder for each class, a table of paths and labels, an archive
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost train photos/
  defrost train photos/ --backbone efficientnet_b0 --epochs 5,10 --set stages.1.from=block6d
  defrost train labels.csv --exclude exclude.csv
  defrost train photos/ --relabel runs/photos-1/relabel.csv
  defrost train --recipe recipes/notebook.toml
  defrost train photos/ --resume")]
pub(crate) struct Train {
    /// A folder of class folders or with a metadata table, a table (.csv, .tsv, .jsonl), CIFAR-10 or -100, or an archive (.zip,
    /// .tar, .tar.gz) [default: the recipe's]
    pub(crate) data: Option<PathBuf>,
    /// Validate on this folder of class folders [default: val/ beside train/, else a fifth of the pictures]
    #[arg(long, value_name = "DIR")]
    pub(crate) val: Option<PathBuf>,
    /// Keep the split of an earlier run, or of its split.csv; only pictures that it doesn't list are split
    #[arg(long, value_name = "RUN|FILE")]
    pub(crate) split: Option<PathBuf>,
    /// Validate on one of so many folds, such as 2/5
    #[arg(long, value_name = "I/K")]
    pub(crate) fold: Option<Fold>,
    /// Leave out the pictures of this table: a CSV file with the columns path, content or both
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude: Option<PathBuf>,
    /// Give the pictures of this table their right classes, and learn from those that are new: a CSV file with the columns class
    /// and path, content or both, such as a run's relabel.csv that `defrost serve` leaves
    #[arg(long, value_name = "FILE")]
    pub(crate) relabel: Option<PathBuf>,
    /// The pretrained network [default: efficientnet_lite0.imagenet]
    #[arg(long, value_name = "ID")]
    pub(crate) backbone: Option<String>,
    /// Its weights: a file, an earlier run, or none to train from scratch
    #[arg(long, value_name = "FILE|RUN|none")]
    pub(crate) weights: Option<PathBuf>,
    /// Begin with this recipe; the other flags change it
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub(crate) recipe: Option<PathBuf>,
    /// Change any field of the recipe, such as stages.1.learning_rate=1e-5
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_setting)]
    pub(crate) set: Vec<(String, String)>,
    /// The run's folder [default: runs/<data>-<n>]
    #[arg(long, value_name = "RUN")]
    pub(crate) out: Option<PathBuf>,
    /// Epochs of each stage, such as 5,5; 0 leaves a stage out
    #[arg(long, value_name = "N,N")]
    pub(crate) epochs: Option<String>,
    /// Pictures a step
    #[arg(long, value_name = "N")]
    pub(crate) batch_size: Option<usize>,
    /// Of a stage that names none: this for the head, a tenth for the upper layers, a hundredth for all
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) learning_rate: Option<f64>,
    /// The side of the square that pictures are resized to [default: the backbone's]
    #[arg(long, value_name = "N")]
    pub(crate) input_size: Option<usize>,
    /// Decode large JPEGs to no more pixels than the network needs: faster, and nearly the same features
    #[arg(long, value_name = "full|scaled", value_parser = ["full", "scaled"], hide_possible_values = true)]
    pub(crate) decode: Option<String>,
    /// Take these classes only, in this order
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) classes: Option<Vec<String>>,
    /// How training pictures are varied: a preset, a pipeline, or none [default: by their number]
    #[arg(long, value_name = "NAME|none")]
    pub(crate) augment: Option<String>,
    /// Decides everything random [default: 42]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Threads; the result is the same for any number [default: all]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) threads: Option<usize>,
    /// In what 1×1 convolutions multiply
    #[arg(long, value_name = "f32|bf16", value_parser = ["f32", "bf16"], hide_possible_values = true)]
    pub(crate) precision: Option<String>,
    /// Keep no features on disk
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Stop at the first picture that can't be read
    #[arg(long)]
    pub(crate) strict: bool,
    /// Go on with --out RUN, else with the latest unfinished run of these data
    #[arg(long)]
    pub(crate) resume: bool,
}
