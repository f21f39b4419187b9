//! Which training pictures are set aside for validation, and which fold each is in.
//!
//! Invariant: a picture's rank depends on the seed and its own content alone, so the split doesn't depend on file
//! names, on the order of files or on threads, and adding pictures moves few of those that were there. What belongs together
//! (a unit) is never parted.

use std::collections::{BTreeMap, BTreeSet};

use super::folder::Role;
use crate::rng::Stream;

/// BLAKE3 of a picture.
pub(super) type Content = [u8; 32];

/// What a split knows of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) label: usize,
    pub(super) content: Content,
    /// What it belongs to.
    pub(super) unit: usize,
    /// The side that it had in an earlier split.
    pub(super) pinned: Option<Role>,
}

/// The side of each picture.
///
/// Stratified: of each class's n pictures, round(fraction · n) are set aside, but at least one and never all where the
/// class has two units. Units of several classes (a patient's pictures) are given out first, as far as no class gets more than
/// its share; then those of one class fill the shares. So a class of large units may get fewer. Where a picture appears in two
/// classes, it and its unit train.
///
/// Pictures with an earlier side keep it, and what belongs to them follows: to the test side first, then to training, then to
/// validation.
pub(super) fn set_aside(members: &[Member], fraction: f32, seed: u64) -> Vec<Role> {
    let mut sides: Vec<Role> = members.iter().map(|member| member.pinned.unwrap_or(Role::Train)).collect();
    let units = units(members, seed);
    let (mut all, mut aside) = (BTreeMap::<usize, usize>::new(), BTreeMap::<usize, usize>::new());
    let mut free = Vec::new();
    for unit in &units {
        let pinned = [Role::Test, Role::Train, Role::Validation].into_iter().find(|side| unit.pinned.contains(side));
        for index in unit.members.iter().filter(|index| members[**index].pinned.is_none()) {
            sides[*index] = pinned.unwrap_or(Role::Train);
        }
        for index in unit.members.iter().filter(|index| sides[**index] != Role::Test) {
            *all.entry(members[*index].label).or_default() += 1;
            *aside.entry(members[*index].label).or_default() += usize::from(sides[*index] == Role::Validation);
        }
        if pinned.is_none() && !unit.contradicts {
            free.push(unit);
        }
    }
    let target = |class: &usize| match all[class] {
        ..2 => 0,
        n => ((f64::from(fraction) * n as f64).round() as usize).clamp(1, n - 1),
    };
    let mut chosen: BTreeSet<&Unit> = BTreeSet::new();
    let take = |unit: &Unit, aside: &mut BTreeMap<usize, usize>| {
        unit.counts.iter().for_each(|(class, count)| *aside.entry(*class).or_default() += count);
    };
    for unit in &free {
        if unit.counts.iter().all(|(class, count)| aside[class] + count <= target(class)) {
            take(unit, &mut aside);
            chosen.insert(unit);
        }
    }
    // Every unit of a class may be larger than its share: the smallest that leaves some to train on comes closest.
    for class in all.keys() {
        let fits = |unit: &&&Unit| {
            !chosen.contains(**unit)
                && unit.counts.contains_key(class)
                && unit.counts.iter().all(|(class, count)| aside[class] + count < all[class])
        };
        if aside[class] == 0
            && let Some(unit) = free.iter().filter(fits).min_by_key(|unit| unit.members.len())
        {
            take(unit, &mut aside);
            chosen.insert(unit);
        }
    }
    for unit in chosen {
        unit.members.iter().for_each(|index| sides[*index] = Role::Validation);
    }
    sides
}

/// The fold of each picture, from 0 to `folds` − 1: each unit goes where its classes have the fewest pictures.
pub(super) fn deal(members: &[Member], folds: usize, seed: u64) -> Vec<usize> {
    let mut fold = vec![0; members.len()];
    let mut counts = vec![BTreeMap::<usize, usize>::new(); folds.max(1)];
    let mut totals = vec![0; folds.max(1)];
    for unit in units(members, seed) {
        let load = |number: &usize| {
            let own: usize = unit.counts.keys().map(|class| counts[*number].get(class).copied().unwrap_or(0)).sum();
            (own, totals[*number])
        };
        let number = (0..counts.len()).min_by_key(load).unwrap_or_default();
        for (class, count) in &unit.counts {
            *counts[number].entry(*class).or_default() += count;
        }
        totals[number] += unit.members.len();
        unit.members.iter().for_each(|index| fold[*index] = number);
    }
    fold
}

/// Pictures that stay together. Units are ordered as they are given out: of several classes first, then by rank.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Unit {
    of_one_class: bool,
    rank: u64,
    members: Vec<usize>,
    counts: BTreeMap<usize, usize>,
    pinned: BTreeSet<Role>,
    /// Whether one picture of it has two labels.
    contradicts: bool,
}

fn units(members: &[Member], seed: u64) -> Vec<Unit> {
    let mut units: BTreeMap<usize, Unit> = BTreeMap::new();
    let mut labels: BTreeMap<Content, usize> = BTreeMap::new();
    for (index, Member { label, content, unit, pinned }) in members.iter().enumerate() {
        let unit = units.entry(*unit).or_insert_with(|| Unit { rank: u64::MAX, ..Unit::default() });
        unit.rank = unit.rank.min(rank(seed, content));
        unit.members.push(index);
        *unit.counts.entry(*label).or_default() += 1;
        unit.pinned.extend(pinned);
        unit.contradicts |= labels.entry(*content).or_insert(*label) != label;
    }
    let mut units: Vec<Unit> = units.into_values().collect();
    units.iter_mut().for_each(|unit| unit.of_one_class = unit.counts.len() == 1);
    units.sort();
    units
}

/// The place of a content in the seed's order of all contents.
fn rank(seed: u64, content: &Content) -> u64 {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(content.chunks_exact(8)) {
        *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    let mut stream = Stream::new(seed, "split", &words);
    u64::from(stream.next_u32()) << 32 | u64::from(stream.next_u32())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn content(number: u32) -> Content {
        *blake3::hash(&number.to_le_bytes()).as_bytes()
    }

    fn members(pictures: &[(usize, Content)]) -> Vec<Member> {
        let mut units = BTreeMap::new();
        let member = |(index, (label, content)): (usize, &(usize, Content))| Member {
            label: *label,
            content: *content,
            unit: *units.entry(*content).or_insert(index),
            pinned: None,
        };
        pictures.iter().enumerate().map(member).collect()
    }

    fn set_aside(pictures: &[(usize, Content)], fraction: f32, seed: u64) -> Vec<bool> {
        super::set_aside(&members(pictures), fraction, seed).into_iter().map(|side| side == Role::Validation).collect()
    }

    proptest! {
        #[test]
        fn units_are_never_parted_and_shares_never_exceeded(
            numbers in prop::collection::vec((0usize..4, 0usize..25), 1..150), fraction in 0.01f32..0.99, seed: u64,
        ) {
            let members: Vec<Member> = (0..).zip(&numbers)
                .map(|(number, (label, unit))| Member { label: *label, content: content(number), unit: *unit, pinned: None })
                .collect();
            let sides = super::set_aside(&members, fraction, seed);
            for (a, b) in members.iter().zip(&sides).flat_map(|a| members.iter().zip(&sides).map(move |b| (a, b))) {
                prop_assert!(a.0.unit != b.0.unit || a.1 == b.1);
            }
            for label in 0..4 {
                let all = members.iter().filter(|member| member.label == label).count();
                let aside = members.iter().zip(&sides).filter(|(m, side)| m.label == label && **side == Role::Validation).count();
                prop_assert!(aside == 0 || aside < all);
            }
        }

        #[test]
        fn an_earlier_side_is_kept_and_its_kin_follow(
            numbers in prop::collection::vec((0usize..3, 0usize..40, 0usize..6), 1..100), seed: u64,
        ) {
            let side = |number: usize| [Role::Train, Role::Validation, Role::Test].get(number).copied();
            let members: Vec<Member> = (0..).zip(&numbers)
                .map(|(n, (label, unit, pin))| Member { label: *label, content: content(n), unit: *unit, pinned: side(*pin) })
                .collect();
            let sides = super::set_aside(&members, 0.2, seed);
            for (member, side) in members.iter().zip(&sides) {
                match member.pinned {
                    Some(pinned) => prop_assert_eq!(*side, pinned),
                    None => {
                        let kin = |role| members.iter().any(|other| other.unit == member.unit && other.pinned == Some(role));
                        if kin(Role::Test) {
                            prop_assert_eq!(*side, Role::Test);
                        } else if kin(Role::Train) {
                            prop_assert_eq!(*side, Role::Train);
                        } else if kin(Role::Validation) {
                            prop_assert_eq!(*side, Role::Validation);
                        } else {
                            prop_assert!(*side != Role::Test);
                        }
                    }
                }
            }
        }

        #[test]
        fn folds_are_even_and_part_no_unit(
            sizes in prop::collection::vec(1usize..40, 1..5), groups in prop::collection::vec((0usize..4, 0usize..12), 0..60),
            folds in 2usize..8, seed: u64,
        ) {
            let lone = sizes.iter().enumerate().flat_map(|(label, size)| std::iter::repeat_n(label, *size));
            let lone: Vec<Member> = lone.enumerate()
                .map(|(n, label)| Member { label, content: content(n as u32), unit: 1000 + n, pinned: None }).collect();
            let fold = deal(&lone, folds, seed);
            for (label, size) in sizes.iter().enumerate() {
                for number in 0..folds {
                    let count = lone.iter().zip(&fold).filter(|(m, fold)| m.label == label && **fold == number).count();
                    prop_assert!(count == size / folds || count == size.div_ceil(folds));
                }
            }
            let grouped: Vec<Member> = (0..).zip(&groups)
                .map(|(n, (label, unit))| Member { label: *label, content: content(n), unit: *unit, pinned: None }).collect();
            let fold = deal(&grouped, folds, seed);
            for (a, b) in grouped.iter().zip(&fold).flat_map(|a| grouped.iter().zip(&fold).map(move |b| (a, b))) {
                prop_assert!(a.0.unit != b.0.unit || a.1 == b.1);
                prop_assert!(*a.1 < folds);
            }
        }

        #[test]
        fn without_duplicates_each_class_gives_its_rounded_share(
            sizes in prop::collection::vec(1usize..60, 1..6), fraction in 0.01f32..0.99, seed: u64,
        ) {
            let mut pictures = Vec::new();
            for (label, size) in sizes.iter().enumerate() {
                pictures.extend((0..*size).map(|i| (label, content((label * 1000 + i) as u32))));
            }
            let aside = set_aside(&pictures, fraction, seed);
            for (label, size) in sizes.iter().enumerate() {
                let got = pictures.iter().zip(&aside).filter(|(picture, aside)| picture.0 == label && **aside).count();
                let share = (f64::from(fraction) * *size as f64).round() as usize;
                let expected = if *size < 2 { 0 } else { share.clamp(1, size - 1) };
                prop_assert_eq!(got, expected);
            }
        }

        #[test]
        fn copies_stay_together_and_both_sides_have_each_class(
            numbers in prop::collection::vec((0usize..4, 0u32..40), 1..120), fraction in 0.01f32..0.99, seed: u64,
        ) {
            let pictures: Vec<_> = numbers.iter().map(|(label, number)| (*label, content(*number))).collect();
            let aside = set_aside(&pictures, fraction, seed);
            prop_assert_eq!(aside.len(), pictures.len());
            let side = |wanted: bool| -> BTreeSet<Content> {
                pictures.iter().zip(&aside).filter(|(_, aside)| **aside == wanted).map(|(picture, _)| picture.1).collect()
            };
            prop_assert!(side(true).is_disjoint(&side(false)));
            for label in 0..4 {
                let own: BTreeSet<Content> = pictures.iter().filter(|p| p.0 == label).map(|p| p.1).collect();
                let shared = |content: &Content| pictures.iter().any(|p| p.1 == *content && p.0 != label);
                let separable = own.iter().filter(|content| !shared(content)).count();
                let sides: BTreeSet<bool> =
                    pictures.iter().zip(&aside).filter(|(p, _)| p.0 == label).map(|(_, aside)| *aside).collect();
                if own.len() >= 2 && separable >= 1 {
                    prop_assert_eq!(sides.len(), 2);
                } else {
                    prop_assert!(!sides.contains(&true));
                }
            }
        }

        #[test]
        fn the_order_of_files_does_not_matter(
            numbers in prop::collection::vec((0usize..3, 0u32..1000), 2..80), seed: u64, other: u64,
        ) {
            let pictures: Vec<_> = numbers.iter().map(|(label, number)| (*label, content(*number))).collect();
            let aside = set_aside(&pictures, 0.2, seed);
            let order = Stream::new(other, "files", &[]).permutation(pictures.len());
            let moved: Vec<_> = order.iter().map(|index| pictures[*index]).collect();
            let expected: Vec<bool> = order.iter().map(|index| aside[*index]).collect();
            prop_assert_eq!(set_aside(&moved, 0.2, seed), expected);
        }
    }

    #[test]
    fn another_seed_is_another_split_and_an_added_picture_moves_few() {
        let mut pictures: Vec<_> = (0..200).map(|number| (0, content(number))).collect();
        let aside = set_aside(&pictures, 0.2, 1);
        assert_ne!(aside, set_aside(&pictures, 0.2, 2));
        pictures.push((0, content(1000)));
        let after = set_aside(&pictures, 0.2, 1);
        let moved = aside.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert!(moved <= 1, "{moved}");
    }

    #[test]
    fn patients_with_pictures_of_all_classes_are_spread() {
        // 50 patients with 4 pictures, of two classes in turns.
        let members: Vec<Member> =
            (0..200).map(|n| Member { label: n % 2, content: content(n as u32), unit: n / 4, pinned: None }).collect();
        let sides = super::set_aside(&members, 0.2, 1);
        assert_eq!(sides.iter().filter(|side| **side == Role::Validation).count(), 40);
    }
}
