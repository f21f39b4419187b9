//! What the doctor found, in words: the same for the terminal and the page.

use super::lang::Lang;
use crate::doctor::{Fact, Finding, Kind, Likeness, Subject};

/// The words for findings in a language.
pub trait FindingWords {
    /// A kind's name.
    fn kind(self, kind: Kind) -> &'static str;
    /// What a kind does to a training, and what can be done.
    fn meaning(self, kind: Kind) -> &'static str;
    /// A finding in one line, with its pictures' paths.
    fn sentence(self, finding: &Finding) -> String;
    /// What is known beside the pictures: figures, the decoder's reason. Empty where there is nothing.
    fn detail(self, finding: &Finding) -> String;
}

impl FindingWords for Lang {
    fn kind(self, kind: Kind) -> &'static str {
        let (english, korean) = match kind {
            Kind::Unreadable => ("unreadable", "읽을 수 없음"),
            Kind::Truncated => ("truncated", "잘린 파일"),
            Kind::Damaged => ("damaged", "손상됨"),
            Kind::EmptyClass => ("empty class", "빈 클래스"),
            Kind::ConflictingLabels => ("conflicting labels", "모순된 레이블"),
            Kind::Leak => ("leak between sides", "분할 사이 누출"),
            Kind::LabelError => ("likely label error", "레이블 오류 의심"),
            Kind::Duplicate => ("duplicate", "중복"),
            Kind::NearDuplicate => ("near duplicate", "거의 같은 사진"),
            Kind::Imbalance => ("class imbalance", "클래스 불균형"),
            Kind::Outlier => ("outlier", "이상치"),
            Kind::WrongExtension => ("wrong extension", "잘못된 확장자"),
            Kind::Tiny => ("tiny", "아주 작음"),
            Kind::Huge => ("huge", "아주 큼"),
            Kind::Animated => ("animated", "움직이는 사진"),
            Kind::Cmyk => ("CMYK", "CMYK"),
            Kind::Deep => ("16-bit", "16비트"),
            Kind::Rotated => ("rotated by EXIF", "EXIF 회전"),
        };
        self.one_of(english, korean)
    }

    fn meaning(self, kind: Kind) -> &'static str {
        let (english, korean) = match kind {
            Kind::Unreadable => {
                ("training skips them; copy or convert them again", "학습에서 빠집니다. 다시 복사하거나 변환하세요")
            }
            Kind::Truncated => {
                ("training skips them; copy or download them again", "학습에서 빠집니다. 다시 복사하거나 내려받으세요")
            }
            Kind::Damaged => (
                "training takes them, garbled in part; copy or download them again",
                "일부가 깨진 채 학습에 쓰입니다. 다시 복사하거나 내려받으세요",
            ),
            Kind::EmptyClass => (
                "training refuses them; add pictures, or choose the other classes with `--classes`",
                "학습할 수 없습니다. 사진을 넣거나 `--classes`로 다른 클래스만 고르세요",
            ),
            Kind::ConflictingLabels => (
                "the same picture has several classes; correct the wrong ones, or leave all out",
                "같은 사진이 여러 클래스에 있습니다. 틀린 것을 고치거나 모두 제외하세요",
            ),
            Kind::Leak => (
                "the same picture is trained on and judged by, so the figures flatter; leave it out of the training",
                "학습한 사진으로 평가하므로 결과가 실제보다 좋게 나옵니다. 학습에서 제외하세요",
            ),
            Kind::LabelError => (
                "the features say another class, the surest first; look at them",
                "특징으로 보면 다른 클래스입니다. 확실한 것부터 나열했으니 확인하세요",
            ),
            Kind::Duplicate => (
                "the same file several times counts several times; one is enough",
                "같은 파일이 여러 번 반영됩니다. 하나면 충분합니다",
            ),
            Kind::NearDuplicate => (
                "as good as the same picture; a split keeps them together",
                "사실상 같은 사진입니다. 분할할 때 한쪽에 함께 둡니다",
            ),
            Kind::Imbalance => (
                "the classifier leans to the larger class; add pictures, or set `loss.class_weights=\"balanced\"`",
                "분류기가 큰 클래스로 기웁니다. 사진을 더하거나 `loss.class_weights=\"balanced\"`를 쓰세요",
            ),
            Kind::Outlier => (
                "like no other picture, the farthest first; look whether they belong here",
                "다른 어떤 사진과도 다릅니다. 먼 것부터 나열했으니 여기에 속하는지 확인하세요",
            ),
            Kind::WrongExtension => (
                "they are read by their bytes; other programs may go by the name",
                "내용을 보고 읽습니다. 이름을 보는 프로그램에서는 문제가 될 수 있습니다",
            ),
            Kind::Tiny => ("a few pixels are stretched to the network's input", "적은 픽셀을 입력 크기로 늘립니다"),
            Kind::Huge => (
                "they are slow to decode; smaller copies give the same features",
                "디코딩이 느립니다. 줄인 사진으로도 같은 특징을 얻습니다",
            ),
            Kind::Animated => ("the first frame is used", "첫 프레임만 씁니다"),
            Kind::Cmyk => ("converted without their colour profile", "색 프로파일 없이 변환합니다"),
            Kind::Deep => ("8 bits of each sample are used", "샘플마다 8비트만 씁니다"),
            Kind::Rotated => (
                "they are turned upright; other programs may not do so",
                "바로 세워 읽습니다. 그러지 않는 프로그램도 있습니다",
            ),
        };
        self.one_of(english, korean)
    }

    fn sentence(self, finding: &Finding) -> String {
        let detail = self.detail(finding);
        let named = |subject: &Subject| match finding.kind() {
            // What the copies differ in.
            Kind::ConflictingLabels => format!("{} ({})", subject.path, subject.class),
            _ => subject.path.clone(),
        };
        let paths: Vec<String> = finding.pictures.iter().map(named).collect();
        let paths = paths.join(" = ");
        match (paths.as_str(), detail.as_str()) {
            ("", detail) => detail.to_owned(),
            (paths, "") => paths.to_owned(),
            (paths, detail) => format!("{paths}: {detail}"),
        }
    }

    fn detail(self, finding: &Finding) -> String {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        match &finding.fact {
            Fact::Unreadable { reason } | Fact::Truncated { reason } | Fact::Damaged { reason } => reason.clone(),
            Fact::ConflictingLabels { likeness } | Fact::Leak { likeness } => {
                likeness.map(|likeness| self.likeness(likeness)).unwrap_or_default()
            }
            Fact::NearDuplicate { likeness } => self.likeness(*likeness),
            Fact::EmptyClass { class, folder } => format!("{class} ({folder})"),
            Fact::LabelError { suggested, suggested_probability, given_probability } => {
                let given = finding.pictures.first().map(|subject| subject.class.as_str()).unwrap_or_default();
                let (looks, labelled) = (percent(*suggested_probability), percent(*given_probability));
                match self {
                    Lang::English => format!("labelled {given} ({labelled} %), looks like {suggested} ({looks} %)"),
                    Lang::Korean => format!("레이블 {given} ({labelled} %), 특징으로는 {suggested} ({looks} %)"),
                }
            }
            Fact::Duplicate | Fact::Animated | Fact::Cmyk => String::new(),
            Fact::Imbalance { largest, most, smallest, fewest } => match self {
                Lang::English => format!("{most} of {largest}, {fewest} of {smallest}"),
                Lang::Korean => format!("{largest} {most}장, {smallest} {fewest}장"),
            },
            Fact::Outlier { distance, median } => match self {
                Lang::English => format!("distance {distance:.2} to its nearest, {median:.2} at the median"),
                Lang::Korean => format!("가까운 사진과의 거리 {distance:.2}, 중앙값 {median:.2}"),
            },
            Fact::WrongExtension { format, extension } => match self {
                Lang::English => format!("is {format}, named .{extension}"),
                Lang::Korean => format!("{format} 형식인데 이름은 .{extension}"),
            },
            Fact::Tiny { width, height } | Fact::Huge { width, height } => format!("{width} × {height}"),
            Fact::Deep { bits } => match self {
                Lang::English => format!("{bits} bits a sample"),
                Lang::Korean => format!("샘플당 {bits}비트"),
            },
            Fact::Rotated { orientation } => match self {
                Lang::English => format!("orientation {orientation}"),
                Lang::Korean => format!("방향 값 {orientation}"),
            },
        }
    }
}

impl Lang {
    fn one_of(self, english: &'static str, korean: &'static str) -> &'static str {
        match self {
            Lang::English => english,
            Lang::Korean => korean,
        }
    }

    fn likeness(self, likeness: Likeness) -> String {
        let Likeness { hash_distance, similarity } = likeness;
        match self {
            Lang::English => {
                format!("not the same file: {hash_distance} of 64 bits differ, features {similarity:.2} alike")
            }
            Lang::Korean => {
                format!("같은 파일은 아님: 64비트 중 {hash_distance}비트 다름, 특징 유사도 {similarity:.2}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_its_words_in_both_languages() {
        for lang in [Lang::English, Lang::Korean] {
            let names: BTreeSet<&str> = Kind::ALL.into_iter().map(|kind| lang.kind(kind)).collect();
            assert_eq!(names.len(), Kind::ALL.len());
            assert!(Kind::ALL.into_iter().all(|kind| !lang.meaning(kind).ends_with('.')));
        }
    }

    #[test]
    fn a_sentence_names_pictures_and_figures() {
        let subject = |path: &str, class: &str| Subject {
            path: path.to_owned(),
            class: class.to_owned(),
            side: Some("train"),
            content: None,
        };
        let fact =
            Fact::LabelError { suggested: "roses".to_owned(), suggested_probability: 0.931, given_probability: 0.02 };
        let finding = Finding { fact, pictures: vec![subject("a/1.jpg", "tulips")], leave_out: Vec::new() };
        let expected = "a/1.jpg: labelled tulips (2.0 %), looks like roses (93.1 %)";
        assert_eq!(Lang::English.sentence(&finding), expected);
        let pictures = vec![subject("a/1.jpg", "a"), subject("b/2.jpg", "b")];
        let finding = Finding { fact: Fact::ConflictingLabels { likeness: None }, pictures, leave_out: Vec::new() };
        assert_eq!(Lang::Korean.sentence(&finding), "a/1.jpg (a) = b/2.jpg (b)");
    }
}
