//! Words of `defrost recipe`.

use defrost::report::Lang;

use super::Words;

impl Words {
    pub(crate) fn recipe_is_sound(self, path: &str, stages: usize) -> String {
        let s = if stages == 1 { "" } else { "s" };
        say!(self, "{path} is sound: {stages} stage{s}", "{path}: 이상 없음, 단계 {stages}개")
    }

    pub(crate) fn expects_nothing(self, path: &str) -> String {
        say!(self, "{path} states no result to expect", "{path}에 기대 결과가 없습니다")
    }

    pub(crate) fn verified(self, holds: bool, accuracy: &str, low: &str, high: &str) -> String {
        match (self.0, holds) {
            (Lang::English, true) => {
                format!("as expected: validation accuracy {accuracy} % lies in {low}–{high} %")
            }
            (Lang::English, false) => {
                format!("validation accuracy {accuracy} % lies outside the {low}–{high} % that the recipe expects")
            }
            (Lang::Korean, true) => format!("기대한 대로 검증 정확도 {accuracy} %가 {low}–{high} % 안에 있습니다"),
            (Lang::Korean, false) => {
                format!("검증 정확도 {accuracy} %가 레시피가 기대하는 {low}–{high} %를 벗어났습니다")
            }
        }
    }
}
