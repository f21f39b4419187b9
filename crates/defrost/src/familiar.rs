//! Whether a picture is like those that a classifier has learned from: the distance to its nearest ones in feature space.
//!
//! A classifier must name one of its classes, whatever it is shown, and is often sure of it. The features tell better: those of a
//! foreign picture lie apart from all that were learned. Features are brought to length 1; the distance is one less the cosine to
//! the k-th nearest training picture; the bound is the distance that all but 1 % of held-out pictures keep.
//!
//! # Reference
//! Sun et al. 2022, "Out-of-Distribution Detection with Deep Nearest Neighbors".
//!
//! ```
//! use defrost::familiar::Familiar;
//! let learned: Vec<f32> = (0..50).flat_map(|i| [1.0, 0.01 * i as f32]).collect();
//! let familiar = Familiar::fit(&learned, &learned, 2).unwrap();
//! assert!(!familiar.is_unlike(&[2.0, 0.5]));
//! assert!(familiar.is_unlike(&[-1.0, 0.5]));
//! ```

use half::f16;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::tensor::{dot, unit};

/// The nearest training picture that counts.
pub const NEIGHBOURS: usize = 5;

/// Training pictures that are kept at most, evenly taken.
pub const MOST_LEARNED: usize = 1000;

/// Held-out pictures that the bound is taken from at most, evenly taken.
pub const MOST_HELD_OUT: usize = 500;

/// With fewer held-out pictures there is no bound.
pub const LEAST_HELD_OUT: usize = 20;

/// The share of held-out pictures within the bound.
pub const WITHIN: f64 = 0.99;

/// The features of training pictures, and how far from them a picture may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Familiar {
    /// Which of the nearest counts, from 1.
    pub neighbours: usize,
    /// The largest distance of a picture that is like them.
    pub bound: f32,
    /// Held-out pictures that the bound was taken from.
    pub held_out: usize,
    /// Training pictures.
    pub pictures: usize,
    /// `[pictures, dimensions]`, each of length 1; kept in half precision, so already rounded to it.
    #[serde(skip)]
    features: Vec<f32>,
}

impl Familiar {
    /// Of features `[pictures, dimensions]` of training and of held-out pictures; `None` where either are too few.
    ///
    /// # Panics
    /// When there are no dimensions.
    pub fn fit(learned: &[f32], held_out: &[f32], dimensions: usize) -> Option<Familiar> {
        let (pictures, held) = (learned.len() / dimensions, held_out.len() / dimensions);
        if pictures < NEIGHBOURS || held < LEAST_HELD_OUT {
            return None;
        }
        let rounded =
            |row: &[f32]| unit(row).into_iter().map(|value| f16::from_f32(value).to_f32()).collect::<Vec<_>>();
        let features = learned.chunks_exact(dimensions).flat_map(rounded).collect();
        let mut familiar =
            Familiar { neighbours: NEIGHBOURS, bound: f32::INFINITY, held_out: held, pictures, features };
        let mut distances: Vec<f32> = held_out.par_chunks_exact(dimensions).map(|row| familiar.distance(row)).collect();
        distances.sort_by(f32::total_cmp);
        // Of one more picture like these, the distance is below this one with the wanted probability.
        let place = (WITHIN * (held + 1) as f64).ceil() as usize;
        familiar.bound = distances[place.min(held) - 1];
        familiar.bound.is_finite().then_some(familiar)
    }

    /// With its features as they were kept; `None` where they are too few or not as many as it says.
    pub(crate) fn with_features(self, features: Vec<f32>, dimensions: usize) -> Option<Familiar> {
        let fits = self.neighbours > 0
            && self.pictures >= self.neighbours
            && self.pictures.checked_mul(dimensions) == Some(features.len());
        (fits && self.bound.is_finite()).then_some(Familiar { features, ..self })
    }

    /// `[pictures, dimensions]`, each of length 1.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// One less the cosine to the k-th nearest training picture: 0 where it points the same way, at most 2.
    ///
    /// # Panics
    /// When the features have another number of dimensions.
    pub fn distance(&self, pooled: &[f32]) -> f32 {
        assert_eq!(pooled.len() * self.pictures, self.features.len(), "dimensions of the features");
        let own = unit(pooled);
        // The largest cosines, falling.
        let mut nearest = vec![f32::NEG_INFINITY; self.neighbours];
        for row in self.features.chunks_exact(own.len()) {
            let cosine = dot(row, &own);
            if cosine > nearest[self.neighbours - 1] {
                let place = nearest.partition_point(|&other| other >= cosine);
                nearest.insert(place, cosine);
                nearest.pop();
            }
        }
        1.0 - nearest[self.neighbours - 1]
    }

    /// Whether a picture with these features is unlike all training pictures.
    ///
    /// # Panics
    /// As [`distance`](Self::distance).
    pub fn is_unlike(&self, pooled: &[f32]) -> bool {
        self.distance(pooled) > self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// Pictures around a direction.
    fn cloud(seed: u64, centre: &[f32], pictures: usize) -> Vec<f32> {
        let mut stream = Stream::new(seed, "cloud", &[]);
        (0..pictures).flat_map(|_| centre.iter().map(|c| c + 0.3 * stream.normal()).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn most_pictures_of_the_kind_are_familiar_and_others_are_not() {
        let (here, there) = (vec![1.0; 20], (0..20).map(|i| if i < 10 { 1.0 } else { -1.0 }).collect::<Vec<_>>());
        let familiar = Familiar::fit(&cloud(1, &here, 300), &cloud(2, &here, 400), 20).unwrap();
        let unlike = |features: &[f32]| features.chunks_exact(20).filter(|row| familiar.is_unlike(row)).count();
        // 1 % of 1000, give or take.
        assert!((1..=30).contains(&unlike(&cloud(3, &here, 1000))), "{}", unlike(&cloud(3, &here, 1000)));
        assert_eq!(unlike(&cloud(4, &there, 100)), 100);
        // Brightness, a common factor, counts nothing.
        let bright: Vec<f32> = familiar.features()[..20].iter().map(|value| 50.0 * value).collect();
        assert!((familiar.distance(&bright) - familiar.distance(&familiar.features()[..20])).abs() < 1e-6);
        assert!(familiar.is_unlike(&[0.0; 20]));
    }

    #[test]
    fn the_kth_nearest_counts() {
        let angle = |degrees: f32| [degrees.to_radians().cos(), degrees.to_radians().sin()];
        let learned: Vec<f32> = [0.0, 10.0, 20.0, 30.0, 40.0, 90.0].into_iter().flat_map(angle).collect();
        let familiar = Familiar::fit(&learned, &cloud(1, &[1.0, 0.5], 30), 2).unwrap();
        // From 0°, the fifth nearest is at 40°.
        assert!((familiar.distance(&angle(0.0)) - (1.0 - 40_f32.to_radians().cos())).abs() < 1e-3);
    }

    #[test]
    fn too_few_pictures_give_no_bound() {
        let row = |pictures: usize| cloud(5, &[1.0, 2.0, 3.0], pictures);
        assert!(Familiar::fit(&row(NEIGHBOURS - 1), &row(100), 3).is_none());
        assert!(Familiar::fit(&row(100), &row(LEAST_HELD_OUT - 1), 3).is_none());
        let familiar = Familiar::fit(&row(100), &row(LEAST_HELD_OUT), 3).unwrap();
        let kept = familiar.features().to_vec();
        assert!(familiar.clone().with_features(kept[3..].to_vec(), 3).is_none());
        assert_eq!(familiar.clone().with_features(kept, 3), Some(familiar));
    }
}
