//! Words of `defrost predict`.

use defrost::report::Lang;

use super::Words;

impl Words {
    pub(crate) fn no_pictures_given(self) -> String {
        say!(self, "no pictures are given", "사진을 지정하지 않았습니다")
    }

    pub(crate) fn unsure(self) -> String {
        say!(self, "unsure", "불확실")
    }

    pub(crate) fn none_readable(self, pictures: usize, reason: &str) -> String {
        match (self.0, pictures) {
            (_, 1) => reason.to_owned(),
            (Lang::English, _) => format!("none of the {pictures} pictures can be read; of the first: {reason}"),
            (Lang::Korean, _) => format!("사진 {pictures}장을 하나도 읽을 수 없습니다. 첫 사진: {reason}"),
        }
    }

    /// A picture that is like none that the classifier has learned from.
    pub(crate) fn unlike(self) -> String {
        say!(self, "unlike all training pictures", "학습한 사진과 닮지 않음")
    }

    pub(crate) fn some_unlike(self, pictures: usize, all: usize) -> String {
        let pictures = self.pictures_of(pictures, all);
        say!(
            self,
            "{pictures} unlike all training pictures: their classes are guesses",
            "{pictures}은 학습한 사진과 닮지 않아 예측을 믿기 어렵습니다"
        )
    }

    pub(crate) fn no_match(self, pattern: &str) -> String {
        say!(self, "no picture matches {pattern}", "{pattern}에 맞는 사진이 없습니다")
    }

    pub(crate) fn paths_are_awaited(self) -> String {
        say!(
            self,
            "paths from stdin, one a line; Ctrl-D ends them",
            "표준 입력에서 경로를 한 줄에 하나씩 읽습니다. Ctrl-D로 끝냅니다"
        )
    }

    pub(crate) fn stdin_is_lost(self, reason: &str) -> String {
        say!(self, "can't read paths from stdin: {reason}", "표준 입력에서 경로를 읽을 수 없습니다: {reason}")
    }

    /// A training picture that is like the one above.
    pub(crate) fn near(self, class: &str, path: &str, similarity: f32) -> String {
        say!(self, "like {class}, {path} ({similarity:.2})", "닮은 사진 {class}, {path} ({similarity:.2})")
    }

    pub(crate) fn nearest_among(self, found: usize, all: usize) -> String {
        let pictures = self.pictures_of(found, all);
        say!(
            self,
            "compared with {pictures} of the training: the cache has no features of the others",
            "학습 {pictures}과 비교했습니다. 나머지의 특징은 캐시에 없습니다"
        )
    }

    pub(crate) fn no_features_of(self, run: &str) -> String {
        say!(
            self,
            "the cache has no features of the training pictures of {run}: they were removed, never kept, or the last stage trained every layer",
            "{run} 실행의 학습 사진 특징이 캐시에 없습니다. 지워졌거나, 저장하지 않았거나, 마지막 단계가 모든 층을 학습했습니다"
        )
    }

    pub(crate) fn no_training_pictures(self, run: &str) -> String {
        say!(
            self,
            "{run} doesn't say which pictures it was trained on; `--nearest` takes a run's folder",
            "{run}에는 학습한 사진의 목록이 없습니다. `--nearest`에는 실행 폴더가 필요합니다"
        )
    }
}
