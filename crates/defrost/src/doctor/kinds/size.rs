//! Pictures of very few and of very many pixels.

use super::super::{Fact, Finding, Seen, Survey};

/// A shorter side below this is tiny: a network's input has about seven times as many pixels along it.
const TINY: usize = 32;

/// More pixels than this are huge: decoding them takes longer than the network does.
const HUGE: usize = 40_000_000;

pub(crate) fn find(survey: &Survey) -> Vec<Finding> {
    let finding = |seen: &Seen| {
        let header = seen.traits?.header;
        let (width, height) = (header.width, header.height);
        let fact = match (width, height) {
            _ if width.min(height) < TINY => Fact::Tiny { width, height },
            _ if width.saturating_mul(height) > HUGE => Fact::Huge { width, height },
            _ => return None,
        };
        Some(Finding::of(survey.subject(seen), fact))
    };
    survey.seen.iter().filter_map(finding).collect()
}
