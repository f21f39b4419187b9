//! Typed settings out of TOML: every mistake at once, each with its key and the nearest known name.
//!
//! A settings type derives serde's traits with `deny_unknown_fields`; [`read`] fills it. serde stops at the first mistake, so
//! `read` notes it, takes the value out and reads again, until the rest is sound. Invariant: a mistake's key is the full
//! dotted path (`stages.1.learning_rate`), list indices counted from 0, from which its line can be found.
//!
//! A name stands for a table without further settings: `optimizer = "adam"` reads as `optimizer = { adam = {} }`.

mod reader;

use std::fmt::{self, Display};

use serde::de::DeserializeOwned;
use toml::Value;

use crate::error::nearest;
use reader::{Fault, Reader};

/// One mistake in settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    /// The dotted path, indices from 0: `stages.1.learning_rate`. Empty where the text as a whole is meant.
    pub key: String,
    /// The line, counted from 1, where the settings come from a text.
    pub line: Option<usize>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// The text isn't TOML.
    Syntax {
        /// What the TOML parser says.
        message: String,
    },
    /// No such setting.
    UnknownKey {
        /// The full path of the known key that it resembles most.
        nearest: Option<String>,
        /// The keys that there are.
        known: &'static [&'static str],
    },
    /// A setting without a default isn't there.
    Missing,
    /// Of the wrong type, out of range, or a name that isn't known.
    Unexpected {
        /// What it must be: `> 0`, `a number`, ``one of `adam`, `sgd` ``.
        expected: String,
        /// What it is.
        got: String,
        /// The known name that it resembles most.
        nearest: Option<String>,
    },
    /// Two settings exclude each other, or one needs another.
    Conflict {
        /// A predicate of which the key is the subject, with the remedy.
        says: String,
    },
}

impl Mistake {
    /// `key` must be `expected`; it is `got`.
    pub fn unexpected(key: impl Into<String>, expected: impl Into<String>, got: impl Display) -> Mistake {
        let problem = Problem::Unexpected { expected: expected.into(), got: got.to_string(), nearest: None };
        Mistake { key: key.into(), line: None, problem }
    }
}

impl Mistake {
    /// Whether it is a misspelling of the key at `path`.
    fn means(&self, path: &[String]) -> bool {
        matches!(&self.problem, Problem::UnknownKey { nearest: Some(nearest), .. } if *nearest == path.join("."))
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let subject = if key.is_empty() { "the value".to_owned() } else { format!("`{key}`") };
        let remedy = |nearest: &Option<String>| nearest.as_ref().map(|name| format!("; did you mean `{name}`?"));
        match &self.problem {
            Problem::Syntax { message } => write!(f, "{message}"),
            Problem::UnknownKey { nearest, known } => {
                let known = || format!("; there are `{}`", known.join("`, `"));
                write!(f, "unknown key `{key}`{}", remedy(nearest).unwrap_or_else(known))
            }
            Problem::Missing => write!(f, "{subject} is missing"),
            Problem::Unexpected { expected, got, nearest } => {
                write!(f, "{subject} must be {expected}; got {got}{}", remedy(nearest).unwrap_or_default())
            }
            Problem::Conflict { says } => write!(f, "{subject} {says}"),
        }
    }
}

/// Collects what is out of range, below a path of keys.
#[derive(Debug, Default)]
pub struct Checks {
    path: Vec<String>,
    mistakes: Vec<Mistake>,
}

impl Checks {
    /// Nothing checked yet.
    pub fn new() -> Checks {
        Checks::default()
    }

    /// Notes a mistake unless `sound`: `key` must be `expected`; it is `got`.
    pub fn require(&mut self, sound: bool, key: &str, expected: &str, got: impl fmt::Debug) {
        if !sound {
            let mistake = Mistake::unexpected(self.path_of(key), expected, format_args!("{got:?}"));
            self.mistakes.push(mistake);
        }
    }

    /// Notes a mistake unless `sound`: `key` must be `expected`; it is `name`, which may be a misspelling of a `known` one.
    pub fn require_known<'a>(
        &mut self,
        sound: bool,
        key: &str,
        expected: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        if !sound {
            let nearest = nearest(name, known).map(str::to_owned);
            let problem = Problem::Unexpected { expected: expected.to_owned(), got: format!("`{name}`"), nearest };
            self.mistakes.push(Mistake { key: self.path_of(key), line: None, problem });
        }
    }

    /// Notes that `key` conflicts with another setting, unless `sound`.
    pub fn require_agreement(&mut self, sound: bool, key: &str, says: impl Into<String>) {
        if !sound {
            let mistake =
                Mistake { key: self.path_of(key), line: None, problem: Problem::Conflict { says: says.into() } };
            self.mistakes.push(mistake);
        }
    }

    /// Runs `check` with the keys below `key`.
    pub fn within(&mut self, key: impl Display, check: impl FnOnce(&mut Checks)) {
        self.path.push(key.to_string());
        check(self);
        self.path.pop();
    }

    /// What was found.
    pub fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }

    fn path_of(&self, key: &str) -> String {
        if key.is_empty() { self.path.join(".") } else { dotted(&self.path, key) }
    }
}

fn dotted(path: &[String], key: &str) -> String {
    path.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join(".")
}

/// Reads `T` from a value and checks its ranges.
///
/// # Errors
/// All mistakes there are: of form, and of range in what could be read.
pub fn read<T: DeserializeOwned>(mut value: Value, check: impl FnOnce(&T, &mut Checks)) -> Result<T, Vec<Mistake>> {
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut taken = Taken::default();
    let settings = loop {
        let Fault { path, mut problem } = match T::deserialize(Reader(value.clone())) {
            Ok(settings) => break settings,
            Err(fault) => fault,
        };
        let path: Vec<String> = path.into_iter().rev().collect();
        let original = taken.original(&path);
        let new = match &mut problem {
            Problem::UnknownKey { nearest, .. } => {
                *nearest = nearest.take().map(|name| dotted(&original[..original.len() - 1], &name));
                true
            }
            Problem::Missing => !taken.explains(&original) && !mistakes.iter().any(|mistake| mistake.means(&original)),
            _ => !taken.explains(&original),
        };
        if new {
            mistakes.push(Mistake { key: original.join("."), line: None, problem });
        }
        if !take_out(&mut value, &path, &mut taken) {
            return Err(mistakes);
        }
    };
    let mut checks = Checks::new();
    check(&settings, &mut checks);
    mistakes.extend(checks.into_mistakes().into_iter().filter_map(|mistake| {
        let path: Vec<String> = mistake.key.split('.').map(str::to_owned).collect();
        let original = taken.original(&path);
        (!taken.explains(&original)).then(|| Mistake { key: original.join("."), ..mistake })
    }));
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

/// What was taken out so that the rest could be read, by paths in the value as it was given.
#[derive(Default)]
struct Taken {
    paths: Vec<Vec<String>>,
    /// Entries that are missing from their lists, whose later neighbours have moved up; ascending.
    gaps: Vec<(Vec<String>, usize)>,
}

impl Taken {
    /// Whether a mistake at `path` may only be there because of what was taken out in or around it.
    fn explains(&self, path: &[String]) -> bool {
        self.paths.iter().any(|taken| taken.starts_with(path) || path.starts_with(taken))
    }

    /// Notes that the entry at `path` is out of its list.
    fn note_gap(&mut self, path: &[String]) {
        if let Some((index, list)) = path.split_last()
            && let Ok(index) = index.parse()
        {
            self.gaps.push((list.to_vec(), index));
            self.gaps.sort_unstable();
        }
    }

    /// The path as it was before list entries moved up.
    fn original(&self, path: &[String]) -> Vec<String> {
        let mut original: Vec<String> = Vec::with_capacity(path.len());
        for key in path {
            let index = key.parse().ok().map(|mut index: usize| {
                for (_, gap) in self.gaps.iter().filter(|(list, _)| *list == original) {
                    index += usize::from(*gap <= index);
                }
                index.to_string()
            });
            original.push(index.unwrap_or_else(|| key.clone()));
        }
        original
    }
}

/// Takes what is at `path` out of `value`, or what is nearest around it. A table in a list is emptied first, and taken out of
/// the list only if that doesn't help.
fn take_out(value: &mut Value, path: &[String], taken: &mut Taken) -> bool {
    for length in (1..=path.len()).rev() {
        let (parents, last) = (&path[..length - 1], &path[length - 1]);
        let original = taken.original(&path[..length]);
        let found = match parents.iter().try_fold(&mut *value, |place, key| child(place, key)) {
            Some(Value::Table(table)) => table.remove(last).is_some(),
            Some(Value::Array(list)) => match last.parse().ok().filter(|index| *index < list.len()) {
                Some(index) => {
                    match &mut list[index] {
                        Value::Table(entry) if !entry.is_empty() => entry.clear(),
                        _ => {
                            list.remove(index);
                            taken.note_gap(&original);
                        }
                    }
                    true
                }
                None => false,
            },
            _ => false,
        };
        if found {
            taken.paths.push(original);
            return true;
        }
    }
    false
}

fn child<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    match value {
        Value::Table(table) => table.get_mut(key),
        Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    }
}

/// A value as TOML on one line, floats with as few digits as give the same number: `1e-6`, `[1, 2]`, `{ last = 30 }`.
pub fn inline(value: &serde_json::Value) -> String {
    use serde_json::Value as Json;
    match value {
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => format!("{float:?}"),
            _ => number.to_string(),
        },
        Json::String(text) => Value::from(text.as_str()).to_string(),
        Json::Array(list) => format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Json::Object(table) if table.values().all(Json::is_null) => "{}".to_owned(),
        Json::Object(table) => {
            let present = table.iter().filter(|(_, value)| !value.is_null());
            let entries: Vec<String> = present.map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Json::Bool(_) | Json::Null => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        batch_size: u32,
        learning_rate: f64,
        shape: Shape,
        parts: Vec<Part>,
    }

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(rename_all = "snake_case")]
    enum Shape {
        #[default]
        Point,
        Circle(Circle),
    }

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Circle {
        radius: Option<f64>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Part {
        weight: f64,
        #[serde(default)]
        label: String,
    }

    fn read_text(text: &str) -> Result<Outer, Vec<String>> {
        let check = |outer: &Outer, checks: &mut Checks| {
            checks.within("parts", |checks| {
                for (index, part) in outer.parts.iter().enumerate() {
                    checks.within(index, |checks| checks.require(part.weight >= 0.0, "weight", ">= 0", part.weight));
                }
            });
        };
        let read = read(Value::Table(text.parse().unwrap()), check);
        read.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_name_stands_for_a_table() {
        assert_eq!(read_text("shape = 'circle'").unwrap().shape, Shape::Circle(Circle { radius: None }));
        let expected =
            Outer { learning_rate: 1.0, shape: Shape::Circle(Circle { radius: Some(2.0) }), ..Outer::default() };
        assert_eq!(read_text("learning_rate = 1\nshape = { circle = { radius = 2 } }"), Ok(expected));
    }

    #[test]
    fn all_mistakes_are_found_at_once() {
        let mistakes = read_text(
            "batch_size = -1\nlr = 2\nshape = { cirle = {} }\n\
             parts = [3, { weight = 'x', label = 3 }, { weigth = 1, weight = 1.5 }, { label = 'a' }, { weight = -0.5 }]",
        );
        let mistakes = mistakes.unwrap_err();
        insta::assert_snapshot!(mistakes.join("\n"), @r#"
        `batch_size` must be a whole number of at least 0; got -1
        unknown key `lr`; did you mean `learning_rate`?
        `shape` must be one of `point`, `circle`; got `cirle`; did you mean `circle`?
        `parts.0` must be a table; got 3
        `parts.1.weight` must be a number; got "x"
        `parts.1.label` must be a string; got 3
        unknown key `parts.2.weigth`; did you mean `parts.2.weight`?
        `parts.3.weight` is missing
        `parts.4.weight` must be >= 0; got -0.5
        "#);
    }

    #[test]
    fn a_table_with_two_names_is_a_mistake() {
        let mistake = |text| read_text(text).unwrap_err().join("\n");
        insta::assert_snapshot!(mistake("shape = { point = 1, circle = 2 }"), @"`shape` must be one of `point`, `circle`; got `point` and `circle`");
        insta::assert_snapshot!(mistake("shape = { point = { radius = 1 } }"), @"`shape` must be just \"point\"; got a table");
        insta::assert_snapshot!(mistake("shape = 1979-05-27"), @"`shape` must be one of `point`, `circle`; got a date");
    }

    #[test]
    fn checks_know_their_path() {
        let mut checks = Checks::new();
        checks.within("stages", |checks| checks.within(1, |checks| checks.require(false, "epochs", "> 0", 0)));
        checks.require(true, "seed", "anything", 1);
        let mistakes = checks.into_mistakes();
        assert_eq!(mistakes.len(), 1);
        assert_eq!(mistakes[0].to_string(), "`stages.1.epochs` must be > 0; got 0");
    }
}
