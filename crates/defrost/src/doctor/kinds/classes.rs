//! Classes without pictures, and classes of very different sizes.

use super::super::{Fact, Finding, Survey};

/// The largest class has more than so many times the pictures of the smallest.
const IMBALANCE: usize = 3;

pub(crate) fn find(survey: &Survey) -> Vec<Finding> {
    let of_a_class = |fact| Finding { fact, pictures: Vec::new(), leave_out: Vec::new() };
    let empty = survey
        .empty
        .iter()
        .map(|(class, folder)| of_a_class(Fact::EmptyClass { class: class.clone(), folder: folder.clone() }));
    empty.chain(imbalance(survey).map(of_a_class)).collect()
}

/// Of the readable training pictures; classes without any are another finding.
fn imbalance(survey: &Survey) -> Option<Fact> {
    let mut counts = vec![0; survey.classes.len()];
    survey.seen.iter().filter(|seen| seen.side == 0).for_each(|seen| counts[seen.label] += 1);
    let sizes = || counts.iter().zip(&survey.classes).filter(|(count, _)| **count > 0);
    let (most, largest) = sizes().rev().max_by_key(|(count, _)| **count)?;
    let (fewest, smallest) = sizes().min_by_key(|(count, _)| **count)?;
    (*most > IMBALANCE * fewest).then(|| Fact::Imbalance {
        largest: largest.clone(),
        most: *most,
        smallest: smallest.clone(),
        fewest: *fewest,
    })
}
