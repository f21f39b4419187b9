//! Words of `defrost backbones`.

use defrost::report::Lang;

use super::Words;

impl Words {
    pub(crate) fn backbone_headings(self) -> [String; 5] {
        match self.0 {
            Lang::English => ["backbone", "input", "layers", "parameters", "weights"],
            Lang::Korean => ["백본", "입력", "레이어", "파라미터", "가중치"],
        }
        .map(str::to_owned)
    }

    pub(crate) fn embedded(self) -> String {
        say!(self, "part of the program", "프로그램에 포함됨")
    }

    pub(crate) fn cached(self) -> String {
        say!(self, "in the cache", "캐시에 있음")
    }

    pub(crate) fn to_download(self) -> String {
        say!(self, "to download", "다운로드 필요")
    }

    pub(crate) fn already_embedded(self, id: &str) -> String {
        say!(self, "the weights of {id} are part of the program", "{id}의 가중치는 프로그램에 포함되어 있습니다")
    }

    pub(crate) fn fetched(self, path: &str, downloaded: bool, verified: bool) -> String {
        let how = match (self.0, downloaded, verified) {
            (Lang::English, true, true) => "downloaded, and the publisher's hash holds",
            (Lang::English, true, false) => "downloaded, unverified: its publisher states no hash",
            (Lang::English, false, true) => "already there, and the publisher's hash holds",
            (Lang::English, false, false) => "already there, unverified: its publisher states no hash",
            (Lang::Korean, true, true) => "다운로드했고 배포자의 해시와 일치합니다",
            (Lang::Korean, true, false) => "다운로드했지만 배포자가 해시를 공개하지 않아 검증하지 못했습니다",
            (Lang::Korean, false, true) => "이미 있으며 배포자의 해시와 일치합니다",
            (Lang::Korean, false, false) => "이미 있지만 배포자가 해시를 공개하지 않아 검증하지 못했습니다",
        };
        format!("{path}: {how}")
    }
}
