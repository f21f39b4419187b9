//! `--help` in Korean. In English it is what the arguments' own comments say.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use clap::{Arg, Command};

/// A section for each command, with its own text and those of its arguments; a test sees to it that they are whole.
static KOREAN: LazyLock<BTreeMap<String, BTreeMap<String, String>>> =
    LazyLock::new(|| toml::from_str(include_str!("help/korean.toml")).unwrap_or_default());

/// Clap's own layout with Korean headings.
const TEMPLATE: &str = "{about-with-newline}\n사용법: {usage}\n\n{all-args}{after-help}";

/// The command line with its help in Korean.
///
/// It must be built: what clap adds by itself is translated, too.
pub(crate) fn korean(command: Command) -> Command {
    translated(command, "")
}

fn translated(command: Command, path: &str) -> Command {
    let about = text(path, "about");
    let examples = command.get_after_help().map(|help| {
        let help = help.to_string().replace("Examples:", "예:").replace("Example:", "예:");
        match help.strip_prefix("Exit codes:") {
            Some(_) => "종료 코드: 0 완료, 1 입력의 잘못, 2 프로그램이나 시스템의 문제, 130 Ctrl-C로 멈춤".to_owned(),
            None => help,
        }
    });
    let command = command
        .help_template(TEMPLATE)
        .subcommand_help_heading("명령")
        .mut_args(|argument| translated_argument(argument, path))
        .mut_subcommands(|below| {
            let path = format!("{path} {}", below.get_name());
            translated(below, path.trim())
        });
    let command = if let Some(about) = about { command.about(about) } else { command };
    if let Some(examples) = examples { command.after_help(examples) } else { command }
}

fn translated_argument(argument: Arg, path: &str) -> Arg {
    let name = argument.get_id().as_str();
    let Some(help) = text(path, name).or_else(|| text("*", name)) else { return argument };
    let default: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let shown = !argument.is_hide_default_value_set() && argument.get_action().takes_values() && !default.is_empty();
    let help = if shown { format!("{help} [기본값: {}]", default.join(", ")) } else { help.to_owned() };
    let heading = if argument.is_positional() { "인수" } else { "옵션" };
    argument.help(help).help_heading(heading).hide_default_value(true)
}

/// The text of `name` in the section of a command.
fn text(path: &str, name: &str) -> Option<&'static str> {
    KOREAN.get(path)?.get(name).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::CommandFactory;

    /// Every text that a command needs, as `section name`.
    fn needed(command: &Command, path: &str) -> Vec<(String, String)> {
        let mut needed = vec![(path.to_owned(), "about".to_owned())];
        needed.extend(command.get_arguments().map(|argument| (path.to_owned(), argument.get_id().to_string())));
        for below in command.get_subcommands() {
            needed.extend(self::needed(below, format!("{path} {}", below.get_name()).trim()));
        }
        needed
    }

    #[test]
    fn every_text_is_there_in_korean_and_none_is_left_over() {
        let mut command = Args::command();
        command.build();
        let needed = needed(&command, "");
        let missing: Vec<_> =
            needed.iter().filter(|(path, name)| text(path, name).or_else(|| text("*", name)).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        for (section, texts) in KOREAN.iter() {
            for key in texts.keys() {
                let used = needed.iter().any(|(path, name)| (path == section || section == "*") && name == key);
                assert!(used, "[{section}] {key}");
            }
        }
    }
}
