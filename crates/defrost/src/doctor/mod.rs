//! What is wrong with a data set: found, counted and named; nothing is changed.
//!
//! Every file is [looked at](Survey::of) once, and the frozen network's features are compared. Each kind of finding is a file of
//! its own in `kinds`, a pure function of what was seen; a [`Finding`] is the one description that the terminal, JSON, the
//! page and `exclude.csv` render.
//!
//! Invariant: a [`Diagnosis`] is a function of the files and the network alone, whatever the number of threads.

mod features;
mod finding;
mod kinds;
mod survey;
#[cfg(test)]
mod testing;

use std::collections::BTreeSet;

pub use features::Features;
pub use finding::{Fact, Finding, Kind, Likeness, Severity, Subject};
use kinds::copies::Copies;
pub use kinds::labels::{Doubt, LabelCheck};
pub use survey::{Lost, Seen, Survey};

/// Why data can't be examined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoctorError {
    /// The user stopped the work.
    #[error("stopped")]
    Cancelled,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// Files that are looked at, unreadable ones included.
    pub pictures: usize,
    /// Those that can be decoded.
    pub readable: usize,
    /// The classes' names.
    pub classes: Vec<String>,
    /// Readable pictures by side: training, validation, test.
    pub sides: [usize; 3],
    /// The gravest kind first; within a kind the most certain, else by path.
    pub findings: Vec<Finding>,
    /// What the features say of the labels; `None` where there is too little to learn from.
    pub labels: Option<LabelCheck>,
}

impl Diagnosis {
    /// Finds everything in what was seen.
    pub fn of(survey: &Survey, features: Option<&Features>) -> Diagnosis {
        let mut findings = kinds::unreadable::find(survey);
        findings.extend(kinds::classes::find(survey));
        findings.extend(kinds::copies::exact(survey));
        findings.extend(kinds::extension::find(survey));
        findings.extend(kinds::size::find(survey));
        findings.extend(kinds::pixels::find(survey));
        let copies = Copies::of(survey, features);
        findings.extend(kinds::copies::near(survey, &copies));
        let labels = features.and_then(|features| kinds::labels::check(survey, features, &copies.kin));
        findings.extend(labels.iter().flat_map(|check| kinds::labels::find(survey, check)));
        if let Some(features) = features {
            findings.extend(kinds::outliers::find(survey, features, &copies.kin));
        }
        // Stable: within a kind the order stays.
        findings.sort_by_key(Finding::kind);
        let mut sides = [0; 3];
        survey.seen.iter().for_each(|seen| sides[seen.side] += 1);
        Diagnosis {
            pictures: survey.seen.len() + survey.lost.len(),
            readable: survey.seen.len(),
            classes: survey.classes.clone(),
            sides,
            findings,
            labels,
        }
    }

    /// The findings of one kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.kind() == kind)
    }

    /// The pictures that are better left out: path, content and reason, each path once, the gravest reason first.
    pub fn exclusions(&self) -> Vec<(&Subject, String)> {
        let mut known = BTreeSet::new();
        let mut exclusions = Vec::new();
        for finding in &self.findings {
            for subject in finding.pictures.iter().filter(|subject| finding.leave_out.contains(&subject.path)) {
                if known.insert(&subject.path) {
                    exclusions.push((subject, finding.reason(&subject.path)));
                }
            }
        }
        exclusions
    }

    /// `exclude.csv`: a line for each picture that is better left out, `path,content,reason`; `content` is BLAKE3 in
    /// hexadecimal, empty where the file can't be read at all.
    pub fn exclude_csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut written = writer.write_record(["path", "content", "reason"]);
        for (subject, reason) in self.exclusions() {
            let content = subject.content.map(|content| blake3::Hash::from(content).to_hex().to_string());
            let content = content.unwrap_or_default();
            written = written.and_then(|()| writer.write_record([subject.path.as_str(), &content, &reason]));
        }
        debug_assert!(written.is_ok(), "rows have equal lengths, and memory takes them all");
        writer.into_inner().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::survey;
    use super::*;
    use crate::data::Skipped;

    #[test]
    fn kinds_are_listed_once_the_gravest_first() {
        assert!(Kind::ALL.is_sorted() && Kind::ALL.is_sorted_by_key(|kind| kind.severity()));
        assert_eq!(Kind::ALL.into_iter().collect::<BTreeSet<_>>().len(), Kind::ALL.len());
    }

    #[test]
    fn each_picture_is_left_out_once_for_its_gravest_reason() {
        let mut survey = survey(&[0, 0, 0, 1, 1], 2);
        // Three copies, of which one is garbled too, as the others are: they are the same file.
        for picture in 0..3 {
            survey.seen[picture].content = survey.seen[0].content;
            survey.seen[picture].damage = Some("its coded pixels end before the picture does");
        }
        let skipped = Skipped {
            path: "c1/b, \"c\".jpg".to_owned(),
            label: 1,
            content: None,
            reason: "the file is empty".to_owned(),
        };
        survey.lost.push(Lost { skipped, side: Some(0), truncated: false });
        let diagnosis = Diagnosis::of(&survey, None);
        assert_eq!((diagnosis.pictures, diagnosis.readable, diagnosis.sides), (6, 5, [5, 0, 0]));
        let kinds: Vec<Kind> = diagnosis.findings.iter().map(Finding::kind).collect();
        assert_eq!(kinds, [Kind::Unreadable, Kind::Damaged, Kind::Damaged, Kind::Damaged, Kind::Duplicate]);
        let table = String::from_utf8(diagnosis.exclude_csv()).unwrap();
        let content = blake3::Hash::from(survey.seen[0].content).to_hex();
        let garbled = "damaged: its coded pixels end before the picture does";
        let expected = format!(
            "path,content,reason\n\"c1/b, \"\"c\"\".jpg\",,unreadable: the file is empty\n\
             c0/0000.jpg,{content},{garbled}\nc0/0001.jpg,{content},{garbled}\nc0/0002.jpg,{content},{garbled}\n"
        );
        assert_eq!(table, expected);
    }

    #[test]
    fn sizes_of_classes_are_compared_without_empty_ones() {
        let labels: Vec<usize> = (0..16).map(|i| usize::from(i >= 12)).collect();
        assert!(Diagnosis::of(&survey(&labels, 3), None).findings.is_empty());
        let labels: Vec<usize> = (0..16).map(|i| usize::from(i >= 13)).collect();
        let mut survey = survey(&labels, 3);
        survey.empty.push(("c2".to_owned(), "data/c2".to_owned()));
        let findings = Diagnosis::of(&survey, None).findings;
        assert_eq!(findings.iter().map(Finding::kind).collect::<Vec<_>>(), [Kind::EmptyClass, Kind::Imbalance]);
        assert!(matches!(&findings[1].fact, Fact::Imbalance { most: 13, fewest: 3, .. }));
    }

    #[test]
    fn a_finding_is_one_flat_object() {
        let mut survey = survey(&[0, 1], 2);
        survey.seen[1].content = survey.seen[0].content;
        survey.seen[1].side = 2;
        let finding = &Diagnosis::of(&survey, None).findings[0];
        let expected = serde_json::json!({
            "kind": "conflicting_labels",
            "likeness": null,
            "pictures": [
                { "path": "c1/0001.jpg", "class": "c1", "side": "test" },
                { "path": "c0/0000.jpg", "class": "c0", "side": "train" },
            ],
            "leave_out": ["c1/0001.jpg", "c0/0000.jpg"],
        });
        assert_eq!(serde_json::to_value(finding).unwrap(), expected);
    }
}
