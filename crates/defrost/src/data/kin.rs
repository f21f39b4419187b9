//! Which pictures belong together, so that no split parts them: exact copies, look-alikes, members of a group.
//!
//! Invariant: a function of contents, groups and hashes; not of the pictures' order.

use std::collections::BTreeMap;

use super::stored::Sample;
use crate::image::PerceptualHash;

/// The most bits in which the perceptual hashes of look-alikes differ.
///
/// Of the 319,600 pairs in 800 photographs of flowers, the 8 within it are all the same picture (brightened, tinted, scaled, or
/// shot again at once), and so are the 2 that are 10 bits apart; beyond, different flowers begin. Of pictures that are compressed to
/// quality 30, scaled to a quarter or to twice their size, brightened by a fifth, made grey or cut by 1 % at each edge, 99.8 % or
/// more stay within it; cut by 2 %, 97 % (`cargo run --release -p defrost --example look_alikes`).
pub const LOOK_ALIKE: u32 = 8;

/// A chain of look-alikes with more than this share of all pictures, one in so many, shows pictures that a hash of 64 bits can't
/// tell apart (X-rays, drawings on white), not copies.
const LARGEST_SHARE: usize = 10;
/// Chains of so few are believed whatever their share.
const ALWAYS_BELIEVED: usize = 5;

/// Which pictures belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kin {
    /// Of each picture, the number of what it belongs to.
    pub(super) unit: Vec<usize>,
    /// Pictures in chains of look-alikes that are too long to be believed: they are not kept together.
    pub(super) alike: usize,
}

/// Finds what belongs together. A picture without a hash has no look-alikes.
pub(super) fn kin(samples: &[Sample], looks: &[Option<PerceptualHash>]) -> Kin {
    let facts = samples.iter().map(|sample| (sample.content, sample.group.as_deref()));
    join(facts, looks)
}

fn join<'a>(facts: impl Iterator<Item = ([u8; 32], Option<&'a str>)>, looks: &[Option<PerceptualHash>]) -> Kin {
    let mut units = Forest::new(looks.len());
    let (mut contents, mut groups) = (BTreeMap::new(), BTreeMap::new());
    for (index, (content, group)) in facts.enumerate() {
        units.join(index, *contents.entry(content).or_insert(index));
        if let Some(group) = group {
            units.join(index, *groups.entry(group).or_insert(index));
        }
    }
    let mut hashes: BTreeMap<PerceptualHash, Vec<usize>> = BTreeMap::new();
    for (index, look) in looks.iter().enumerate() {
        if let Some(look) = look.filter(|look| !look.is_blank()) {
            hashes.entry(look).or_default().push(index);
        }
    }
    let mut chains = Forest::new(looks.len());
    for alike in hashes.values() {
        alike.iter().for_each(|index| chains.join(*index, alike[0]));
    }
    let (hashes, first): (Vec<PerceptualHash>, Vec<usize>) =
        hashes.into_iter().map(|(hash, alike)| (hash, alike[0])).unzip();
    for (a, b) in near(&hashes) {
        chains.join(first[a], first[b]);
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    (0..looks.len()).for_each(|index| members.entry(chains.root(index)).or_default().push(index));
    let longest = (looks.len() / LARGEST_SHARE).max(ALWAYS_BELIEVED);
    let mut alike = 0;
    for chain in members.into_values() {
        if chain.len() > longest {
            alike += chain.len();
        } else {
            chain.iter().for_each(|index| units.join(*index, chain[0]));
        }
    }
    Kin { unit: (0..looks.len()).map(|index| units.root(index)).collect(), alike }
}

/// The pairs of different hashes that are at most [`LOOK_ALIKE`] bits apart; some more than once.
///
/// Of nine slices of the 64 bits, two such hashes agree in at least one, so only hashes that do are compared.
fn near(hashes: &[PerceptualHash]) -> Vec<(usize, usize)> {
    const SLICES: u32 = LOOK_ALIKE + 1;
    let mut found = Vec::new();
    for slice in 0..SLICES {
        let (start, end) = (64 * slice / SLICES, 64 * (slice + 1) / SLICES);
        let key = |index: &usize| hashes[*index].bits() << (64 - end) >> (64 - end + start);
        let mut order: Vec<usize> = (0..hashes.len()).collect();
        order.sort_by_key(key);
        for bucket in order.chunk_by(|a, b| key(a) == key(b)) {
            for (place, a) in bucket.iter().enumerate() {
                let near = bucket[place + 1..].iter().filter(|b| hashes[*a].distance(hashes[**b]) <= LOOK_ALIKE);
                found.extend(near.map(|b| (*a, *b)));
            }
        }
    }
    found
}

/// Disjoint sets; the smallest member stands for each.
#[derive(Debug)]
struct Forest(Vec<usize>);

impl Forest {
    fn new(length: usize) -> Forest {
        Forest((0..length).collect())
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn content(number: usize) -> [u8; 32] {
        *blake3::hash(&number.to_le_bytes()).as_bytes()
    }

    fn hashes(bits: &[u64]) -> Vec<PerceptualHash> {
        bits.iter().copied().map(PerceptualHash::from).collect()
    }

    #[test]
    fn copies_look_alikes_and_groups_chain() {
        let facts =
            [(0, Some("a")), (0, None), (1, Some("a")), (2, None), (3, None), (4, Some("b")), (5, None), (6, None)];
        let facts = facts.iter().map(|(number, group)| (content(*number), *group));
        let far = 0xffff_ffff;
        let looks = [1, 1, far, far ^ 0b1010, 0xf0f0_f0f0_f0f0_f0f0, far << 32, 0, 0]
            .map(|bits| Some(PerceptualHash::from(bits)));
        // Two blank pictures have nothing to be alike in.
        assert_eq!(join(facts, &looks), Kin { unit: vec![0, 0, 0, 0, 4, 5, 6, 7], alike: 0 });
    }

    #[test]
    fn a_chain_of_half_the_pictures_is_not_believed() {
        let looks: Vec<_> = (0..20)
            .map(|i| Some(PerceptualHash::from(if i < 10 { 0xff ^ (1 << i) } else { 0x1234_5678 << i })))
            .collect();
        let kin = join((0..20).map(|number| (content(number), None)), &looks);
        assert_eq!(kin, Kin { unit: (0..20).collect(), alike: 10 });
    }

    proptest! {
        #[test]
        fn slices_find_every_near_pair(seeds in prop::collection::vec(any::<u64>(), 1..6), flips in prop::collection::vec((0usize..6, prop::collection::vec(0u32..64, 0..9)), 0..30)) {
            let mut bits: Vec<u64> = seeds.clone();
            bits.extend(flips.iter().map(|(seed, flips)| flips.iter().fold(seeds[seed % seeds.len()], |bits, flip| bits ^ 1 << flip)));
            bits.sort_unstable();
            bits.dedup();
            let hashes = hashes(&bits);
            let found: std::collections::BTreeSet<(usize, usize)> = near(&hashes).into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            for a in 0..hashes.len() {
                for b in a + 1..hashes.len() {
                    prop_assert_eq!(found.contains(&(a, b)), hashes[a].distance(hashes[b]) <= LOOK_ALIKE);
                }
            }
        }
    }
}
