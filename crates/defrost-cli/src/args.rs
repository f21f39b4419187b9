//! The command line. Names are promises: scripts depend on them. A flag of `train` is a recipe field's shortcut.

mod classifier;
mod data;
mod network;
mod train;
mod value;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use defrost::report::Lang;

pub(crate) use classifier::{Compare, Evaluate, Export, Predict, Report, Serve};
pub(crate) use data::{Advise, Augment, Doctor, Embed, Sample};
pub(crate) use network::{BackbonesAction, Bench, Schedule, Summary};
pub(crate) use train::Train;

/// Transfer learning for image classifiers: a folder of pictures in, a classifier and the evidence of how good it is out
#[derive(Debug, Parser)]
#[command(
    name = "defrost",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    override_usage = "defrost [OPTIONS] <COMMAND>"
)]
#[command(
    after_help = "Exit codes: 0 done, 1 the input is at fault, 2 the program or the system is, 130 stopped with Ctrl-C"
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Without one, a few words of welcome.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
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
    /// Print this help, or that of a command
    Help {
        /// The command
        command: Vec<String>,
    },
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

#[derive(Debug, Subcommand)]
pub(crate) enum CacheAction {
    /// Where the cache is and what it holds
    Info,
    /// Remove what can be computed or downloaded again: features and half downloads
    Prune,
    /// Check every row of features, and remove the damaged ones
    Verify,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
