//! Words of `defrost compare`.

use super::Words;

impl Words {
    pub(crate) fn nothing_in_common(self) -> String {
        say!(
            self,
            "the two have judged no picture in common; give labelled pictures: defrost compare A B DATA",
            "두 분류기가 함께 판정한 사진이 없습니다. 레이블이 있는 사진을 지정하세요: defrost compare A B DATA"
        )
    }

    pub(crate) fn no_predictions(self, run: &str) -> String {
        say!(
            self,
            "{run} has no predictions.csv; give labelled pictures: defrost compare A B DATA",
            "{run}에 predictions.csv가 없습니다. 레이블이 있는 사진을 지정하세요: defrost compare A B DATA"
        )
    }

    pub(crate) fn left_out(self, pictures: usize) -> String {
        let pictures = self.pictures(pictures);
        say!(self, "{pictures} left out: judged by one of the two only", "한쪽만 판정한 {pictures}은 제외했습니다")
    }

    /// `92.0 % → 94.5 %: +2.5 points (95 % interval −0.9 to 6.0, 200 pictures), McNemar's exact p 0.18`
    pub(crate) fn difference(self, accuracies: [&str; 2], points: [&str; 3], pictures: usize, p_value: &str) -> String {
        let [a, b] = accuracies;
        let [difference, low, high] = points;
        let pictures = self.pictures(pictures);
        say!(
            self,
            "accuracy {a} % → {b} %: {difference} points (95 % interval {low} to {high}, {pictures}) · McNemar's exact p {p_value}",
            "정확도 {a} % → {b} %: {difference}점 (95 % 구간 {low} ~ {high}, {pictures}) · McNemar 정확 검정 p {p_value}"
        )
    }

    pub(crate) fn agreement(self, both: u64, only_b: u64, only_a: u64, neither: u64) -> String {
        say!(
            self,
            "both right {both} · won {only_b} · lost {only_a} · both wrong {neither}",
            "둘 다 맞음 {both} · 얻음 {only_b} · 잃음 {only_a} · 둘 다 틀림 {neither}"
        )
    }

    pub(crate) fn not_told_apart(self) -> String {
        say!(
            self,
            "the pictures don't tell which is better: such a difference is common among equals",
            "어느 쪽이 나은지 이 사진으로는 알 수 없습니다. 실력이 같아도 흔히 나오는 차이입니다"
        )
    }

    pub(crate) fn class_change_headings(self) -> [String; 6] {
        match self.0 {
            defrost::report::Lang::English => ["class", "pictures", "recall A", "recall B", "won", "lost"],
            defrost::report::Lang::Korean => ["클래스", "사진", "재현율 A", "재현율 B", "얻음", "잃음"],
        }
        .map(str::to_owned)
    }

    pub(crate) fn changed_headings(self) -> [String; 4] {
        match self.0 {
            defrost::report::Lang::English => ["changed", "class", "A", "B"],
            defrost::report::Lang::Korean => ["달라진 사진", "클래스", "A", "B"],
        }
        .map(str::to_owned)
    }

    pub(crate) fn more_changed(self, pictures: usize) -> String {
        let pictures = self.pictures(pictures);
        say!(self, "and {pictures} more (-v lists all)", "그 밖에 {pictures} (-v로 모두 표시)")
    }
}
