//! What is asked of networks and schedules: summary, schedule, bench, backbones.

use std::path::PathBuf;

use clap::Subcommand;
use defrost::graph::Cut;

use super::value::{parse_count, parse_cut};

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
    /// Print instead the fused steps of the forward pass and the layers of the training step, each with its time and share of the
    /// peak, on one thread
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
