//! Pictures that are far from all others: what doesn't belong here.
//!
//! The distance of a picture is the mean of 1 − cosine to its nearest [`NEIGHBOURS`] that aren't copies of it. It is far where
//! it exceeds the median picture's by more than [`SPREADS`] times the spread of those above the median (their median excess,
//! scaled to a standard deviation).
//!
//! # Reference
//! Ramaswamy, Rastogi and Shim 2000, "Efficient algorithms for mining outliers from large data sets" (distance to the k nearest
//! neighbours); Iglewicz and Hoaglin 1993, *How to detect and handle outliers* (the modified z-score).

use rayon::prelude::*;

use super::super::{Fact, Features, Finding, Survey};

/// Nearest pictures that are looked at.
const NEIGHBOURS: usize = 10;

/// Pictures among which neighbours are looked for, at most: enough to know a crowd by.
const CROWD: usize = 10_000;

/// Spreads beyond the median that are far.
const SPREADS: f64 = 4.5;

/// The standard deviation of a normal distribution, in units of its median absolute deviation.
const DEVIATION: f64 = 1.4826;

/// Fewer pictures have no crowd to be far from.
const LEAST: usize = 5 * NEIGHBOURS;

pub(crate) fn find(survey: &Survey, features: &Features, groups: &[usize]) -> Vec<Finding> {
    if survey.seen.len() < LEAST {
        return Vec::new();
    }
    // The first contents: a random choice that doesn't depend on names.
    let mut crowd: Vec<usize> = (0..survey.seen.len()).collect();
    crowd.sort_by_key(|picture| survey.seen[*picture].content);
    crowd.truncate(CROWD);
    let distances: Vec<f64> =
        (0..features.count()).into_par_iter().map(|picture| distance(features, &crowd, groups, picture)).collect();
    let middle = median(distances.clone());
    let spread = DEVIATION * median(distances.iter().map(|d| d - middle).filter(|d| *d > 0.0).collect());
    let mut far: Vec<usize> =
        (0..distances.len()).filter(|picture| distances[*picture] > middle + SPREADS * spread).collect();
    far.sort_by(|a, b| distances[*b].total_cmp(&distances[*a]).then(a.cmp(b)));
    let finding = |picture: usize| {
        let fact = Fact::Outlier { distance: distances[picture], median: middle };
        Finding::of(survey.subject(&survey.seen[picture]), fact)
    };
    far.into_iter().map(finding).collect()
}

fn distance(features: &Features, crowd: &[usize], groups: &[usize], picture: usize) -> f64 {
    // The nearest so far, the farthest of them first.
    let mut nearest: Vec<f64> = Vec::with_capacity(NEIGHBOURS + 1);
    for other in crowd.iter().filter(|other| groups[**other] != groups[picture]) {
        let distance = 1.0 - f64::from(features.similarity(picture, *other));
        if nearest.len() < NEIGHBOURS || distance < nearest[0] {
            let place = nearest.partition_point(|known| *known > distance);
            nearest.insert(place, distance);
            if nearest.len() > NEIGHBOURS {
                nearest.remove(0);
            }
        }
    }
    nearest.iter().sum::<f64>() / nearest.len().max(1) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::survey;
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn what_lies_apart_is_found_and_a_uniform_crowd_has_nobody_apart() {
        let mut stream = Stream::new(2, "crowd", &[]);
        let mut rows: Vec<f32> = (0..100 * 8).map(|i| if i % 8 < 4 { 1.0 + stream.uniform() } else { 0.1 }).collect();
        let labels = vec![0; 100];
        let survey = survey(&labels, 1);
        let paths: Vec<String> = survey.seen.iter().map(|seen| seen.path.clone()).collect();
        let groups: Vec<usize> = (0..100).collect();
        let found = |rows: &[f32]| {
            let features = Features::new(&survey, &paths, rows).unwrap();
            let paths: Vec<String> =
                find(&survey, &features, &groups).iter().map(|finding| finding.pictures[0].path.clone()).collect();
            paths
        };
        assert!(found(&rows).len() <= 2, "{:?}", found(&rows));
        rows[40 * 8..41 * 8].copy_from_slice(&[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(found(&rows)[0], paths[40]);
    }

    #[test]
    fn a_few_pictures_are_no_crowd() {
        let survey = survey(&[0, 1, 0], 2);
        let paths: Vec<String> = survey.seen.iter().map(|seen| seen.path.clone()).collect();
        let features = Features::new(&survey, &paths, &[1.0, 0.0, 1.0, 0.0, 0.0, 1.0]).unwrap();
        assert!(find(&survey, &features, &[0, 1, 2]).is_empty());
    }
}
