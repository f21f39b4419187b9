//! Named random streams, a pure function of (seed, name, position).
//!
//! Invariant: no generator is shared. Whoever needs random numbers names a stream (`"shuffle"`, `"dropout/dense_1"`) and the
//! indices that it belongs to (epoch, step, sample); a run that is stopped and resumed, or spread over other threads,
//! therefore draws the same numbers.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// One stream of random numbers.
///
/// ```
/// use defrost::rng::Stream;
/// let mut a = Stream::new(42, "shuffle", &[0]);
/// let mut b = Stream::new(42, "shuffle", &[0]);
/// assert_eq!(a.uniform(), b.uniform());
/// ```
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream called `name` of a run's `seed`, for the given indices (for example `[epoch, sample]`).
    pub fn new(seed: u64, name: &str, indices: &[u64]) -> Stream {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        for index in indices {
            hasher.update(&index.to_le_bytes());
        }
        Stream(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Uniform in `[0, 1)`, a multiple of 2⁻²⁴.
    pub fn uniform(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// Uniform in `0..n`, without bias (Lemire 2019, rejection); `n` must be at least 1.
    pub fn below(&mut self, n: u32) -> u32 {
        let threshold = n.wrapping_neg() % n.max(1);
        loop {
            let wide = u64::from(self.next_u32()) * u64::from(n);
            if wide as u32 >= threshold {
                return (wide >> 32) as u32;
            }
        }
    }

    /// Standard normal (Box and Muller 1958, the cosine half).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * f64::from(1.0 - self.uniform()).ln()).sqrt();
        let angle = std::f64::consts::TAU * f64::from(self.uniform());
        (radius * angle.cos()) as f32
    }

    /// From Beta(a, b), for a and b above 0: `x / (x + y)` with x from Gamma(a) and y from Gamma(b).
    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        // On a logarithmic scale, as both may be too small for a number where a and b are small.
        let (x, y) = (self.ln_gamma(a), self.ln_gamma(b));
        1.0 / (1.0 + (y - x).exp())
    }

    /// The logarithm of a draw from Gamma(shape) with scale 1, for a shape above 0.
    ///
    /// # Reference
    /// G. Marsaglia and W. W. Tsang, "A Simple Method for Generating Gamma Variables", 2000; section 6 for shapes below 1.
    fn ln_gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let raised = self.ln_gamma(shape + 1.0);
            return raised + f64::from(1.0 - self.uniform()).ln() / shape;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = f64::from(self.normal());
            let v = (1.0 + c * x).powi(3);
            let u = f64::from(1.0 - self.uniform());
            if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d.ln() + v.ln();
            }
        }
    }

    /// A uniformly random order of `0..n` (Fisher and Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i as u32 + 1) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_name_and_index() {
        let first = |seed, name, indices: &[u64]| Stream::new(seed, name, indices).next_u32();
        let all =
            [first(1, "a", &[]), first(2, "a", &[]), first(1, "b", &[]), first(1, "a", &[0]), first(1, "a", &[1])];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b));
        }
    }

    #[test]
    fn a_permutation_holds_each_index_once() {
        let mut order = Stream::new(7, "shuffle", &[3]).permutation(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn beta_numbers_have_the_mean_and_the_variance_of_the_distribution() {
        let n = 20_000;
        for (a, b) in [(0.2, 0.2), (1.0, 1.0), (5.0, 5.0), (2.0, 0.5)] {
            let mut stream = Stream::new(0, "beta", &[]);
            let draws: Vec<f64> = (0..n).map(|_| stream.beta(a, b)).collect();
            assert!(draws.iter().all(|x| (0.0..=1.0).contains(x)));
            let mean = draws.iter().sum::<f64>() / f64::from(n);
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
            let (sum, expected) = (a + b, a / (a + b));
            assert!((mean - expected).abs() < 0.01, "Beta({a}, {b}): mean {mean} for {expected}");
            let expected = a * b / (sum * sum * (sum + 1.0));
            assert!((variance - expected).abs() < 0.005, "Beta({a}, {b}): variance {variance} for {expected}");
        }
        let mut stream = Stream::new(1, "beta", &[]);
        assert!((0..1000).all(|_| (0.0..=1.0).contains(&stream.beta(1e-3, 1e-3))));
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_deviation_one() {
        let mut stream = Stream::new(0, "normal", &[]);
        let n = 20_000;
        let draws: Vec<f64> = (0..n).map(|_| f64::from(stream.normal())).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }
}
