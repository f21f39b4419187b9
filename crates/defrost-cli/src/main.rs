//! The program `defrost`: arguments in, the library's work, words and data out.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod environment;
mod failure;
mod interrupt;
mod lang;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use args::Args;
use lang::Words;
use terminal::Terminal;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return terminal::explain_usage(&error),
    };
    let common = args.common;
    let words = Words(common.lang.unwrap_or_else(environment::lang));
    let terminal = Terminal::new(words, common.json, common.quiet, common.verbose);
    match commands::run(args.command, &terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => terminal.explain(&failure),
    }
}
