//! Words of `defrost evaluate`, and those that it shares with other commands on classifiers.

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

    pub(crate) fn unreadable(self, pictures: usize) -> String {
        let pictures = self.pictures(pictures);
        say!(self, "{pictures} can't be read", "{pictures}을 읽을 수 없습니다")
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

    pub(crate) fn balanced_accuracy(self, accuracy: &str) -> String {
        say!(self, "balanced accuracy {accuracy} %", "균형 정확도 {accuracy} %")
    }

    pub(crate) fn top_k(self, k: usize, accuracy: &str) -> String {
        say!(self, "top {k}: {accuracy} %", "상위 {k}개: {accuracy} %")
    }

    /// Of the expected calibration error and the loss, with temperature 1 and with the classifier's.
    pub(crate) fn calibration(self, temperature: f64, before: (f64, f64), after: (f64, f64)) -> String {
        let ((ece, loss), (calibrated, calibrated_loss)) = (before, after);
        match (self.0, temperature == 1.0) {
            (Lang::English, true) => format!("calibration error {ece:.3} (temperature 1)"),
            (Lang::Korean, true) => format!("보정 오차 {ece:.3} (온도 1)"),
            (Lang::English, false) => format!(
                "calibration error {calibrated:.3}, loss {calibrated_loss:.3} (temperature {temperature:.2}; without it {ece:.3}, {loss:.3})"
            ),
            (Lang::Korean, false) => format!(
                "보정 오차 {calibrated:.3}, 손실 {calibrated_loss:.3} (온도 {temperature:.2}, 보정 전 {ece:.3}, {loss:.3})"
            ),
        }
    }

    pub(crate) fn macro_average(self) -> String {
        say!(self, "mean of the classes", "클래스 평균")
    }
}
