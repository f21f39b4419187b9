//! The command line. Names are promises: scripts depend on them. A flag of `train` is a recipe field's shortcut.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use defrost::data::Fold;
use defrost::export::{Batch, Format};
use defrost::graph::Cut;
use defrost::report::Lang;

/// Transfer learning for image classifiers: a folder of pictures in, a classifier and the evidence of how good it is out
#[derive(Debug, Parser)]
#[command(name = "defrost", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 the input is at fault, 2 the program or the system is, 130 stopped with Ctrl-C"
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Language of what is said, of figures and reports: en or ko [default: the locale's]
    #[arg(long, global = true, value_name = "LANG", display_order = 900)]
    pub(crate) lang: Option<Lang>,
    /// Print the result as one JSON object on stdout
    #[arg(long, global = true, display_order = 901)]
    pub(crate) json: bool,
    /// Say nothing but warnings and errors
    #[arg(short, long, global = true, display_order = 902)]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 903)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Train(Box<Train>),
    Predict(Predict),
    Evaluate(Evaluate),
    Compare(Compare),
    Serve(Serve),
    Export(Export),
    Advise(Advise),
    Doctor(Doctor),
    Report(Report),
    Embed(Embed),
    Sample(Sample),
    Augment(Augment),
    Summary(Summary),
    Schedule(Schedule),
    /// Check a recipe, show it with every default filled in, or verify its result
    Recipe {
        #[command(subcommand)]
        action: RecipeAction,
    },
    /// List the backbones, or fetch the weights of one
    Backbones {
        #[command(subcommand)]
        action: Option<BackbonesAction>,
    },
    Bench(Bench),
    /// What is kept on disk between runs: weights and features
    Cache {
        #[command(subcommand)]
        action: CacheAction,
    },
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  defrost completions bash > ~/.local/share/bash-completion/completions/defrost")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

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

/// Say what is on pictures
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost predict my.jpg
  defrost predict runs/photos-1 holiday/ --top-k 3 --csv > holiday.csv
  defrost predict my.jpg --explain why --nearest 3
  find . -name '*.jpg' | defrost predict runs/photos-1 - --json")]
pub(crate) struct Predict {
    /// A run or a classifier in one file (left out: the latest in runs/), then pictures, folders of pictures and patterns such as
    /// 'photos/*.jpg'; - reads paths from stdin, one a line
    #[arg(required = true, value_name = "RUN|FILE|DIR")]
    pub(crate) paths: Vec<PathBuf>,
    /// List the K most probable classes
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = parse_count)]
    pub(crate) top_k: usize,
    /// Name no class that is less probable than this
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = parse_share, hide_default_value = true)]
    pub(crate) min_probability: f32,
    /// Name no class for pictures that are unlike all training pictures
    #[arg(long)]
    pub(crate) reject_unlike: bool,
    /// Draw what each answer rests on over its picture, as PNG in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) explain: Option<PathBuf>,
    /// Name the K training pictures that are most like each picture, from the cached features
    #[arg(long, value_name = "K", value_parser = parse_count)]
    pub(crate) nearest: Option<usize>,
    /// Print CSV on stdout
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

/// Measure a classifier on labelled pictures that it was not trained on
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost evaluate photos/test
  defrost evaluate runs/photos-1 photos/test --json
  defrost evaluate photos/test --out figures")]
pub(crate) struct Evaluate {
    /// A run (left out: the latest in runs/), then the pictures: a folder for each class
    #[arg(required = true, num_args = 1..=2, value_name = "RUN|DATA")]
    pub(crate) paths: Vec<PathBuf>,
    /// Draw the confusion matrix and the reliability into this folder, as SVG and PNG
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Compare two classifiers on the same pictures: which is better, how surely, and where they differ
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost compare runs/photos-1 runs/photos-2
  defrost compare runs/photos-1 runs/photos-2 photos/test --json")]
pub(crate) struct Compare {
    /// A run, or a classifier in one file
    pub(crate) a: PathBuf,
    /// Another
    pub(crate) b: PathBuf,
    /// Labelled pictures [default: those that both runs validated on, from their predictions.csv]
    pub(crate) data: Option<PathBuf>,
}

/// Answer over HTTP what is on pictures, with a page to drop them on; wrong answers can be marked there
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost serve
  defrost serve runs/photos-1 --addr 127.0.0.1:9000
  curl -F picture=@my.jpg http://127.0.0.1:8000/predict")]
pub(crate) struct Serve {
    /// A run [default: the latest in runs/]
    pub(crate) run: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8000")]
    pub(crate) addr: SocketAddr,
    /// Answer only who sends this as a bearer token; needed where others than this machine can ask [default: DEFROST_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Bytes of a request and of a picture, at most
    #[arg(long, value_name = "N", default_value = "32M", value_parser = parse_quantity)]
    pub(crate) max_bytes: u64,
    /// Pixels of a picture, at most
    #[arg(long, value_name = "N", default_value = "50M", value_parser = parse_quantity)]
    pub(crate) max_pixels: u64,
    /// Requests that are read or answered at one time, at most; others are asked to come again
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = parse_count)]
    pub(crate) max_in_flight: usize,
    /// Seconds that a request may take to arrive, and then to be answered
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = parse_seconds)]
    pub(crate) timeout: f64,
    /// Threads that see pictures [default: all]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) threads: Option<usize>,
}

/// Write a classifier as a file for other programs: ONNX, Keras, PyTorch
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost export --out flowers.onnx --preprocess
  defrost export runs/photos-1 --out flowers.keras
  defrost export runs/photos-1 --out flowers.defrost && defrost predict flowers.defrost my.jpg")]
pub(crate) struct Export {
    /// A run, or a classifier in one file [default: the latest in runs/]
    pub(crate) run: Option<PathBuf>,
    /// The file; its ending says how it is written: .onnx, .keras, .weights.h5, .safetensors (timm's names), .defrost or .md (the
    /// model card)
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// onnx, keras, keras-weights, safetensors, defrost or card, where the ending doesn't say
    #[arg(long, value_name = "NAME")]
    pub(crate) format: Option<Format>,
    /// onnx: take RGB 0–255 as decoded and resized, channels last, and bring it to what the network expects
    #[arg(long)]
    pub(crate) preprocess: bool,
    /// onnx: pictures at once [default: dynamic]
    #[arg(long, value_name = "N|dynamic", value_parser = parse_batch)]
    pub(crate) batch: Option<Batch>,
}

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

/// Write a run's report anew: one page that holds everything it shows
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost report
  defrost report runs/photos-1 --doctor
  defrost report runs/photos-1 --lang ko --out 보고서.html")]
pub(crate) struct Report {
    /// The run [default: the latest]
    pub(crate) run: Option<PathBuf>,
    /// Examine the data, too: copies, leaks, likely wrong labels
    #[arg(long)]
    pub(crate) doctor: bool,
    /// Where the page is written [default: report.html in the run]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
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

#[derive(Debug, Subcommand)]
pub(crate) enum RecipeAction {
    /// Find every mistake, before any work
    Check {
        /// A recipe in TOML
        file: PathBuf,
    },
    /// Print it with every default filled in
    Show {
        /// A recipe in TOML
        file: PathBuf,
    },
    /// Run it, and compare the result with the range that its `[expect]` states
    Verify {
        /// A recipe in TOML
        file: PathBuf,
        /// The data [default: the recipe's]
        data: Option<PathBuf>,
    },
}

/// Print a backbone's layers, and what trains for a cut
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  defrost summary efficientnet_b0 --num-classes 5 --cut last=30\n  defrost summary efficientnet_lite0 --cut from=block6c --json"
)]
pub(crate) struct Summary {
    /// A backbone's id, with or without its tag (see `defrost backbones`)
    pub(crate) backbone: String,
    /// Put the default head for N classes on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub(crate) num_classes: Option<u32>,
    /// The first trainable layer: last=30, fraction=0.7 (the share kept frozen), from=block6d or all [default: all is frozen]
    #[arg(long, value_name = "CUT", value_parser = parse_cut)]
    pub(crate) cut: Option<Cut>,
    /// The graph that Keras builds without pretrained weights
    #[arg(long, value_name = "none", value_parser = ["none"])]
    pub(crate) weights: Option<String>,
}

/// Print, draw or export a learning-rate schedule
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  defrost schedule 'cosine_decay(initial_learning_rate=1e-4, decay_steps=1000, alpha=1e-6)'\n  defrost schedule 'cosine_decay(initial_learning_rate=1e-4)' --steps 400 --out schedule.svg"
)]
pub(crate) struct Schedule {
    /// A schedule as a call with Keras' names, or a number
    pub(crate) schedule: String,
    /// The last step [default: the schedule's own end]
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<u32>,
    /// Draw it into this file, .svg or .png
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Measure how fast a backbone runs on this machine, with random weights and pictures
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost bench
  defrost bench efficientnet_b0 --cut from=block6d --threads 1
  defrost bench efficientnet_b0 --plan")]
pub(crate) struct Bench {
    /// A backbone's id, with or without its tag (see `defrost backbones`)
    #[arg(default_value = "efficientnet_lite0")]
    pub(crate) backbone: String,
    /// The first layer that the training step trains: last=30, fraction=0.7, from=block6d or all
    #[arg(long, value_name = "CUT", value_parser = parse_cut, default_value = "last=30")]
    pub(crate) cut: Cut,
    /// In what 1×1 convolutions multiply
    #[arg(long, value_name = "f32|bf16", value_parser = ["f32", "bf16"], hide_possible_values = true, default_value = "f32")]
    pub(crate) precision: String,
    /// Threads [default: all]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) threads: Option<usize>,
    /// Print the fused steps of the forward pass, each with its shape, bytes, time and share of the peak, on one thread
    #[arg(long)]
    pub(crate) plan: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackbonesAction {
    /// Download a backbone's weights from their publisher and verify them
    Fetch {
        /// A backbone's id, with or without its tag
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheAction {
    /// Where the cache is and what it holds
    Info,
    /// Remove what can be computed or downloaded again: features and half downloads
    Prune,
    /// Check every row of features, and remove the damaged ones
    Verify,
}

/// `last=30`, `fraction=0.7`, `from=block6d`, `all`.
fn parse_cut(text: &str) -> Result<Cut, String> {
    if text == "all" {
        return Ok(Cut::All);
    }
    let form = || "expected `last=30`, `fraction=0.7`, `from=block6d` or `all`".to_owned();
    let (key, value) = text.split_once('=').ok_or_else(form)?;
    match key {
        "last" => value.parse().map(Cut::Last).map_err(|_| format!("`last` must be a number of layers; got {value}")),
        "fraction" => value.parse().map(Cut::Fraction).map_err(|_| format!("`fraction` must be a share; got {value}")),
        "from" if !value.is_empty() => Ok(Cut::From(value.to_owned())),
        _ => Err(form()),
    }
}

/// `key=value`.
fn parse_setting(text: &str) -> Result<(String, String), String> {
    let setting = text.split_once('=').filter(|(key, _)| !key.trim().is_empty());
    let setting = setting.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    setting.ok_or_else(|| "expected `key=value`, such as `stages.1.learning_rate=1e-5`".to_owned())
}

fn parse_count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a whole number of at least 1".to_owned())
}

/// `50000000`, `50M`: decimal multiples.
fn parse_quantity(text: &str) -> Result<u64, String> {
    let multiples = [("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)];
    let suffixed = multiples.into_iter().find_map(|(suffix, multiple)| Some((text.strip_suffix(suffix)?, multiple)));
    let (number, multiple) = suffixed.unwrap_or((text, 1));
    let quantity = number.parse().ok().and_then(|number: u64| number.checked_mul(multiple)).filter(|n| *n > 0);
    quantity.ok_or_else(|| "expected a number such as 500000, 500k, 32M or 1G".to_owned())
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.001..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "expected seconds from 0.001 to 86400".to_owned())
}

fn parse_batch(text: &str) -> Result<Batch, String> {
    match (text, text.parse()) {
        ("dynamic", _) => Ok(Batch::Dynamic),
        (_, Ok(pictures @ 1..=65_536)) => Ok(Batch::Fixed(pictures)),
        _ => Err("expected `dynamic`, or a number of pictures from 1 to 65536".to_owned()),
    }
}

fn parse_share(text: &str) -> Result<f32, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a probability from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_setting_may_hold_further_equals_signs() {
        let parsed = parse_setting("stages.1.learning_rate=cosine_decay(alpha=0.1)").unwrap();
        assert_eq!(parsed, ("stages.1.learning_rate".to_owned(), "cosine_decay(alpha=0.1)".to_owned()));
        assert!(parse_setting("=3").is_err() && parse_setting("seed").is_err());
    }

    #[test]
    fn quantities_are_whole_and_positive() {
        assert_eq!(
            ["7", "500k", "32M", "1G"].map(|text| parse_quantity(text).unwrap()),
            [7, 500_000, 32_000_000, 1_000_000_000]
        );
        for wrong in ["", "0", "0M", "-1", "1.5M", "M", "3T", "99999999999999999999", "18446744073709551615k"] {
            assert!(parse_quantity(wrong).is_err(), "{wrong}");
        }
        assert!(parse_seconds("0").is_err() && parse_seconds("NaN").is_err() && parse_seconds("0.5").is_ok());
    }

    #[test]
    fn cuts_have_three_forms() {
        assert_eq!(parse_cut("last=30"), Ok(Cut::Last(30)));
        assert_eq!(parse_cut("fraction=0.7"), Ok(Cut::Fraction(0.7)));
        assert_eq!(parse_cut("from=block6d"), Ok(Cut::From("block6d".to_owned())));
        assert_eq!(parse_cut("all"), Ok(Cut::All));
        for wrong in ["last=-1", "last", "from=", "first=3", "fraction=x"] {
            assert!(parse_cut(wrong).is_err(), "{wrong}");
        }
    }
}
