//! Which training pictures are set aside for validation.
//!
//! Invariant: a picture's rank depends on the seed and its own content alone, so the split doesn't depend on file
//! names, on the order of files or on threads, and adding pictures moves few of those that were there.

use std::collections::BTreeMap;

use crate::rng::Stream;

/// BLAKE3 of a picture.
pub(super) type Content = [u8; 32];

/// For each `(label, content)`, whether it is a validation picture.
///
/// Stratified: of each class's n pictures, round(fraction · n) are set aside, but at least one and never all where the
/// class has two different pictures. Exact duplicates stay together, so a class with many of them may get fewer; where
/// a picture appears in two classes, it and its copies train.
pub(super) fn set_aside(pictures: &[(usize, Content)], fraction: f32, seed: u64) -> Vec<bool> {
    let mut copies: BTreeMap<Content, Vec<usize>> = BTreeMap::new();
    for (index, (_, content)) in pictures.iter().enumerate() {
        copies.entry(*content).or_default().push(index);
    }
    let mut classes: BTreeMap<usize, Class> = BTreeMap::new();
    for (content, copies) in copies {
        let label = pictures[copies[0]].0;
        if copies.iter().all(|index| pictures[*index].0 == label) {
            let class = classes.entry(label).or_default();
            class.pictures += copies.len();
            class.groups.push((rank(seed, &content), copies));
        } else {
            for index in copies {
                let class = classes.entry(pictures[index].0).or_default();
                class.pictures += 1;
                class.must_train += 1;
            }
        }
    }
    let mut aside = vec![false; pictures.len()];
    for class in classes.into_values() {
        for index in class.chosen(fraction) {
            aside[index] = true;
        }
    }
    aside
}

/// A class's pictures: groups of copies with their ranks, and how many of its pictures can't be set aside.
#[derive(Debug, Default)]
struct Class {
    pictures: usize,
    must_train: usize,
    groups: Vec<(u64, Vec<usize>)>,
}

impl Class {
    fn chosen(mut self, fraction: f32) -> Vec<usize> {
        let different = self.groups.len() + usize::from(self.must_train > 0);
        if different < 2 {
            return Vec::new();
        }
        let share = (f64::from(fraction) * self.pictures as f64).round() as usize;
        let target = share.clamp(1, self.pictures - 1);
        self.groups.sort();
        let mut chosen: Vec<usize> = Vec::new();
        for (_, copies) in &self.groups {
            if chosen.len() + copies.len() <= target {
                chosen.extend(copies);
            }
        }
        if chosen.is_empty() {
            // Every group is larger than the target: the smallest comes closest.
            chosen.extend(
                self.groups.iter().map(|(_, copies)| copies).min_by_key(|copies| copies.len()).into_iter().flatten(),
            );
        }
        chosen
    }
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
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn content(number: u32) -> Content {
        *blake3::hash(&number.to_le_bytes()).as_bytes()
    }

    proptest! {
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
}
