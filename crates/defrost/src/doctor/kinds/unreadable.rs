//! Files that give no picture, and those that end early.

use super::super::{Fact, Finding, Survey};

pub(crate) fn find(survey: &Survey) -> Vec<Finding> {
    let finding = |lost| {
        let subject = survey.lost_subject(lost);
        let reason = lost.skipped.reason.clone();
        Finding::against(subject, if lost.truncated { Fact::Truncated { reason } } else { Fact::Unreadable { reason } })
    };
    survey.lost.iter().map(finding).collect()
}
