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

use clap::{CommandFactory, FromArgMatches};
use defrost::report::Lang;

use args::Args;
use lang::Words;
use terminal::Terminal;

fn main() -> ExitCode {
    let asked = environment::asked_lang().unwrap_or_else(environment::lang);
    let mut line = Args::command();
    line.build();
    if asked == Lang::Korean {
        line = lang::help::korean(line);
    }
    let matches = line.try_get_matches_from_mut(std::env::args_os());
    let args = match matches.and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(error) => return terminal::explain_usage(&error),
    };
    let common = args.common;
    let words = Words(common.lang.unwrap_or_else(environment::lang));
    let terminal = Terminal::new(words, common.json, common.quiet, common.verbose);
    let Some(command) = args.command else { return terminal.welcome() };
    match commands::run(command, &mut line, &terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => terminal.explain(&failure),
    }
}
