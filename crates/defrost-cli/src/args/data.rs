//! What is done with pictures: advise, doctor, embed, sample, augment.

use std::path::PathBuf;

use super::value::parse_count;

/// Say which strategy suits the pictures, why, and print the recipe for it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  defrost advise photos/ > advised.toml && defrost train --recipe advised.toml")]
pub(crate) struct Advise {
    /// Pictures in any form that `train` reads
    pub(crate) data: PathBuf,
    /// The pretrained network [default: efficientnet_lite0.imagenet]
    #[arg(long, value_name = "ID")]
    pub(crate) backbone: Option<String>,
    /// Its weights, from a file or an earlier run [default: the backbone's own]
    #[arg(long, value_name = "FILE|RUN")]
    pub(crate) weights: Option<String>,
}

/// Find what is wrong with pictures: files, copies, leaks, labels; nothing is changed
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost doctor photos/
  defrost doctor photos/ --html photos.html && defrost train photos/ --exclude photos.exclude.csv
  defrost doctor photos/ --json | jq '.counts'")]
pub(crate) struct Doctor {
    /// A folder of class folders, a tar archive of one, or CIFAR-10
    pub(crate) data: PathBuf,
    /// Write a page with thumbnails, and beside it the list of pictures to leave out
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the list of pictures to leave out to this .csv [default: FILE.exclude.csv beside the page FILE.html]
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude_out: Option<PathBuf>,
    /// Take these classes only
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) classes: Option<Vec<String>>,
    /// The pretrained network [default: efficientnet_lite0.imagenet]
    #[arg(long, value_name = "ID")]
    pub(crate) backbone: Option<String>,
    /// Its weights, from a file or an earlier run [default: the backbone's own]
    #[arg(long, value_name = "FILE|RUN")]
    pub(crate) weights: Option<String>,
    /// Keep no features on disk
    #[arg(long)]
    pub(crate) no_cache: bool,
}

/// Write the pooled features of pictures to a file, with paths and labels beside it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost embed photos/ --out features.npy
  defrost embed photos/ --out features.safetensors --backbone efficientnet_b0")]
pub(crate) struct Embed {
    /// Pictures in any form that `train` reads
    pub(crate) data: PathBuf,
    /// The file; its ending says how it is written: .npy, .safetensors or .parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The pretrained network [default: efficientnet_lite0.imagenet]
    #[arg(long, value_name = "ID")]
    pub(crate) backbone: Option<String>,
    /// Its weights, from a file or an earlier run [default: the backbone's own]
    #[arg(long, value_name = "FILE|RUN")]
    pub(crate) weights: Option<String>,
    /// The side of the square that pictures are resized to [default: the backbone's]
    #[arg(long, value_name = "N")]
    pub(crate) input_size: Option<usize>,
    /// Decode large JPEGs to no more pixels than the network needs: faster, and nearly the same features
    #[arg(long, value_name = "full|scaled", value_parser = ["full", "scaled"], hide_possible_values = true)]
    pub(crate) decode: Option<String>,
    /// Keep no features on disk
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Stop at the first picture that can't be read
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Draw a small data set of our own, for a first try without any pictures
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  defrost sample shapes && defrost train shapes")]
pub(crate) struct Sample {
    /// A new or empty folder
    pub(crate) dir: PathBuf,
    /// Pictures of each class
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) per_class: u32,
    /// About so many pixels along a side
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) size: u32,
    /// Another number draws other pictures
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

/// Draw pictures and their augmented views side by side, as a contact sheet
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost augment photos/
  defrost augment cat.jpg dog.jpg --augment 'rotate(15)|flip|crop(0.8..1)' --views 6 --out sheet.png")]
pub(crate) struct Augment {
    /// Pictures and folders of pictures, or an archive
    #[arg(required = true, value_name = "DATA|FILE")]
    pub(crate) paths: Vec<PathBuf>,
    /// A preset or a pipeline
    #[arg(long, value_name = "NAME", default_value = "standard")]
    pub(crate) augment: String,
    /// Views of each picture, the plain one included
    #[arg(long, value_name = "K", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) views: u32,
    /// Decides the views: the recipe's augment.seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// At most so many pictures, evenly taken from all
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = parse_count)]
    pub(crate) pictures: usize,
    /// The side of the square that pictures are resized to
    #[arg(long, value_name = "N", default_value_t = 224, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) input_size: u32,
    /// Draw it into this .png
    #[arg(long, value_name = "FILE", default_value = "augment.png")]
    pub(crate) out: PathBuf,
}
