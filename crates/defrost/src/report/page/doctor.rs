//! The page of a diagnosis: what was found, kind by kind, with thumbnails.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::counts::{CountRow, count_rows};
use super::thumbnail::thumbnail;
use super::{PageError, render};
use crate::data::{Dataset, Sample};
use crate::doctor::{Diagnosis, Finding, Kind, Severity, Subject};
use crate::report::{FindingWords, Lang, quoted};

/// Findings of a kind that are shown with pictures; the others follow as lines.
const CARDS: usize = 60;

/// Pictures of one finding that are shown.
const MEMBERS: usize = 12;

/// Findings of a kind that follow as lines.
const LINES: usize = 2000;

#[derive(Serialize)]
struct Page<'a> {
    lang: &'static str,
    words: &'static Words,
    data: String,
    summary: String,
    exclude: Option<Exclude>,
    labels: Option<String>,
    kinds: Vec<Section>,
    classes: Vec<CountRow<'a>>,
}

/// What is better left out, and how.
#[derive(Serialize)]
struct Exclude {
    sentence: String,
    command: String,
}

/// The findings of one kind.
#[derive(Serialize)]
struct Section {
    id: String,
    name: &'static str,
    meaning: &'static str,
    severity: &'static str,
    findings: usize,
    pictures: usize,
    left_out: usize,
    cards: Vec<Card>,
    rest_title: String,
    rest: Vec<String>,
}

#[derive(Serialize)]
struct Card {
    pictures: Vec<Shown>,
    detail: String,
    /// How many pictures aren't shown, in words.
    more: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    path: String,
    class: String,
    side: Option<&'static str>,
    left_out: bool,
    thumbnail: Option<String>,
}

/// The page of a diagnosis of `data`, in `lang`. `exclude` is where the list of pictures to leave out is written.
///
/// # Errors
/// Where a template is wrong, which its tests rule out.
pub fn doctor_page(diagnosis: &Diagnosis, data: &Dataset, exclude: &str, lang: Lang) -> Result<String, PageError> {
    let samples: BTreeMap<&str, &Sample> = data
        .sides()
        .into_iter()
        .flat_map(|(_, samples)| samples)
        .map(|sample| (sample.path.as_str(), sample))
        .collect();
    let kinds = Kind::ALL.into_iter().filter_map(|kind| section(diagnosis, kind, &samples, lang)).collect();
    let counts = data.class_counts();
    let exclusions = diagnosis.exclusions().len();
    let path = data.path.display().to_string();
    let page = Page {
        lang: lang.code(),
        words: words(lang),
        summary: summary(diagnosis, lang),
        exclude: (exclusions > 0).then(|| Exclude {
            sentence: match lang {
                Lang::English => format!("{exclusions} are better left out of a training:"),
                Lang::Korean => format!("학습에서 빼는 편이 좋은 사진 {exclusions}장:"),
            },
            command: format!("defrost train {} --exclude {}", quoted(&path), quoted(exclude)),
        }),
        labels: diagnosis.labels.as_ref().map(|check| {
            let [share, low, high] = [check.accuracy, check.accuracy_interval.0, check.accuracy_interval.1]
                .map(|share| format!("{:.1}", 100.0 * share));
            match lang {
                Lang::English => format!(
                    "A linear probe on the frozen features predicts {share} % of the labels ({low}–{high}), each picture left out of its own prediction."
                ),
                Lang::Korean => format!(
                    "동결한 특징에 대한 선형 프로브(linear probe)가 레이블의 {share} %를 맞힙니다({low}–{high}). 각 사진은 자신을 뺀 나머지로 예측합니다."
                ),
            }
        }),
        data: path.clone(),
        kinds,
        classes: count_rows(&counts),
    };
    render("doctor.html", page)
}

fn summary(diagnosis: &Diagnosis, lang: Lang) -> String {
    let Diagnosis { pictures, readable, sides: [train, validation, test], .. } = diagnosis;
    let (lost, classes) = (pictures - readable, diagnosis.classes.len());
    match lang {
        Lang::English => format!(
            "{pictures} pictures in {classes} classes: {train} to train, {validation} to validate, {test} to test, {lost} unreadable"
        ),
        Lang::Korean => format!(
            "{classes}개 클래스의 사진 {pictures}장: 학습 {train}, 검증 {validation}, 시험 {test}, 읽을 수 없음 {lost}"
        ),
    }
}

fn section(diagnosis: &Diagnosis, kind: Kind, samples: &BTreeMap<&str, &Sample>, lang: Lang) -> Option<Section> {
    let findings: Vec<&Finding> = diagnosis.of_kind(kind).collect();
    if findings.is_empty() {
        return None;
    }
    let (shown, rest) = findings.split_at(findings.len().min(CARDS));
    let cards: Vec<Card> = shown.par_iter().map(|finding| card(finding, samples, lang)).collect();
    Some(Section {
        id: format!("{kind:?}").to_ascii_lowercase(),
        name: lang.kind(kind),
        meaning: lang.meaning(kind),
        severity: match kind.severity() {
            Severity::Fault => "fault",
            Severity::Doubt => "doubt",
            Severity::Note => "note",
        },
        findings: findings.len(),
        pictures: findings.iter().map(|finding| finding.pictures.len()).sum(),
        left_out: findings.iter().map(|finding| finding.leave_out.len()).sum(),
        cards,
        rest_title: match (lang, rest.len()) {
            (Lang::English, count) => format!("{count} more"),
            (Lang::Korean, count) => format!("외 {count}건"),
        },
        rest: rest.iter().take(LINES).map(|finding| lang.sentence(finding)).collect(),
    })
}

fn card(finding: &Finding, samples: &BTreeMap<&str, &Sample>, lang: Lang) -> Card {
    let shown = |subject: &Subject| Shown {
        path: subject.path.clone(),
        class: subject.class.clone(),
        side: subject.side.map(|side| lang.side(side)),
        left_out: finding.leave_out.contains(&subject.path),
        thumbnail: samples.get(subject.path.as_str()).and_then(|sample| thumbnail(sample)),
    };
    let hidden = finding.pictures.len().saturating_sub(MEMBERS);
    Card {
        pictures: finding.pictures.iter().take(MEMBERS).map(shown).collect(),
        detail: lang.detail(finding),
        more: (hidden > 0).then(|| match lang {
            Lang::English => format!("and {hidden} more"),
            Lang::Korean => format!("외 {hidden}장"),
        }),
    }
}

/// Every fixed text of the page.
#[derive(Debug, Serialize)]
struct Words {
    title: &'static str,
    no_picture: &'static str,
    leave_out: &'static str,
    found: &'static str,
    findings: &'static str,
    pictures: &'static str,
    to_leave_out: &'static str,
    nothing: &'static str,
    class: &'static str,
    train: &'static str,
    validation: &'static str,
    test: &'static str,
}

fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::English => &Words {
            title: "What is wrong with these pictures",
            no_picture: "no picture",
            leave_out: "leave out",
            found: "Found",
            findings: "Findings",
            pictures: "Pictures",
            to_leave_out: "To leave out",
            nothing: "Nothing is wrong with them.",
            class: "Class",
            train: "Training",
            validation: "Validation",
            test: "Test",
        },
        Lang::Korean => &Words {
            title: "사진 데이터 진단",
            no_picture: "사진 없음",
            leave_out: "제외 권장",
            found: "발견",
            findings: "건수",
            pictures: "사진",
            to_leave_out: "제외 권장",
            nothing: "문제를 찾지 못했습니다.",
            class: "클래스",
            train: "학습",
            validation: "검증",
            test: "시험",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{self, DataOptions, Drawing};
    use crate::doctor::Survey;
    use crate::progress::Progress;

    fn page(lang: Lang) -> String {
        let folder = tempfile::tempdir().unwrap();
        let photos = folder.path().join("<photos> & more");
        data::draw(&photos, &Drawing { per_class: 2, size: 64, seed: 1 }).unwrap();
        let bytes = crate::fs::read(&photos.join("fish/fish_001.jpg")).unwrap();
        crate::fs::write_atomic(&photos.join("fish/<copy>.jpg"), &bytes).unwrap();
        crate::fs::write_atomic(&photos.join("fish/broken.jpg"), b"<html>").unwrap();
        let data = data::open(&photos, &DataOptions { as_found: true, ..DataOptions::default() }).unwrap();
        let diagnosis = Diagnosis::of(&Survey::of(&data, Progress::none()).unwrap(), None);
        doctor_page(&diagnosis, &data, "it's.csv", lang).unwrap()
    }

    #[test]
    fn a_page_holds_all_that_it_shows() {
        for lang in [Lang::English, Lang::Korean] {
            let page = page(lang);
            assert!(page.contains(&format!("<html lang=\"{}\">", lang.code())));
            assert!(
                !page.contains("<script")
                    && !page.contains("http:")
                    && !page.contains("https:")
                    && !page.contains("url(")
            );
            assert_eq!(page.matches("data:image/jpeg;base64,").count(), 2);
            assert!(page.contains(lang.kind(Kind::Duplicate)) && page.contains(words(lang).no_picture));
        }
    }

    #[test]
    fn names_and_reasons_are_escaped() {
        let page = page(Lang::English);
        assert!(page.contains("fish&#x2f;&lt;copy&gt;.jpg") || page.contains("fish/&lt;copy&gt;.jpg"));
        assert!(!page.contains("<copy>") && !page.contains("<photos>") && !page.contains("with \"<html>"));
    }
}
