//! What of a data set is read, and how its validation pictures are chosen.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The share of the training pictures that [`Validation::Auto`] sets aside.
pub const DEFAULT_FRACTION: f32 = 0.2;

/// How [`open`](super::open) reads a data set. The serialised fields are those of a recipe's `[data]` table; `seed` and
/// `strict` are the whole run's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataOptions {
    /// A folder (or tar archive) of class folders that is the validation set, whatever lies beside the training
    /// pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_dir: Option<PathBuf>,
    /// The classes to take; empty takes all. Labels follow this order: `["cat", "bird"]` makes cat 0 and bird 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Where the validation pictures come from.
    pub validation: Validation,
    /// An earlier run or its `split.csv`: pictures that it lists keep their side, and only others are split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<PathBuf>,
    /// Which fold is the validation set, instead of a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
    /// A table of pictures to leave out: a CSV file with the columns `path`, `content` or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude: Option<PathBuf>,
    /// A table of right classes, such as the `relabel.csv` that `defrost serve` leaves in a run: a CSV file with the column `class`
    /// and `path`, `content` or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relabel: Option<PathBuf>,
    /// Which of CIFAR-100's two labels.
    #[serde(skip_serializing_if = "Labels::is_fine")]
    pub labels: Labels,
    /// Takes a subset: on each side, the first pictures of each class by path.
    #[serde(skip_serializing_if = "LimitPerClass::is_none")]
    pub limit_per_class: LimitPerClass,
    /// The run's seed: decides which pictures a split sets aside.
    #[serde(skip)]
    pub seed: u64,
    /// A folder in which the pictures' perceptual hashes are kept between runs.
    #[serde(skip)]
    pub cache: Option<PathBuf>,
    /// Whether a picture that can't be read is an error instead of a listed warning.
    #[serde(skip)]
    pub strict: bool,
    /// Takes the data as they lie, to be examined: nothing is set aside for validation, files are samples whether they are
    /// pictures or not, and a class without any is no error.
    #[serde(skip)]
    pub as_found: bool,
}

/// One of so many folds, `"2/5"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// From 1.
    pub number: usize,
    /// At least 2.
    pub of: usize,
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// A text that is no fold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a fold such as \"2/5\": the number of one, from 1, and how many there are, from 2")]
pub struct NoFold;

impl FromStr for Fold {
    type Err = NoFold;

    fn from_str(text: &str) -> Result<Fold, NoFold> {
        let (number, of) = text.split_once('/').ok_or(NoFold)?;
        let [number, of] = [number, of].map(|text| text.trim().parse().map_err(|_| NoFold));
        let (number, of): (usize, usize) = (number?, of?);
        let sound = of >= 2 && (1..=of).contains(&number);
        if sound { Ok(Fold { number, of }) } else { Err(NoFold) }
    }
}

impl Serialize for Fold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fold, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|expected: NoFold| {
            de::Error::invalid_value(de::Unexpected::Str(&text), &expected.to_string().as_str())
        })
    }
}

/// Which of CIFAR-100's two labels a picture has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// Of 100 classes.
    #[default]
    Fine,
    /// Of the 20 superclasses.
    Coarse,
}

impl Labels {
    /// Whether it is the default.
    pub fn is_fine(&self) -> bool {
        *self == Labels::Fine
    }
}

/// At most so many pictures of each class, for each side; `None` takes all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitPerClass {
    /// Training pictures of a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<usize>,
    /// Validation pictures of a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<usize>,
    /// Test pictures of a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<usize>,
}

impl LimitPerClass {
    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == LimitPerClass::default()
    }
}

/// Where the validation pictures come from. In a recipe: `"auto"`, `"test"`, or a number between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Validation {
    /// `val/` where there is one, else a stratified split of the training pictures ([`DEFAULT_FRACTION`]).
    #[default]
    Auto,
    /// As `Auto`, with this share (between 0 and 1) set aside where a split has to be made.
    Fraction(f32),
    /// The test pictures. They then choose the best epoch, so that no figure measured on them is an honest test:
    /// whoever asks for it should be told.
    Test,
}

impl Validation {
    /// The share of the training pictures that a split sets aside.
    pub fn fraction(self) -> f32 {
        match self {
            Validation::Fraction(fraction) => fraction,
            Validation::Auto | Validation::Test => DEFAULT_FRACTION,
        }
    }
}

impl Serialize for Validation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Validation::Auto => serializer.serialize_str("auto"),
            // The shortest decimal that is this f32: 0.2 and not 0.20000000298023224.
            Validation::Fraction(fraction) => {
                fraction.to_string().parse::<f64>().unwrap_or_default().serialize(serializer)
            }
            Validation::Test => serializer.serialize_str("test"),
        }
    }
}

impl<'de> Deserialize<'de> for Validation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Validation, D::Error> {
        struct Words;

        impl Visitor<'_> for Words {
            type Value = Validation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"auto\", \"test\" or a number between 0 and 1")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Validation, E> {
                match word {
                    "auto" => Ok(Validation::Auto),
                    "test" => Ok(Validation::Test),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }

            fn visit_f64<E: de::Error>(self, fraction: f64) -> Result<Validation, E> {
                if 0.0 < fraction && fraction < 1.0 {
                    Ok(Validation::Fraction(fraction as f32))
                } else {
                    Err(E::invalid_value(de::Unexpected::Float(fraction), &self))
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Validation, E> {
                Err(E::invalid_value(de::Unexpected::Signed(number), &self))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Validation, E> {
                Err(E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }
        }

        deserializer.deserialize_any(Words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_reads_back_as_it_was_written() {
        for validation in [Validation::Auto, Validation::Fraction(0.2), Validation::Fraction(0.15), Validation::Test] {
            let options = DataOptions {
                validation,
                classes: vec!["cat".into(), "bird".into()],
                limit_per_class: LimitPerClass { train: Some(100), ..Default::default() },
                ..Default::default()
            };
            let text = toml::to_string(&options).unwrap();
            assert_eq!(toml::from_str::<DataOptions>(&text).unwrap(), options, "{text}");
        }
        let text =
            toml::to_string(&DataOptions { validation: Validation::Fraction(0.2), ..Default::default() }).unwrap();
        assert_eq!(text, "validation = 0.2\n");
    }

    #[test]
    fn a_fold_is_one_of_several() {
        let fold: Fold = "2/5".parse().unwrap();
        assert_eq!((fold, fold.to_string().as_str()), (Fold { number: 2, of: 5 }, "2/5"));
        for text in ["0/5", "6/5", "1/1", "2", "a/b", "", "1/2/3", "-1/3"] {
            assert_eq!(text.parse::<Fold>(), Err(NoFold), "{text}");
        }
        let error = toml::from_str::<DataOptions>("fold = \"5/2\"").unwrap_err().to_string();
        assert!(error.contains("a fold such as \"2/5\""), "{error}");
    }

    #[test]
    fn wrong_words_name_the_right_ones() {
        for text in ["validation = \"tset\"", "validation = 1.5", "validation = 1", "validation = 0.0"] {
            let error = toml::from_str::<DataOptions>(text).unwrap_err().to_string();
            assert!(error.contains("\"auto\", \"test\" or a number between 0 and 1"), "{error}");
        }
        assert!(toml::from_str::<DataOptions>("validaton = \"auto\"").is_err());
    }
}
