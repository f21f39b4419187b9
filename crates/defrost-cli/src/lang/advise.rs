//! Words of `defrost advise`.

use defrost::advise::{Advice, Domain, Situation, Strategy};
use defrost::report::Lang;

use super::Words;

impl Words {
    /// The answer in one sentence.
    pub(crate) fn advice(self, advice: &Advice) -> String {
        let Situation { pictures_per_class: count, domain, .. } = advice.situation;
        let korean = |strategy| match strategy {
            Strategy::FeatureExtraction => "특징 추출(feature extraction)",
            Strategy::CarefulFineTuning => "특징 추출 뒤 조심스러운 미세조정(fine-tuning)",
            Strategy::FineTuning => "상위 레이어 미세조정(fine-tuning)",
            Strategy::FullFineTuning => "전체 미세조정(full fine-tuning)",
            Strategy::FromScratch => "처음부터 학습(from scratch)",
        };
        match self.0 {
            Lang::English => advice.to_string(),
            Lang::Korean => {
                let amount = if advice.situation.has_many() { "많고" } else { "적고" };
                let near = if domain == Domain::Near { "비슷합니다" } else { "다릅니다" };
                format!(
                    "{}: 클래스당 사진이 {count}장으로 {amount}, 사전 학습한 사진과 {near}",
                    korean(advice.strategy)
                )
            }
        }
    }

    pub(crate) fn advised_recipe(self) -> String {
        say!(self, "the recipe, for `defrost train --recipe FILE`:", "`defrost train --recipe FILE`에 쓸 레시피:")
    }
}
