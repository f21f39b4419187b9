//! Words of `defrost augment`.

use super::Words;

impl Words {
    pub(crate) fn sheet(self, path: &str, pictures: usize, views: u32) -> String {
        let pictures = self.pictures(pictures);
        let s = if views == 1 { "" } else { "s" };
        say!(self, "{path}: {pictures} in {views} view{s} each", "{path}: {pictures}, 한 장마다 뷰 {views}개")
    }

    pub(crate) fn smaller_sheet(self) -> String {
        say!(
            self,
            "take fewer `--views` or `--pictures`, or a smaller `--input-size`",
            "`--views`나 `--pictures`를 줄이거나 `--input-size`를 작게 하세요"
        )
    }

    pub(crate) fn sheet_ending(self, path: &str) -> String {
        say!(self, "a contact sheet must end in .png; got {path}", "미리보기 시트 파일은 .png로 끝나야 합니다: {path}")
    }
}
