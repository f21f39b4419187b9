//! Pictures that are more than upright 8-bit RGB, and are made to be.

use super::super::{Fact, Finding, Seen, Survey};

pub(crate) fn find(survey: &Survey) -> Vec<Finding> {
    let of_one = |seen: &Seen| {
        let Some(traits) = seen.traits else { return Vec::new() };
        let mut facts = Vec::new();
        if traits.animated {
            facts.push(Fact::Animated);
        }
        if traits.cmyk {
            facts.push(Fact::Cmyk);
        }
        if traits.bits > 8 {
            facts.push(Fact::Deep { bits: traits.bits });
        }
        if traits.orientation != 1 {
            facts.push(Fact::Rotated { orientation: traits.orientation });
        }
        facts.into_iter().map(|fact| Finding::of(survey.subject(seen), fact)).collect()
    };
    survey.seen.iter().flat_map(of_one).collect()
}
