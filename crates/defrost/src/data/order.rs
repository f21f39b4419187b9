//! Which pictures, in which order: an epoch's as a pure function of (seed, epoch), and a few of all.

use serde::{Deserialize, Serialize};

use crate::rng::Stream;

/// How an epoch's order is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shuffle {
    /// Every order is equally likely.
    #[default]
    Full,
    /// A buffer of so many pictures, as `tf.data`'s `shuffle(n)`: each visit takes a random one of the buffer and
    /// refills its place with the next in line. A picture can't move forward by more than the buffer's length, so that
    /// files which lie class by class stay nearly so, and batches hold one class.
    Buffer(usize),
}

/// The order of `n` training pictures in `epoch` (counted from 0 over the whole run): a permutation of `0..n`.
///
/// ```
/// use defrost::data::{Shuffle, epoch_order};
/// let mut order = epoch_order(5, 42, 0, Shuffle::Full);
/// assert_ne!(order, epoch_order(5, 42, 1, Shuffle::Full));
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3, 4]);
/// ```
pub fn epoch_order(n: usize, seed: u64, epoch: u64, shuffle: Shuffle) -> Vec<usize> {
    let mut stream = Stream::new(seed, "shuffle", &[epoch]);
    let capacity = match shuffle {
        Shuffle::Full => return stream.permutation(n),
        Shuffle::Buffer(capacity) => capacity.clamp(1, n.max(1)),
    };
    let mut buffer: Vec<usize> = (0..capacity.min(n)).collect();
    let mut order = Vec::with_capacity(n);
    for next in capacity..n {
        let place = stream.below(buffer.len() as u32) as usize;
        order.push(std::mem::replace(&mut buffer[place], next));
    }
    while !buffer.is_empty() {
        let place = stream.below(buffer.len() as u32) as usize;
        order.push(buffer.swap_remove(place));
    }
    order
}

/// At most `most` of `all`, at equal distances: pictures come class by class.
///
/// ```
/// assert_eq!(defrost::data::evenly(vec!['a', 'b', 'c', 'd', 'e'], 2), ['a', 'c']);
/// ```
pub fn evenly<T>(all: Vec<T>, most: usize) -> Vec<T> {
    let (length, taken) = (all.len(), all.len().min(most));
    let mut wanted = (0..taken).map(|index| index * length / taken).peekable();
    all.into_iter().enumerate().filter(|(index, _)| wanted.next_if_eq(index).is_some()).map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_order_is_a_permutation(n in 0usize..300, seed: u64, epoch in 0u64..100, buffer in 0usize..400) {
            for shuffle in [Shuffle::Full, Shuffle::Buffer(buffer)] {
                let order = epoch_order(n, seed, epoch, shuffle);
                prop_assert_eq!(&order, &epoch_order(n, seed, epoch, shuffle));
                let mut sorted = order;
                sorted.sort_unstable();
                prop_assert_eq!(sorted, (0..n).collect::<Vec<_>>());
            }
        }

        #[test]
        fn a_buffer_lets_nothing_overtake_by_more_than_its_length(n in 1usize..300, seed: u64, buffer in 1usize..50) {
            for (place, index) in epoch_order(n, seed, 0, Shuffle::Buffer(buffer)).into_iter().enumerate() {
                prop_assert!(index < place + buffer);
            }
        }
    }

    #[test]
    fn a_buffer_of_one_keeps_the_order_and_a_large_one_mixes() {
        assert_eq!(epoch_order(50, 1, 0, Shuffle::Buffer(1)), (0..50).collect::<Vec<_>>());
        let order = epoch_order(1000, 1, 0, Shuffle::Buffer(1000));
        let moved: usize = order.iter().enumerate().map(|(place, index)| place.abs_diff(*index)).sum();
        // A uniform permutation moves a picture by n/3 on average.
        assert!((moved as f64 / 1000.0 - 333.3).abs() < 40.0, "{moved}");
    }

    #[test]
    fn a_few_are_taken_from_everywhere() {
        let all: Vec<usize> = (0..10).collect();
        assert_eq!(evenly(all.clone(), 20), all);
        assert_eq!(evenly(all, 4), [0, 2, 5, 7]);
        assert!(evenly(Vec::<u8>::new(), 4).is_empty());
    }
}
