//! Warnings about data and recipes in Korean.

use super::InLang;
use crate::error::shortened_with;
use crate::report::Lang;
use crate::{data, recipe};

impl InLang for data::Warning {
    fn korean(&self) -> String {
        use data::Warning;
        let side = |side: &&'static str| Lang::Korean.side(side);
        match self {
            Warning::TestIsValidation => {
                "시험 사진을 검증에 쓰므로, 아무것도 고르지 않은 사진으로 잰 수치가 없습니다".to_owned()
            }
            Warning::FractionUnused => "`validation`에 비율이 있지만 검증 폴더가 있어 그 폴더를 대신 씁니다".to_owned(),
            Warning::Unused { folder } => format!("`{folder}` 폴더는 `train` 옆에 있지만 쓰지 않습니다"),
            Warning::LinesUnused { lines } => format!("표의 검증 줄 {lines}개는 쓰지 않습니다"),
            Warning::Loose { folder, pictures } => {
                format!("{}에 클래스 폴더 밖의 사진 {pictures}장이 있으며 쓰지 않습니다", folder.display())
            }
            Warning::EmptyClass { folder, .. } => format!("클래스 폴더 {}에 사진이 없습니다", folder.display()),
            Warning::NotInTest { class } => format!("시험 폴더에 `{class}` 클래스가 없습니다"),
            Warning::Untrained { classes } => {
                format!("분류기가 모르는 다음 클래스는 제외합니다: {}", shortened(classes))
            }
            Warning::NoValidation { classes } => {
                format!("서로 다른 사진이 적어 검증용으로 떼어 둘 수 없는 클래스: {}", shortened(classes))
            }
            Warning::TwoClasses { pictures, example: [a, b] } => {
                format!("사진 {pictures}장이 둘 이상의 클래스에 있습니다. 예: {a}, {b}")
            }
            Warning::TwoSides { sides: [first, second], pictures, example: [a, b] } => {
                let (first, second) = (side(first), side(second));
                format!(
                    "{second} 사진 {pictures}장이 {first} 쪽에도 있어 {second} 수치가 실제보다 좋게 나옵니다. 예: {b}, {a}"
                )
            }
            Warning::Alike { pictures } => format!(
                "사진 {pictures}장이 너무 닮아 사본인지 가릴 수 없으므로 닮은 사진이 양쪽에 나뉘어 있을 수 있습니다. 표의 \
                 `group` 열은 함께 두어야 할 사진을 한쪽에 묶습니다"
            ),
            Warning::GroupOnTwoSides { groups, example, sides: [first, second] } => {
                let (first, second) = (side(first), side(second));
                format!(
                    "그룹 {groups}개의 사진이 양쪽에 있어 {second} 수치가 실제보다 좋게 나옵니다. 예: `{example}`이(가) {first}에도 \
                     {second}에도 있음"
                )
            }
            Warning::NothingToRelabel { table, lines, first } => format!(
                "{}의 {lines}줄이 데이터에도 표 옆에도 없는 사진을 가리킵니다. 첫 번째는 {first}번째 줄",
                table.display()
            ),
            Warning::NothingToExclude { table, lines, first } => {
                format!("{}의 {lines}줄이 데이터에 없는 사진을 가리킵니다. 첫 번째는 {first}번째 줄", table.display())
            }
        }
    }
}

impl InLang for recipe::Warning {
    fn korean(&self) -> String {
        use recipe::Warning;
        match self {
            Warning::RateOutOfRange { stage, learning_rate, low, high } => format!(
                "`{stage}`의 학습률 {learning_rate:e}은(는) 해동하는 레이어에 알맞은 범위 {low:e}–{high:e}를 벗어납니다"
            ),
            Warning::RateNearFirst { stage, learning_rate, first } => format!(
                "`{stage}`의 학습률 {learning_rate:e}은(는) 첫 단계의 {first:e}보다 10–100배 낮지 않습니다"
            ),
            Warning::TestIsValidation => {
                "`data.validation`이 \"test\"입니다. 가장 좋은 에폭을 고른 사진으로는 그 에폭이 얼마나 좋은지 알 수 없습니다"
                    .to_owned()
            }
            Warning::ShuffleBuffer { pictures } => format!(
                "`data.shuffle_buffer`는 각 사진을 다음 {pictures}장과만 섞습니다. 파일이 클래스 순서로 오면 배치가 한 클래스로만 \
                 채워집니다"
            ),
            Warning::FrozenRandom { stage } => {
                format!("`weights`가 \"none\"이므로 `{stage}`은(는) 한 번도 학습하지 않은 레이어를 동결합니다")
            }
        }
    }
}

fn shortened(classes: &[String]) -> String {
    shortened_with(classes, 5, |shown, more| format!("{shown} 외 {more}개"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Warning;

    #[test]
    fn both_languages_have_the_same_figures() {
        let both = data::Warning::TwoSides {
            sides: ["train", "validation"],
            pictures: 3,
            example: ["train/a.jpg".into(), "val/b.jpg".into()],
        };
        let [english, korean] = [Lang::English, Lang::Korean].map(|lang| both.in_lang(lang));
        assert_eq!(english, both.to_string());
        for said in ["3", "train/a.jpg", "val/b.jpg"] {
            assert!(english.contains(said) && korean.contains(said), "{korean}");
        }
        assert!(korean.contains("검증 사진 3장이 학습 쪽에도"), "{korean}");
        let rate = Warning::RateNearFirst { stage: "fine_tuning".into(), learning_rate: 1e-3, first: 1e-3 };
        assert!(rate.in_lang(Lang::Korean).starts_with("`fine_tuning`의 학습률 1e-3"));
    }
}
