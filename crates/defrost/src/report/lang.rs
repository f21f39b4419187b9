//! The languages of a reader, and every word that the figures say.

use std::str::FromStr;

/// The language of figures, reports and the program's talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// `en`
    #[default]
    English,
    /// `ko`
    Korean,
}

/// A language that isn't spoken.
#[derive(Debug, thiserror::Error)]
#[error("unknown language `{0}`; expected `en` or `ko`")]
pub struct UnknownLang(String);

impl FromStr for Lang {
    type Err = UnknownLang;

    fn from_str(code: &str) -> Result<Lang, UnknownLang> {
        match code {
            "en" => Ok(Lang::English),
            "ko" => Ok(Lang::Korean),
            _ => Err(UnknownLang(code.to_owned())),
        }
    }
}

impl Lang {
    /// `en` or `ko`, as HTML's `lang` wants it.
    pub fn code(self) -> &'static str {
        match self {
            Lang::English => "en",
            Lang::Korean => "ko",
        }
    }

    /// A side of the data by its name in `split.csv`.
    pub(super) fn side(self, name: &'static str) -> &'static str {
        match (self, name) {
            (Lang::Korean, "train") => "학습",
            (Lang::Korean, "validation") => "검증",
            (Lang::Korean, "test") => "시험",
            _ => name,
        }
    }

    /// The words of the figures.
    pub(super) fn figure(self) -> &'static FigureWords {
        match self {
            Lang::English => &ENGLISH,
            Lang::Korean => &KOREAN,
        }
    }

    /// How a figure calls a stage; names of the user's own stand as they are.
    pub(super) fn stage(self, name: &str) -> &str {
        let words = &self.figure().stages;
        words.iter().find(|(stage, _)| *stage == name).map_or(name, |(_, words)| words)
    }

    /// `fine-tuning (epochs 6–10)`
    pub(super) fn epochs_of(self, stage: &str, first: usize, last: usize) -> String {
        match (self, first == last) {
            (Lang::English, true) => format!("{stage} (epoch {first})"),
            (Lang::English, false) => format!("{stage} (epochs {first}–{last})"),
            (Lang::Korean, true) => format!("{stage} (에폭 {first})"),
            (Lang::Korean, false) => format!("{stage} (에폭 {first}–{last})"),
        }
    }
}

/// Every string of the figures in one language.
#[derive(Debug)]
pub(super) struct FigureWords {
    /// Before the list of stages.
    pub(super) transfer_learning: &'static str,
    pub(super) stages: [(&'static str, &'static str); 3],
    pub(super) accuracy_panel: &'static str,
    pub(super) loss_panel: &'static str,
    pub(super) accuracy: &'static str,
    pub(super) loss: &'static str,
    pub(super) epoch: &'static str,
    pub(super) training: &'static str,
    pub(super) validation: &'static str,
    pub(super) stage_boundary: &'static str,
    pub(super) step: &'static str,
    pub(super) learning_rate: &'static str,
    pub(super) no_data: &'static str,
    /// Above the columns of a contact sheet.
    pub(super) plain: &'static str,
    pub(super) view: &'static str,
}

const ENGLISH: FigureWords = FigureWords {
    transfer_learning: "Transfer learning",
    stages: [
        ("feature_extraction", "feature extraction"),
        ("fine_tuning", "fine-tuning"),
        ("full_fine_tuning", "full fine-tuning"),
    ],
    accuracy_panel: "Training and validation accuracy",
    loss_panel: "Training and validation loss",
    accuracy: "Accuracy",
    loss: "Loss",
    epoch: "Epoch",
    training: "training",
    validation: "validation",
    stage_boundary: "stage boundary",
    step: "Step",
    learning_rate: "Learning rate",
    no_data: "no data",
    plain: "plain",
    view: "view",
};

const KOREAN: FigureWords = FigureWords {
    transfer_learning: "전이학습",
    stages: [
        ("feature_extraction", "Feature Extraction"),
        ("fine_tuning", "Fine-Tuning"),
        ("full_fine_tuning", "전체 Fine-Tuning"),
    ],
    accuracy_panel: "학습/검증 정확도",
    loss_panel: "학습/검증 손실",
    accuracy: "정확도",
    loss: "손실",
    epoch: "에폭",
    training: "학습",
    validation: "검증",
    stage_boundary: "단계 경계",
    step: "학습 스텝",
    learning_rate: "학습률",
    no_data: "데이터 없음",
    plain: "원본",
    view: "뷰",
};

/// Every string of an evaluation's figures in one language.
#[derive(Debug)]
pub(super) struct JudgedWords {
    pub(super) confusion: &'static str,
    pub(super) truth: &'static str,
    pub(super) predicted: &'static str,
    pub(super) reliability: &'static str,
    pub(super) confidence: &'static str,
    /// Of the diagonal.
    pub(super) as_sure_as_right: &'static str,
    pub(super) uncalibrated: &'static str,
    pub(super) calibrated: &'static str,
    /// The expected calibration error.
    pub(super) error: &'static str,
}

impl Lang {
    /// The words of an evaluation's figures.
    pub(super) fn judged(self) -> &'static JudgedWords {
        match self {
            Lang::English => &JUDGED_ENGLISH,
            Lang::Korean => &JUDGED_KOREAN,
        }
    }
}

const JUDGED_ENGLISH: JudgedWords = JudgedWords {
    confusion: "Confusion matrix",
    truth: "Truth",
    predicted: "Prediction",
    reliability: "Reliability",
    confidence: "Confidence",
    as_sure_as_right: "as sure as right",
    uncalibrated: "uncalibrated",
    calibrated: "calibrated",
    error: "error",
};

const JUDGED_KOREAN: JudgedWords = JudgedWords {
    confusion: "혼동 행렬",
    truth: "실제",
    predicted: "예측",
    reliability: "신뢰도 곡선",
    confidence: "확신도",
    as_sure_as_right: "확신한 만큼 맞음",
    uncalibrated: "보정 전",
    calibrated: "보정 후",
    error: "오차",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip() {
        for lang in [Lang::English, Lang::Korean] {
            assert_eq!(lang.code().parse::<Lang>().unwrap(), lang);
        }
        assert_eq!("fr".parse::<Lang>().unwrap_err().to_string(), "unknown language `fr`; expected `en` or `ko`");
    }

    #[test]
    fn a_stage_of_the_users_own_keeps_its_name() {
        assert_eq!(Lang::Korean.stage("full_fine_tuning"), "전체 Fine-Tuning");
        assert_eq!(Lang::Korean.stage("warm_up"), "warm_up");
    }
}
