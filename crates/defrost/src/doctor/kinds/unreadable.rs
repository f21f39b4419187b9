//! Files that give no picture, those that end early, and those that give a garbled one.

use super::super::{Fact, Finding, Survey};

pub(crate) fn find(survey: &Survey) -> Vec<Finding> {
    let finding = |lost| {
        let subject = survey.lost_subject(lost);
        let reason = lost.skipped.reason.clone();
        Finding::against(subject, if lost.truncated { Fact::Truncated { reason } } else { Fact::Unreadable { reason } })
    };
    let damaged = survey.seen.iter().filter_map(|seen| {
        let reason = seen.damage?.to_owned();
        Some(Finding::against(survey.subject(seen), Fact::Damaged { reason }))
    });
    survey.lost.iter().map(finding).chain(damaged).collect()
}
