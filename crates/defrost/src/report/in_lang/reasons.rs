//! What is advised and why, in Korean.

use super::InLang;
use crate::advise::{Advice, Domain, LEAST_EXPLAINED, Reason, Situation, Strategy};
use crate::probe::Gain;

impl InLang for Advice {
    fn korean(&self) -> String {
        let Situation { pictures_per_class: count, domain, .. } = self.situation;
        let strategy = match self.strategy {
            Strategy::FeatureExtraction => "특징 추출(feature extraction)",
            Strategy::CarefulFineTuning => "특징 추출 뒤 조심스러운 미세조정(fine-tuning)",
            Strategy::FineTuning => "상위 레이어 미세조정(fine-tuning)",
            Strategy::FullFineTuning => "전체 미세조정(full fine-tuning)",
            Strategy::FromScratch => "처음부터 학습(from scratch)",
        };
        let amount = if self.situation.has_many() { "많고" } else { "적고" };
        let near = if domain == Domain::Near { "비슷합니다" } else { "다릅니다" };
        format!("{strategy}: 클래스당 사진이 {count}장으로 {amount}, 사전 학습한 사진과 {near}")
    }
}

impl InLang for Reason {
    fn korean(&self) -> String {
        match self {
            Reason::Pictures { per_class, many_from } if per_class < many_from => {
                format!(
                    "클래스당 {per_class}장은 적습니다. {many_from}장 미만이면 해동한 레이어가 사진을 외워 버립니다"
                )
            }
            Reason::Pictures { per_class, many_from } => {
                format!("클래스당 {per_class}장은 충분합니다. {many_from}장부터는 상위 레이어도 배울 수 있습니다")
            }
            Reason::Uneven { class, pictures } => {
                format!(
                    "다만 `{class}`은(는) {pictures}장뿐입니다. 그 클래스의 재현율을 확인하거나 클래스에 가중치를 주세요"
                )
            }
            Reason::Probe { pictures, accuracy, accuracy_interval: (low, high), chance, explained, useful } => {
                let least = match useful {
                    true => String::new(),
                    false => format!(" 쓸 만한 특징의 {:.0} %에 못 미칩니다.", 100.0 * LEAST_EXPLAINED),
                };
                format!(
                    "동결한 특징에 선형 분류기를 얹으면 사진 {pictures}장 중 {:.1} %를 맞히고(95 % 구간 {:.1}–{:.1}, 우연이면 \
                     {:.1}) 클래스의 {:.0} %를 설명합니다.{least}",
                    100.0 * accuracy,
                    100.0 * low,
                    100.0 * high,
                    100.0 * chance,
                    100.0 * explained.max(0.0),
                )
                .trim_end_matches('.')
                .to_owned()
            }
            Reason::LateLayers { layer, gain: Gain { mean, interval: (low, high) } } => {
                let verdict = match (*low > 0.0, *high < 0.0) {
                    (true, _) => "배운 것이 여기서도 쓸모 있습니다",
                    (_, true) => "다른 종류의 사진에 맞춰져 있습니다",
                    _ => "뚜렷한 차이가 없습니다",
                };
                format!(
                    "{layer} 뒤의 레이어는 설명력에 {:+.1}포인트를 더합니다(95 % 구간 {:+.1}~{:+.1}). {verdict}",
                    100.0 * mean,
                    100.0 * low,
                    100.0 * high
                )
            }
            Reason::Shift { shift, limit, far } => {
                let verdict = if *far { "멉니다" } else { "가깝습니다" };
                format!(
                    "활성값이 사전 학습 때의 표준편차 기준 {shift:.2}만큼 옮겨져, 신경망이 아는 사진과 {verdict}(한계 {limit})"
                )
            }
            Reason::Kept { from_scratch_from } => format!(
                "마지막 레이어가 쓸모없고 클래스당 {from_scratch_from}장이 있는 경우가 아니면, 무작위 값보다 사전 학습한 \
                 가중치에서 시작하는 것이 낫습니다"
            ),
            Reason::Augmentation { views: 0 | 1, .. } => "사진이 충분해 증강이 필요 없습니다".to_owned(),
            Reason::Augmentation { pipeline, views } => format!("사진마다 {views}가지 모습을 보여 줍니다: {pipeline}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Lang;

    #[test]
    fn reasons_are_said_in_korean() {
        let reason = |useful| Reason::Probe {
            pictures: 300,
            accuracy: 0.89,
            accuracy_interval: (0.85, 0.921),
            chance: 0.2,
            explained: 0.67,
            useful,
        };
        let said = reason(true).in_lang(Lang::Korean);
        assert!(said.contains("300장 중 89.0 %") && said.contains("85.0–92.1") && said.ends_with("67 %를 설명합니다"));
        assert!(reason(false).korean().ends_with("5 %에 못 미칩니다"));
        let gain = Gain { mean: -0.03, interval: (-0.04, -0.02) };
        let said = Reason::LateLayers { layer: "block6a".into(), gain }.korean();
        assert!(said.starts_with("block6a") && said.contains("-4.0~-2.0") && said.contains("다른 종류의 사진"));
    }
}
