//! Words of `defrost cache`.

use defrost::report::Lang;

use super::Words;

impl Words {
    pub(crate) fn no_cache_folder(self) -> String {
        say!(
            self,
            "there is no folder for the cache: `HOME` isn't set",
            "캐시 폴더를 정할 수 없습니다: `HOME`이 없습니다"
        )
    }

    pub(crate) fn set_cache_folder(self) -> String {
        say!(self, "name one in the variable `DEFROST_CACHE`", "`DEFROST_CACHE` 변수로 지정하세요")
    }

    pub(crate) fn set_cache_folder_or_go_without(self) -> String {
        say!(
            self,
            "name one in the variable `DEFROST_CACHE`, or keep nothing with `--no-cache`",
            "`DEFROST_CACHE` 변수로 지정하거나, `--no-cache`로 저장 없이 진행하세요"
        )
    }

    pub(crate) fn cache_headings(self) -> [String; 3] {
        match self.0 {
            Lang::English => ["kind", "files", "size"],
            Lang::Korean => ["종류", "파일", "크기"],
        }
        .map(str::to_owned)
    }

    pub(crate) fn cache_kind(self, kind: &str) -> String {
        match (self.0, kind) {
            (Lang::Korean, "features") => "특징",
            (Lang::Korean, "weights") => "가중치",
            (Lang::Korean, "partial") => "받다 만 파일",
            (Lang::English, "partial") => "half downloads",
            _ => kind,
        }
        .to_owned()
    }

    pub(crate) fn pruned(self, files: usize, size: &str) -> String {
        say!(self, "{files} files removed, {size} freed", "파일 {files}개를 지워 {size}를 비웠습니다")
    }

    pub(crate) fn rows_checked(self, rows: u64, damaged: u64) -> String {
        match (self.0, damaged) {
            (Lang::English, 0) => format!("{rows} rows checked, none damaged"),
            (Lang::English, _) => {
                format!("{rows} rows checked, {damaged} damaged and removed: they are computed again")
            }
            (Lang::Korean, 0) => format!("{rows}행을 확인했고 손상된 행은 없습니다"),
            (Lang::Korean, _) => format!("{rows}행 중 손상된 {damaged}행을 지웠습니다. 필요할 때 다시 계산합니다"),
        }
    }

    pub(crate) fn index_rebuilt(self) -> String {
        say!(self, "the index of the features was damaged and is made anew", "특징의 색인이 손상되어 다시 만들었습니다")
    }
}
