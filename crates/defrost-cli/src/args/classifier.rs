//! What is done with a finished classifier: predict, evaluate, compare, report, serve, export.

use std::net::SocketAddr;
use std::path::PathBuf;

use defrost::export::{Batch, Format};

use super::value::{parse_batch, parse_count, parse_quantity, parse_seconds, parse_share};

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

/// Write a run's report anew: one page that holds everything it shows
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  defrost report
  defrost report runs/photos-1 --doctor
  defrost report runs/photos-1 --lang ko --out report.ko.html")]
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
