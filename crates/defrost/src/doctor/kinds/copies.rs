//! The same picture several times: as the same file, or as good as the same. Of a group, what matters most is said: that it
//! has several classes, that it lies on several sides, or that it is there more than once.
//!
//! Near copies: a perceptual hash proposes pairs, the distance of the network's features confirms them.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::super::{Fact, Features, Finding, Likeness, Seen, Survey};

/// Hashes of near copies differ in at most so many of 64 bits.
pub(crate) const FARTHEST_HASH: u32 = 16;

/// The cosine between near copies' features is at least this.
pub(crate) const LEAST_SIMILARITY: f64 = 0.90;

/// Groups of pictures with the same content.
pub(crate) fn exact(survey: &Survey) -> Vec<Finding> {
    let mut groups: BTreeMap<[u8; 32], Vec<&Seen>> = BTreeMap::new();
    survey.seen.iter().for_each(|seen| groups.entry(seen.content).or_default().push(seen));
    let groups = groups.into_values().filter(|group| group.len() > 1);
    let mut findings: Vec<Finding> = groups.map(|group| judged(survey, group, None)).collect();
    findings.sort_by(|a, b| a.pictures[0].path.cmp(&b.pictures[0].path));
    findings
}

/// Groups of pictures that are as good as the same, whose contents differ.
pub(crate) fn near(survey: &Survey, features: &Features) -> Vec<Finding> {
    let seen = &survey.seen;
    let pairs: Vec<(usize, usize, Likeness)> = (0..seen.len())
        .into_par_iter()
        .flat_map_iter(|a| (a + 1..seen.len()).filter_map(move |b| Some((a, b, likeness(seen, features, a, b)?))))
        .collect();
    let mut groups = Groups::new(seen.len());
    pairs.iter().for_each(|(a, b, _)| groups.unite(*a, *b));
    let mut nearest: BTreeMap<usize, Likeness> = BTreeMap::new();
    for (a, _, likeness) in &pairs {
        let known = nearest.entry(groups.of(*a)).or_insert(*likeness);
        if likeness.similarity > known.similarity {
            *known = *likeness;
        }
    }
    let mut members: BTreeMap<usize, Vec<&Seen>> = BTreeMap::new();
    let paired: BTreeSet<usize> = pairs.iter().flat_map(|(a, b, _)| [*a, *b]).collect();
    for picture in paired {
        members.entry(groups.of(picture)).or_default().push(&seen[picture]);
    }
    members.into_iter().map(|(group, members)| judged(survey, members, nearest.get(&group).copied())).collect()
}

/// How near two pictures of different contents are, where that is near enough.
fn likeness(seen: &[Seen], features: &Features, a: usize, b: usize) -> Option<Likeness> {
    let hash_distance = seen[a].hash.distance(seen[b].hash);
    if hash_distance > FARTHEST_HASH || seen[a].content == seen[b].content {
        return None;
    }
    let similarity = features.similarity(a, b);
    (similarity >= LEAST_SIMILARITY).then_some(Likeness { hash_distance, similarity })
}

/// What matters most of a group.
fn judged(survey: &Survey, mut group: Vec<&Seen>, likeness: Option<Likeness>) -> Finding {
    // The side that decides most keeps its picture; the first of it is kept.
    group.sort_by(|a, b| (std::cmp::Reverse(a.side), &a.path).cmp(&(std::cmp::Reverse(b.side), &b.path)));
    let first = group[0];
    let one_class = group.iter().all(|seen| seen.label == first.label);
    let one_side = group.iter().all(|seen| seen.side == first.side);
    let (fact, leave_out): (Fact, Vec<&&Seen>) = match (one_class, one_side, likeness) {
        // Nothing tells which of the labels is right.
        (false, ..) => (Fact::ConflictingLabels { likeness }, group.iter().collect()),
        (true, false, _) => (Fact::Leak { likeness }, group.iter().filter(|seen| seen.side < first.side).collect()),
        (true, true, None) => (Fact::Duplicate, group[1..].iter().collect()),
        // Another view of a thing may be worth having.
        (true, true, Some(likeness)) => (Fact::NearDuplicate { likeness }, Vec::new()),
    };
    let leave_out = leave_out.into_iter().map(|seen| seen.path.clone()).collect();
    Finding { fact, pictures: group.iter().map(|seen| survey.subject(seen)).collect(), leave_out }
}

/// Disjoint groups of numbers, each named by its smallest.
struct Groups(Vec<usize>);

impl Groups {
    fn new(count: usize) -> Groups {
        Groups((0..count).collect())
    }

    fn of(&mut self, mut number: usize) -> usize {
        while self.0[number] != number {
            self.0[number] = self.0[self.0[number]];
            number = self.0[number];
        }
        number
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }
}
