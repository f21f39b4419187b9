//! Flags as the recipe's fields. Order: the recipe's file, the flags, then `--set`.

use std::path::Path;

use defrost::image::Decoding;
use defrost::recipe::{Precision, Recipe, Weights};
use defrost::run;

use super::super::recipe::read;
use crate::args::Train;
use crate::failure::Failure;

/// The recipe of a new run.
pub(super) fn asked_for(args: &Train) -> Result<Recipe, Failure> {
    let mut recipe = args.recipe.as_deref().map(read).transpose()?.unwrap_or_default();
    change(&mut recipe, args, |_, _| Ok(()))?;
    Ok(recipe)
}

/// The recipe of an unfinished run. The flags may repeat what it says, and name the place that files were moved to: whether they
/// are the same, the run's own note of their contents decides.
pub(super) fn resumed(args: &Train, path: &Path) -> Result<Recipe, Failure> {
    let mut recipe = read(&path.join(run::RECIPE))?;
    let data = &mut recipe.data;
    for (asked, own) in [
        (&args.data, &mut data.path),
        (&args.val, &mut data.val),
        (&args.split, &mut data.split),
        (&args.exclude, &mut data.exclude),
        (&args.relabel, &mut data.relabel),
    ] {
        if asked.is_some() && own.is_some() {
            own.clone_from(asked);
        }
    }
    let own = recipe.clone();
    change(&mut recipe, args, |flag, recipe| {
        if *recipe == own {
            return Ok(());
        }
        let problem = format!("{flag} differs from {}", path.join(run::RECIPE).display());
        Err(Failure::user(problem).hint("a run goes on as it began; train anew without `--resume`"))
    })?;
    Ok(recipe)
}

/// Puts every flag that is given into its field; `after` sees the recipe after each.
fn change(
    recipe: &mut Recipe,
    args: &Train,
    after: impl Fn(&str, &Recipe) -> Result<(), Failure>,
) -> Result<(), Failure> {
    macro_rules! field {
        ($flag:literal, $given:expr, $value:ident => $($field:ident).+ = $new:expr) => {
            if let Some($value) = &$given {
                recipe.$($field).+ = $new;
                after($flag, recipe)?;
            }
        };
    }
    field!("DATA", args.data, path => data.path = Some(path.clone()));
    field!("`--val`", args.val, path => data.val = Some(path.clone()));
    field!("`--split`", args.split, path => data.split = Some(path.clone()));
    field!("`--fold`", args.fold, fold => data.fold = Some(*fold));
    field!("`--exclude`", args.exclude, path => data.exclude = Some(path.clone()));
    field!("`--relabel`", args.relabel, path => data.relabel = Some(path.clone()));
    field!("`--classes`", args.classes, classes => data.classes = classes.clone());
    field!("`--backbone`", args.backbone, id => backbone = id.clone());
    field!("`--weights`", args.weights, path => weights = match path.to_str() {
        Some("none") => Weights::None,
        Some("pretrained") => Weights::Pretrained,
        _ => Weights::File(path.clone()),
    });
    field!("`--input-size`", args.input_size, size => input_size = Some(*size));
    field!("`--decode`", args.decode, decode => preprocess.decode = match decode.as_str() {
        "scaled" => Decoding::Scaled,
        _ => Decoding::Full,
    });
    field!("`--batch-size`", args.batch_size, size => batch_size = *size);
    field!("`--learning-rate`", args.learning_rate, rate => base_learning_rate = *rate);
    field!("`--augment`", args.augment, pipeline => augment.pipeline = pipeline.clone());
    field!("`--seed`", args.seed, seed => seed = *seed);
    field!("`--precision`", args.precision, precision => precision = match precision.as_str() {
        "bf16" => Precision::Bf16,
        _ => Precision::F32,
    });
    if let Some(epochs) = &args.epochs {
        recipe.set_epochs(epochs)?;
        after("`--epochs`", recipe)?;
    }
    for (key, value) in &args.set {
        recipe.set(key, value)?;
        after(&format!("`--set {key}`"), recipe)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use clap::Parser;

    fn train(line: &str) -> Train {
        match Args::try_parse_from(line.split(' ')).unwrap().command {
            Some(Command::Train(args)) => *args,
            _ => panic!("not `train`"),
        }
    }

    #[test]
    fn a_flag_is_a_field() {
        let flags = "defrost train photos --batch-size 16 --epochs 2,3 --seed 7 --classes a,b --weights none --augment none \
                     --learning-rate 0.01 --input-size 96 --precision bf16 --backbone efficientnet_b0 --val other \
                     --split runs/a --decode scaled --fold 2/5 --exclude bad.csv --relabel right.csv";
        let mut by_set = Recipe::default();
        for (key, value) in [
            ("data.path", "photos"),
            ("data.val", "other"),
            ("data.split", "runs/a"),
            ("data.fold", "2/5"),
            ("data.exclude", "bad.csv"),
            ("data.relabel", "right.csv"),
            ("batch_size", "16"),
            ("stages.0.epochs", "2"),
            ("stages.1.epochs", "3"),
            ("seed", "7"),
            ("data.classes", "['a', 'b']"),
            ("weights", "none"),
            ("augment.pipeline", "none"),
            ("base_learning_rate", "0.01"),
            ("input_size", "96"),
            ("preprocess.decode", "scaled"),
            ("precision", "bf16"),
            ("backbone", "efficientnet_b0"),
        ] {
            by_set.set(key, value).unwrap();
        }
        let flags = flags.replace(" --weights none", "");
        let mut by_flags = asked_for(&train(&flags)).unwrap();
        by_flags.weights = Weights::None;
        assert_eq!(by_flags, by_set);
    }

    #[test]
    fn set_has_the_last_word() {
        let recipe = asked_for(&train("defrost train photos --batch-size 16 --set batch_size=8")).unwrap();
        assert_eq!(recipe.batch_size, 8);
    }

    #[test]
    fn a_resumed_run_keeps_its_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let begun = asked_for(&train("defrost train photos --batch-size 16")).unwrap().resolved();
        defrost::fs::write_atomic(&folder.path().join(run::RECIPE), begun.to_toml().as_bytes()).unwrap();
        let resume = |line: &str| resumed(&train(line), folder.path());
        assert_eq!(resume("defrost train --resume").unwrap(), begun);
        assert_eq!(resume("defrost train photos --resume --batch-size 16 --epochs 5,5").unwrap(), begun);
        let error = resume("defrost train photos --resume --batch-size 8").unwrap_err();
        assert!(error.error.to_string().starts_with("`--batch-size` differs from "), "{}", error.error);
        assert_eq!(resume("defrost train moved --resume").unwrap().data.path, Some("moved".into()));
        assert!(resume("defrost train photos --resume --exclude bad.csv").is_err());
    }
}
