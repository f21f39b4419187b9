//! The same picture several times: as the same file, or as good as the same. Of a group, what matters most is said: that it
//! has several classes, that it lies on several sides, or that it is there more than once.
//!
//! Near copies: a perceptual hash proposes pairs, the distance of the network's features confirms them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rayon::prelude::*;

use super::super::{Fact, Features, Finding, Likeness, Seen, Survey};

/// Hashes of near copies differ in at most so many of 64 bits.
const FARTHEST_HASH: u32 = 16;

/// The least cosine between near copies' features: a small copy of a picture has lost what the network sees in its details, but
/// its hash is the same; the more the hashes differ, the more alike the features must be. From this, for equal hashes, by that for
/// each bit.
const LEAST_SIMILARITY: (f64, f64) = (0.62, 0.0175);

/// Which pictures are copies of each other.
#[derive(Debug)]
pub(crate) struct Copies {
    /// Pairs that are as good as the same, whose contents differ.
    pairs: Vec<(usize, usize, Likeness)>,
    /// For each picture the number of its group: of exact and near copies, and of their copies.
    groups: Vec<usize>,
    /// The same, with pictures that the data say belong together.
    pub(crate) kin: Vec<usize>,
}

impl Copies {
    /// Compares every picture with every other; near copies need `features`.
    pub(crate) fn of(survey: &Survey, features: Option<&Features>) -> Copies {
        let seen = &survey.seen;
        let pairs: Vec<(usize, usize, Likeness)> = (0..seen.len())
            .into_par_iter()
            .flat_map_iter(|a| (a + 1..seen.len()).map(move |b| (a, b)))
            .filter_map(|(a, b)| Some((a, b, likeness(seen, features?, a, b)?)))
            .collect();
        let mut groups = Groups::new(seen.len());
        pairs.iter().for_each(|(a, b, _)| groups.unite(*a, *b));
        let mut first: BTreeMap<[u8; 32], usize> = BTreeMap::new();
        for (picture, seen) in seen.iter().enumerate() {
            groups.unite(picture, *first.entry(seen.content).or_insert(picture));
        }
        let copies = groups.all();
        let mut together: BTreeMap<&str, usize> = BTreeMap::new();
        for (picture, group) in
            seen.iter().enumerate().filter_map(|(picture, seen)| Some((picture, seen.group.as_deref()?)))
        {
            groups.unite(picture, *together.entry(group).or_insert(picture));
        }
        Copies { pairs, groups: copies, kin: groups.all() }
    }
}

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
pub(crate) fn near(survey: &Survey, copies: &Copies) -> Vec<Finding> {
    let mut nearest: BTreeMap<usize, Likeness> = BTreeMap::new();
    for (a, _, likeness) in &copies.pairs {
        let known = nearest.entry(copies.groups[*a]).or_insert(*likeness);
        if likeness.similarity > known.similarity {
            *known = *likeness;
        }
    }
    let mut members: BTreeMap<usize, Vec<&Seen>> = BTreeMap::new();
    for (group, seen) in copies.groups.iter().zip(&survey.seen).filter(|(group, _)| nearest.contains_key(group)) {
        members.entry(*group).or_default().push(seen);
    }
    members.into_iter().map(|(group, members)| judged(survey, members, nearest.get(&group).copied())).collect()
}

/// How near two pictures of different contents are, where that is near enough.
fn likeness(seen: &[Seen], features: &Features, a: usize, b: usize) -> Option<Likeness> {
    let hash_distance = seen[a].hash.distance(seen[b].hash);
    // Pictures of one colour have nothing to be alike in.
    let blank = seen[a].hash.is_blank() || seen[b].hash.is_blank();
    if blank || hash_distance > FARTHEST_HASH || seen[a].content == seen[b].content {
        return None;
    }
    let similarity = features.similarity(a, b);
    let (least, each) = LEAST_SIMILARITY;
    (f64::from(similarity) >= least + each * f64::from(hash_distance)).then_some(Likeness { hash_distance, similarity })
}

/// What matters most of a group.
fn judged(survey: &Survey, mut group: Vec<&Seen>, likeness: Option<Likeness>) -> Finding {
    // The side that decides most keeps its picture; the first of it is kept.
    group.sort_by(|a, b| (Reverse(a.side), &a.path).cmp(&(Reverse(b.side), &b.path)));
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

    fn all(&mut self) -> Vec<usize> {
        (0..self.0.len()).map(|number| self.of(number)).collect()
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::survey;
    use super::*;
    use crate::doctor::Kind;
    use crate::image::PerceptualHash;

    fn kinds(findings: &[Finding]) -> Vec<Kind> {
        findings.iter().map(Finding::kind).collect()
    }

    #[test]
    fn of_exact_copies_the_gravest_is_said() {
        let mut survey = survey(&[0, 0, 1, 0, 1, 1], 2);
        let content = survey.seen[0].content;
        survey.seen[1].content = content;
        let findings = exact(&survey);
        assert_eq!(kinds(&findings), [Kind::Duplicate]);
        assert_eq!(findings[0].leave_out, [survey.seen[1].path.as_str()]);
        // On the test side, too: only the training copies are left out.
        survey.seen[3].content = content;
        survey.seen[3].side = 2;
        let findings = exact(&survey);
        assert_eq!(kinds(&findings), [Kind::Leak]);
        assert_eq!(findings[0].leave_out, [survey.seen[0].path.as_str(), &survey.seen[1].path]);
        assert_eq!(findings[0].pictures[0].side, Some("test"));
        survey.seen[4].content = content;
        let findings = exact(&survey);
        assert_eq!((kinds(&findings), findings[0].leave_out.len()), (vec![Kind::ConflictingLabels], 4));
    }

    #[test]
    fn near_copies_need_both_the_hash_and_the_features() {
        let mut survey = survey(&[0, 0, 0, 0], 1);
        let paths: Vec<String> = survey.seen.iter().map(|seen| seen.path.clone()).collect();
        survey.seen[1].hash = PerceptualHash::from(survey.seen[0].hash.bits() ^ 0b111);
        survey.seen[3].hash = survey.seen[0].hash;
        // The first two are alike to the network, the third by the features alone, the fourth by the hash alone.
        let rows = [1.0, 0.1, 0.0, 1.0, 0.11, 0.0, 1.0, 0.1, 0.0, 0.0, 0.0, 1.0];
        let features = Features::new(&survey, &paths, &rows).unwrap();
        let copies = Copies::of(&survey, Some(&features));
        assert_eq!(copies.groups, [0, 0, 2, 3]);
        survey.seen[2].group = Some("burst".into());
        survey.seen[1].group = Some("burst".into());
        assert_eq!(Copies::of(&survey, Some(&features)).kin, [0, 0, 0, 3]);
        let findings = near(&survey, &copies);
        assert_eq!(kinds(&findings), [Kind::NearDuplicate]);
        assert!(findings[0].leave_out.is_empty());
        survey.seen[1].side = 1;
        let findings = near(&survey, &copies);
        assert_eq!(kinds(&findings), [Kind::Leak]);
        assert_eq!(findings[0].leave_out, [survey.seen[0].path.as_str()]);
        assert!(near(&survey, &Copies::of(&survey, None)).is_empty());
    }

    #[test]
    fn groups_are_named_by_their_smallest() {
        let mut groups = Groups::new(6);
        for (a, b) in [(4, 5), (1, 4), (2, 3)] {
            groups.unite(a, b);
        }
        assert_eq!(groups.all(), [0, 1, 2, 2, 1, 1]);
    }
}
