//! Why a strategy is advised: each reason with its figures, to be said in any language.

use std::fmt;

use serde::Serialize;

use super::nearness::{LARGEST_SHIFT, LEAST_EXPLAINED, Nearness};
use super::strategy::{ENOUGH_FROM_SCRATCH, MANY, Situation};
use crate::data::Dataset;
use crate::probe::Gain;
use crate::recipe::Recipe;

/// One reason, as data; `Display` says it in English.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// How many pictures there are.
    Pictures {
        /// The mean over classes.
        per_class: usize,
        /// From here on they are many.
        many_from: usize,
    },
    /// They are many on average, but few of one class.
    Uneven {
        /// The smallest class.
        class: String,
        /// Its pictures.
        pictures: usize,
    },
    /// What a linear probe on the pooled features predicts.
    Probe {
        /// Pictures of the sample.
        pictures: usize,
        /// Left out one by one.
        accuracy: f64,
        /// Its 95 % interval.
        accuracy_interval: (f64, f64),
        /// Of always guessing the largest class.
        chance: f64,
        /// As R².
        explained: f64,
        /// Whether that is enough to be of use.
        useful: bool,
    },
    /// What the last layers add to an earlier one.
    LateLayers {
        /// The earlier layer.
        layer: String,
        /// In explained share.
        gain: Gain,
    },
    /// How far the activations' statistics are from those of pretraining.
    Shift {
        /// In units of the pretraining's standard deviation.
        shift: f64,
        /// What still counts as near.
        limit: f64,
        /// Whether it is more than that.
        far: bool,
    },
    /// Pretrained weights are kept although there are many pictures, far from what the network knows.
    Kept {
        /// From so many pictures a class on, training from scratch is considered.
        from_scratch_from: usize,
    },
    /// How pictures are varied.
    Augmentation {
        /// A line as in recipes; empty or `none` where each picture is used as it is.
        pipeline: String,
        /// Views of each picture, the plain one included.
        views: usize,
    },
}

/// All reasons: what decides, then what follows.
pub(super) fn reasons(data: &Dataset, situation: Situation, nearness: &Nearness, recipe: &Recipe) -> Vec<Reason> {
    let probe = &nearness.probe;
    let mut reasons = vec![Reason::Pictures { per_class: situation.pictures_per_class, many_from: MANY }];
    let counts = data.class_counts().into_iter().map(|count| (count.train + count.validation, count.class));
    if let Some((pictures, class)) = counts.min()
        && situation.has_many()
        && pictures < MANY
    {
        reasons.push(Reason::Uneven { class, pictures });
    }
    reasons.extend([
        Reason::Shift { shift: nearness.shift, limit: LARGEST_SHIFT, far: nearness.is_shifted() },
        Reason::LateLayers { layer: nearness.earlier_layer.clone(), gain: nearness.gain },
        Reason::Probe {
            pictures: probe.pictures,
            accuracy: probe.accuracy,
            accuracy_interval: probe.accuracy_interval,
            chance: probe.chance,
            explained: probe.explained,
            useful: nearness.is_explained(),
        },
    ]);
    if super::strategy(situation) == super::Strategy::FullFineTuning {
        reasons.push(Reason::Kept { from_scratch_from: ENOUGH_FROM_SCRATCH });
    }
    let views = recipe.augment.views.unwrap_or(1);
    reasons.push(Reason::Augmentation { pipeline: recipe.augment.pipeline.clone(), views });
    reasons
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Pictures { per_class, many_from } if per_class < many_from => {
                write!(f, "{per_class} pictures a class are few: below {many_from}, thawed layers learn them by heart")
            }
            Reason::Pictures { per_class, many_from } => {
                write!(
                    f,
                    "{per_class} pictures a class are many: from {many_from} on, upper layers can learn from them"
                )
            }
            Reason::Uneven { class, pictures } => {
                write!(f, "but `{class}` has only {pictures}: look at its recall, or weight the classes")
            }
            Reason::Probe { pictures, accuracy, accuracy_interval: (low, high), chance, explained, useful } => {
                write!(
                    f,
                    "a linear probe on the frozen features is right for {:.1} % of {pictures} pictures (95 % interval {:.1}–{:.1}, \
                     chance {:.1}) and explains {:.0} % of the classes",
                    100.0 * accuracy,
                    100.0 * low,
                    100.0 * high,
                    100.0 * chance,
                    100.0 * explained.max(0.0),
                )?;
                if *useful {
                    return Ok(());
                }
                write!(f, ", less than the {:.0} % that features of use have", 100.0 * LEAST_EXPLAINED)
            }
            Reason::LateLayers { layer, gain: Gain { mean, interval: (low, high) } } => {
                let points = 100.0 * mean;
                write!(f, "the layers after {layer} add {points:+.1} points to what is explained ")?;
                write!(f, "(95 % interval {:+.1} to {:+.1}): ", 100.0 * low, 100.0 * high)?;
                f.write_str(match (*low > 0.0, *high < 0.0) {
                    (true, _) => "what they have learned is of use here",
                    (_, true) => "they were made for other pictures",
                    _ => "no clear difference",
                })
            }
            Reason::Shift { shift, limit, far } => {
                let verdict = if *far { "far from" } else { "near to" };
                write!(f, "activations have shifted by {shift:.2} of their deviation in pretraining, ")?;
                write!(f, "{verdict} what the network knows (limit {limit})")
            }
            Reason::Kept { from_scratch_from } => {
                write!(f, "pretrained weights are a better start than random ones, ")?;
                write!(f, "unless late layers are of no use and there are {from_scratch_from} pictures a class")
            }
            Reason::Augmentation { views: 0 | 1, .. } => f.write_str("enough pictures to do without augmentation"),
            Reason::Augmentation { pipeline, views } => write!(f, "each picture is shown in {views} views: {pipeline}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_sentences() {
        let probe = |explained: f64| Reason::Probe {
            pictures: 300,
            accuracy: 0.89,
            accuracy_interval: (0.85, 0.921),
            chance: 0.2,
            explained,
            useful: explained >= LEAST_EXPLAINED,
        };
        let late = |low: f64, high: f64| {
            let gain = Gain { mean: (low + high) / 2.0, interval: (low, high) };
            Reason::LateLayers { layer: "block6a_project_bn".into(), gain }
        };
        let text: Vec<String> = [
            Reason::Pictures { per_class: 20, many_from: MANY },
            Reason::Pictures { per_class: 160, many_from: MANY },
            Reason::Uneven { class: "rose".into(), pictures: 7 },
            probe(0.67),
            probe(-0.01),
            late(0.05, 0.11),
            late(-0.04, -0.02),
            late(-0.01, 0.02),
            Reason::Shift { shift: 0.26, limit: LARGEST_SHIFT, far: false },
            Reason::Shift { shift: 0.55, limit: LARGEST_SHIFT, far: true },
            Reason::Kept { from_scratch_from: ENOUGH_FROM_SCRATCH },
            Reason::Augmentation { pipeline: "flip".into(), views: 4 },
            Reason::Augmentation { pipeline: "none".into(), views: 1 },
        ]
        .iter()
        .map(ToString::to_string)
        .collect();
        insta::assert_snapshot!(text.join("\n"), @"
        20 pictures a class are few: below 100, thawed layers learn them by heart
        160 pictures a class are many: from 100 on, upper layers can learn from them
        but `rose` has only 7: look at its recall, or weight the classes
        a linear probe on the frozen features is right for 89.0 % of 300 pictures (95 % interval 85.0–92.1, chance 20.0) and explains 67 % of the classes
        a linear probe on the frozen features is right for 89.0 % of 300 pictures (95 % interval 85.0–92.1, chance 20.0) and explains 0 % of the classes, less than the 5 % that features of use have
        the layers after block6a_project_bn add +8.0 points to what is explained (95 % interval +5.0 to +11.0): what they have learned is of use here
        the layers after block6a_project_bn add -3.0 points to what is explained (95 % interval -4.0 to -2.0): they were made for other pictures
        the layers after block6a_project_bn add +0.5 points to what is explained (95 % interval -1.0 to +2.0): no clear difference
        activations have shifted by 0.26 of their deviation in pretraining, near to what the network knows (limit 0.48)
        activations have shifted by 0.55 of their deviation in pretraining, far from what the network knows (limit 0.48)
        pretrained weights are a better start than random ones, unless late layers are of no use and there are 5000 pictures a class
        each picture is shown in 4 views: flip
        enough pictures to do without augmentation
        ");
    }
}
