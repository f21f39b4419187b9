//! MixUp and CutMix: each row of a batch mixed with another one of the same batch, and their targets with them.
//!
//! Rows are what a stage trains on, pictures or stored features, so mixing costs no trunk pass. Invariant: what comes out is a
//! function of the rows, the labels, the seed and the position (epoch, step) alone: not of the number of threads, nor of what was
//! mixed before.

use rayon::prelude::*;

use crate::rng::Stream;

/// How the rows of a batch are mixed; the default is not at all.
///
/// Where both are on, each batch is mixed by one of them, with equal chances, as timm does.
///
/// # Reference
/// H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018, section 2; S. Yun et al., "CutMix: Regularization Strategy
/// to Train Strong Classifiers with Localizable Features", 2019, section 3.1. Both draw one λ a batch; here each row has its own.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mixing {
    /// α of MixUp: `λ · x + (1 − λ) · x'`, with λ from Beta(α, α); 0 is off.
    pub mixup: f64,
    /// α of CutMix: a box of `x'` that covers 1 − λ of the grid, as far as it lies inside, is pasted into `x`; 0 is off.
    pub cutmix: f64,
}

/// Where in a training a batch stands, and the seed of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Of the run.
    pub seed: u64,
    /// From 0, over the whole run.
    pub epoch: u64,
    /// Of the epoch, from 0.
    pub step: u64,
}

impl Position {
    fn stream(self, name: &str, row: Option<usize>) -> Stream {
        let indices = [self.epoch, self.step, row.unwrap_or_default() as u64];
        Stream::new(self.seed, name, &indices[..if row.is_some() { 3 } else { 2 }])
    }
}

/// A batch with its targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixed {
    /// As many rows as there were.
    pub rows: Vec<f32>,
    /// `[rows, classes]`: the shares of the classes in each row, which sum to 1.
    pub targets: Vec<f32>,
    /// Of each row, the number of the row that was mixed in, and the row's own share.
    pub partners: Vec<(usize, f32)>,
}

impl Mixing {
    /// Whether batches stay as they are.
    pub fn is_off(&self) -> bool {
        self.mixup <= 0.0 && self.cutmix <= 0.0
    }

    /// Mixes a batch.
    ///
    /// # Shapes
    /// `rows`: a row of `grid[0] · grid[1]` positions, each with as many channels, for each of `labels`, which are below
    /// `classes`. `grid` is `[1, 1]` for rows without positions, of which CutMix can't
    /// paste a part.
    ///
    /// # Panics
    /// When `rows` isn't a whole number of positions for each label, or a label isn't below `classes`.
    pub fn mix(&self, rows: &[f32], labels: &[usize], classes: usize, grid: [usize; 2], position: Position) -> Mixed {
        let row_len = rows.len() / labels.len().max(1);
        let [height, width] = grid;
        assert!(
            rows.len() == row_len * labels.len() && row_len.is_multiple_of(height * width),
            "{} elements aren't {} rows of {height} × {width} positions",
            rows.len(),
            labels.len()
        );
        let mut of_batch = position.stream("mix", None);
        let cut = match (self.mixup > 0.0, self.cutmix > 0.0) {
            (true, true) => of_batch.below(2) == 1,
            (_, cutmix) => cutmix,
        };
        let partners = of_batch.permutation(labels.len());
        let partners = partners.into_iter().map(|partner| (partner, 1.0)).collect();
        let mut mixed = Mixed { rows: rows.to_vec(), targets: vec![0.0; labels.len() * classes], partners };
        let outputs = mixed.rows.par_chunks_exact_mut(row_len.max(1)).zip(mixed.targets.par_chunks_exact_mut(classes));
        outputs.zip(&mut mixed.partners).enumerate().for_each(|(number, ((row, target), (partner, share)))| {
            let partner = *partner;
            let other = &rows[partner * row_len..][..row_len];
            let mut random = position.stream(if cut { "cutmix" } else { "mixup" }, Some(number));
            let own_share = if cut {
                let pasted = Pasted::draw(grid, random.beta(self.cutmix, self.cutmix), &mut random);
                pasted.paste(row, other, grid);
                1.0 - pasted.area() as f32 / (height * width) as f32
            } else {
                let own_share = random.beta(self.mixup, self.mixup) as f32;
                row.iter_mut().zip(other).for_each(|(x, y)| *x = own_share * *x + (1.0 - own_share) * y);
                own_share
            };
            *share = own_share;
            target[labels[number]] += own_share;
            target[labels[partner]] += 1.0 - own_share;
        });
        mixed
    }
}

/// A box of a grid, ends exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pasted {
    rows: [usize; 2],
    columns: [usize; 2],
}

impl Pasted {
    /// A box of the grid's proportions that covers `1 − own_share` of it, about a random centre, its edges rounded to the grid
    /// and cut off at the grid's end.
    fn draw([height, width]: [usize; 2], own_share: f64, random: &mut Stream) -> Pasted {
        let side = (1.0 - own_share).max(0.0).sqrt();
        let mut span = |whole: usize| {
            let (centre, half) = (f64::from(random.uniform()) * whole as f64, 0.5 * side * whole as f64);
            // Below 0 the conversion gives 0.
            [centre - half, centre + half].map(|edge| (edge.round() as usize).min(whole))
        };
        Pasted { rows: span(height), columns: span(width) }
    }

    fn area(self) -> usize {
        (self.rows[1] - self.rows[0]) * (self.columns[1] - self.columns[0])
    }

    /// Copies the box from `other` to `row`, both of the same grid.
    fn paste(self, row: &mut [f32], other: &[f32], [height, width]: [usize; 2]) {
        let channels = row.len() / (height * width);
        let [left, right] = self.columns;
        for line in self.rows[0]..self.rows[1] {
            let span = (line * width + left) * channels..(line * width + right) * channels;
            row[span.clone()].copy_from_slice(&other[span]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: Position = Position { seed: 3, epoch: 2, step: 5 };
    const CLASSES: usize = 4;

    /// Rows that hold their own number everywhere, of 6 × 5 positions with 2 channels.
    fn batch(count: usize) -> (Vec<f32>, Vec<usize>) {
        let rows = (0..count).flat_map(|number| vec![number as f32; 60]).collect();
        (rows, (0..count).map(|number| number % CLASSES).collect())
    }

    fn mix(mixing: Mixing, count: usize, position: Position) -> Mixed {
        let (rows, labels) = batch(count);
        mixing.mix(&rows, &labels, CLASSES, [6, 5], position)
    }

    const MIXUP: Mixing = Mixing { mixup: 0.4, cutmix: 0.0 };
    const CUTMIX: Mixing = Mixing { mixup: 0.0, cutmix: 1.0 };
    const BOTH: Mixing = Mixing { mixup: 0.4, cutmix: 1.0 };

    #[test]
    fn mixup_mixes_a_whole_row_by_one_share() {
        let mixed = mix(MIXUP, 40, AT);
        let mut shares = std::collections::BTreeSet::new();
        for (number, (row, target)) in mixed.rows.chunks(60).zip(mixed.targets.chunks(CLASSES)).enumerate() {
            assert!(row.iter().all(|x| x == &row[0]), "row {number}");
            assert!((target.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            let own = target[number % CLASSES];
            // The row is number + (1 − λ) · (partner − number), and the partner has another class unless all of the target is own.
            if own < 0.99 {
                let partner = number as f32 + (row[0] - number as f32) / (1.0 - own);
                assert!((partner - partner.round()).abs() < 1e-2, "row {number}: {partner}");
                assert!(target[partner.round() as usize % CLASSES] > 0.0);
                shares.insert(own.to_bits());
            }
        }
        assert!(shares.len() > 15, "{shares:?}");
    }

    #[test]
    fn cutmix_pastes_one_box_and_counts_what_it_pasted() {
        let mixed = mix(CUTMIX, 60, AT);
        let (mut boxes, mut cut_off) = (0, 0);
        for (number, (row, target)) in mixed.rows.chunks(60).zip(mixed.targets.chunks(CLASSES)).enumerate() {
            let foreign: Vec<usize> = (0..30).filter(|&at| row[2 * at] != number as f32).collect();
            assert!((0..30).all(|at| row[2 * at] == row[2 * at + 1]), "row {number}: channels belong together");
            let Some(&first) = foreign.first() else { continue };
            let partner = row[2 * first];
            let (top, bottom) = (first / 5, foreign[foreign.len() - 1] / 5);
            let columns = |at: &usize| at % 5;
            let left = foreign.iter().map(columns).min().unwrap();
            let right = foreign.iter().map(columns).max().unwrap();
            assert_eq!(foreign.len(), (bottom - top + 1) * (right - left + 1), "row {number} has one whole box");
            assert!(foreign.iter().all(|&at| row[2 * at] == partner));
            let mut expected = [0.0; CLASSES];
            let share = foreign.len() as f32 / 30.0;
            expected[number % CLASSES] += 1.0 - share;
            expected[partner as usize % CLASSES] += share;
            assert!(target.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "row {number}: {target:?}");
            boxes += 1;
            cut_off += usize::from(top == 0 || left == 0 || bottom == 5 || right == 4);
        }
        assert!(boxes > 40 && cut_off > 5, "{boxes} {cut_off}");
    }

    #[test]
    fn a_batch_is_a_function_of_seed_and_position() {
        for mixing in [MIXUP, CUTMIX, BOTH] {
            let first = mix(mixing, 16, AT);
            assert_eq!(first, mix(mixing, 16, AT));
            let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            assert_eq!(first, one_thread.install(|| mix(mixing, 16, AT)));
            for other in [Position { seed: 4, ..AT }, Position { epoch: 3, ..AT }, Position { step: 6, ..AT }] {
                assert_ne!(first, mix(mixing, 16, other));
            }
        }
    }

    #[test]
    fn both_take_turns() {
        // CutMix leaves values whole; MixUp all but never does.
        let whole = |step| mix(BOTH, 16, Position { step, ..AT }).rows.iter().all(|x| x.fract() == 0.0);
        let cut = (0..200).filter(|&step| whole(step)).count();
        assert!((70..130).contains(&cut), "{cut}");
    }

    #[test]
    fn a_row_alone_stays_as_it_is() {
        let mixed = mix(MIXUP, 1, AT);
        assert_eq!(mixed.targets, [1.0, 0.0, 0.0, 0.0]);
        assert!(mixed.rows.iter().all(|x| *x == 0.0));
        assert!(Mixing::default().is_off() && !BOTH.is_off());
    }

    proptest! {
        #[test]
        fn targets_sum_to_one(mixup in 0.01..5.0, cutmix in 0.01..5.0, kind in 0..3_u8, count in 1..9_usize, step in 0..50_u64) {
            let mixing = Mixing { mixup: if kind == 1 { 0.0 } else { mixup }, cutmix: if kind == 2 { 0.0 } else { cutmix } };
            let mixed = mix(mixing, count, Position { step, ..AT });
            for target in mixed.targets.chunks(CLASSES) {
                prop_assert!((target.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                prop_assert!(target.iter().all(|share| (0.0..=1.0).contains(share)));
            }
            prop_assert!(mixed.rows.iter().all(|x| (0.0..=count as f32).contains(x)));
        }
    }
}
