//! A data set's sides: as they lie, as an earlier split has them, and what is drawn for the rest.

use std::path::Path;

use super::earlier::Earlier;
use super::folder::Role;
use super::kin::{Kin, kin};
use super::looks::looks;
use super::split::{Content, Member, deal, set_aside};
use super::stored::Sample;
use super::{DataError, DataOptions, Dataset, Fold, Validation, Warning};
use crate::image::PerceptualHash;
use crate::progress::Progress;

impl DataOptions {
    /// Of the settings that say which pictures to validate on, at most one may be given.
    pub(super) fn require_one_rule(&self) -> Result<(), DataError> {
        let test = self.validation == Validation::Test;
        if test && self.validation_dir.is_some() {
            return Err(DataError::TwoValidations);
        }
        let fraction = matches!(self.validation, Validation::Fraction(_));
        let rules = [
            ("fold", self.fold.is_some()),
            ("split", self.split.is_some()),
            ("validation_dir", self.validation_dir.is_some()),
            ("validation", test || fraction && self.fold.is_some()),
        ];
        let mut given = rules.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
        match (given.next(), given.next()) {
            (Some(first), Some(second)) => Err(DataError::TwoRules { first, second }),
            _ => Ok(()),
        }
    }
}

impl Dataset {
    /// Gives pictures their sides, by `options`; what `earlier` lists keeps its own, and what is `pinned` isn't drawn.
    pub(super) fn divide(
        &mut self,
        options: &DataOptions,
        earlier: Option<&Earlier>,
        pinned: impl Fn(&Content) -> Option<Role>,
        progress: Progress<'_>,
    ) -> Result<(), DataError> {
        if let Some(earlier) = earlier {
            self.kept = Some(earlier.kept(self));
        }
        let has_validation = !self.validation.is_empty();
        if options.as_found {
            return Ok(());
        }
        if let Some(fold) = options.fold {
            return self.take_fold(fold, options, progress);
        }
        if let Some(earlier) = earlier {
            self.gather(|sample, side| earlier.side(&sample.content).unwrap_or(side));
        }
        if !has_validation {
            self.draw(options, earlier, pinned, progress)?;
        } else if let Validation::Fraction(_) = options.validation {
            self.warnings.push(Warning::FractionUnused);
        }
        Ok(())
    }

    /// Sets a share of the training pictures aside for validation.
    fn draw(
        &mut self,
        options: &DataOptions,
        earlier: Option<&Earlier>,
        pinned: impl Fn(&Content) -> Option<Role>,
        progress: Progress<'_>,
    ) -> Result<(), DataError> {
        // Test pictures stay as they are, but what looks like one that an earlier split held back follows it.
        let held_back = |sample: &&Sample| earlier.is_some_and(|earlier| earlier.side(&sample.content).is_some());
        let pool: Vec<Sample> =
            self.train.iter().chain(&self.validation).chain(self.test.iter().filter(held_back)).cloned().collect();
        let looks = looks(&pool, options.cache.as_deref(), progress)?;
        let Kin { unit, alike } = kin(&pool, &looks);
        if alike > 0 {
            self.warnings.push(Warning::Alike { pictures: alike });
        }
        let members = members(&pool, &unit, |sample| pinned(&sample.content));
        let mut sides = set_aside(&members, options.validation.fraction(), options.seed).into_iter();
        self.gather(|sample, side| match side {
            Role::Test if !held_back(&sample) => side,
            _ => sides.next().unwrap_or(side),
        });
        if self.validation.is_empty() {
            return Err(DataError::NothingToSplit);
        }
        let bare = self.class_counts().into_iter().filter(|count| count.validation == 0);
        let classes: Vec<String> = bare.map(|count| count.class).collect();
        if !classes.is_empty() {
            self.warnings.push(Warning::NoValidation { classes });
        }
        Ok(())
    }

    /// Validates on one fold of what isn't test, and trains on the others.
    fn take_fold(&mut self, fold: Fold, options: &DataOptions, progress: Progress<'_>) -> Result<(), DataError> {
        let pool = [&self.train[..], &self.validation].concat();
        let looks = looks(&pool, options.cache.as_deref(), progress)?;
        let mut folds = folds(&pool, &looks, fold.of, options.seed).into_iter();
        self.gather(|_, side| match side {
            Role::Test => side,
            _ if folds.next() == Some(fold.number - 1) => Role::Validation,
            _ => Role::Train,
        });
        match self.validation.is_empty() || self.train.is_empty() {
            true => Err(DataError::EmptyFold { fold }),
            false => Ok(()),
        }
    }

    /// Gives every picture the side that `side` says, which is asked for the training pictures first, then validation, then test.
    fn gather(&mut self, mut side: impl FnMut(&Sample, Role) -> Role) {
        let mut sides = [const { Vec::new() }; 3];
        let parts =
            [(Role::Train, &mut self.train), (Role::Validation, &mut self.validation), (Role::Test, &mut self.test)];
        for (own, samples) in parts {
            for sample in std::mem::take(samples) {
                let side = side(&sample, own);
                sides[side as usize].push(sample);
            }
        }
        sides.iter_mut().for_each(|side| side.sort_by(|a, b| a.path.cmp(&b.path)));
        [self.train, self.validation, self.test] = sides;
    }

    /// Every class must have a picture to train on.
    pub(super) fn require_training(&self, table: &Path) -> Result<(), DataError> {
        match self.class_counts().into_iter().find(|count| count.train == 0) {
            Some(count) => Err(DataError::ClassExcluded { class: count.class, table: table.to_owned() }),
            None => Ok(()),
        }
    }
}

/// The fold, from 0 to `folds` − 1, of each picture: stratified, and what belongs together (exact copies, look-alikes, members of
/// a group) in one fold. `looks` are the pictures' perceptual hashes, as [`looks`](super::looks) gives them.
pub fn folds(samples: &[Sample], looks: &[Option<PerceptualHash>], folds: usize, seed: u64) -> Vec<usize> {
    deal(&members(samples, &kin(samples, looks).unit, |_| None), folds, seed)
}

fn members(samples: &[Sample], unit: &[usize], pinned: impl Fn(&Sample) -> Option<Role>) -> Vec<Member> {
    let member = |(sample, &unit): (&Sample, &usize)| Member {
        label: sample.label,
        content: sample.content,
        unit,
        pinned: pinned(sample),
    };
    samples.iter().zip(unit).map(member).collect()
}
