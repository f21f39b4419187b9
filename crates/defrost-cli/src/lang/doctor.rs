//! Words of `defrost doctor`.

use defrost::report::Lang;

use super::Words;

impl Words {
    pub(crate) fn examined(self, path: &str, pictures: usize, classes: usize, sides: [usize; 3]) -> String {
        let pictures = self.pictures(pictures);
        let [train, validation, test] = sides;
        let sides = match (validation + test, self.0) {
            (0, _) => String::new(),
            (_, Lang::English) => format!(": {train} to train, {validation} to validate, {test} to test"),
            (_, Lang::Korean) => format!(": 학습 {train}, 검증 {validation}, 시험 {test}"),
        };
        say!(self, "{path} · {pictures} in {classes} classes{sides}", "{path} · {classes}개 클래스의 {pictures}{sides}")
    }

    pub(crate) fn nothing_found(self) -> String {
        say!(self, "nothing is wrong with them", "문제를 찾지 못했습니다")
    }

    pub(crate) fn finding_headings(self) -> [String; 4] {
        match self.0 {
            Lang::English => ["found", "findings", "pictures", "to leave out"],
            Lang::Korean => ["발견", "건수", "사진", "제외 권장"],
        }
        .map(str::to_owned)
    }

    pub(crate) fn kind_and_meaning(self, kind: &str, meaning: &str) -> String {
        format!("{kind}: {meaning}")
    }

    pub(crate) fn more_findings(self, count: usize) -> String {
        say!(self, "… and {count} more (-v lists all)", "… 외 {count}건 (-v로 모두 표시)")
    }

    pub(crate) fn exclusions_written(self, path: &str, pictures: usize) -> String {
        let pictures = self.pictures(pictures);
        say!(
            self,
            "{path}: {pictures} to leave out, for `defrost train --exclude`",
            "{path}: 제외할 {pictures}, `defrost train --exclude`에 쓸 수 있습니다"
        )
    }
}
