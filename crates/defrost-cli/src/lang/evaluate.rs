//! Words of `defrost predict` and `defrost evaluate`.

use defrost::report::Lang;

use super::Words;

impl Words {
    pub(crate) fn latest_run(self, path: &str) -> String {
        say!(self, "with the latest run, {path}", "가장 최근 실행 {path} 사용")
    }

    pub(crate) fn trained_on(self, pictures: usize, all: usize) -> String {
        let pictures = self.pictures_of(pictures, all);
        say!(
            self,
            "the classifier has learned from {pictures}: the figures flatter",
            "{pictures}은 이 분류기가 학습한 사진이므로 결과가 실제보다 좋게 나옵니다"
        )
    }

    pub(crate) fn no_pictures_given(self) -> String {
        say!(self, "no pictures are given", "사진을 지정하지 않았습니다")
    }

    pub(crate) fn unsure(self) -> String {
        say!(self, "unsure", "불확실")
    }

    pub(crate) fn unreadable(self, pictures: usize) -> String {
        let pictures = self.pictures(pictures);
        say!(self, "{pictures} can't be read", "{pictures}을 읽을 수 없습니다")
    }

    pub(crate) fn none_readable(self, pictures: usize, reason: &str) -> String {
        match (self.0, pictures) {
            (_, 1) => reason.to_owned(),
            (Lang::English, _) => format!("none of the {pictures} pictures can be read; of the first: {reason}"),
            (Lang::Korean, _) => format!("사진 {pictures}장을 하나도 읽을 수 없습니다. 첫 사진: {reason}"),
        }
    }

    pub(crate) fn nothing_readable(self, path: &str) -> String {
        say!(self, "no picture in {path} can be read", "{path}에 읽을 수 있는 사진이 없습니다")
    }

    pub(crate) fn run_and_data(self, given: usize) -> String {
        say!(
            self,
            "expected one data set to evaluate on; got {given}",
            "평가할 데이터가 하나 필요합니다: {given}개 지정됨"
        )
    }

    pub(crate) fn accuracy(self, accuracy: &str, low: &str, high: &str, pictures: usize) -> String {
        let pictures = self.pictures(pictures);
        say!(
            self,
            "accuracy {accuracy} % (95 % interval {low}–{high}, {pictures})",
            "정확도 {accuracy} % (95 % 구간 {low}–{high}, {pictures})"
        )
    }

    pub(crate) fn loss(self, loss: f64) -> String {
        say!(self, "loss {loss:.3}", "손실 {loss:.3}")
    }

    pub(crate) fn class_headings(self) -> [String; 5] {
        match self.0 {
            Lang::English => ["class", "precision", "recall", "F1", "pictures"],
            Lang::Korean => ["클래스", "정밀도", "재현율", "F1", "사진"],
        }
        .map(str::to_owned)
    }

    pub(crate) fn truth_by_prediction(self) -> String {
        say!(self, "truth \\ prediction", "실제 \\ 예측")
    }
}
