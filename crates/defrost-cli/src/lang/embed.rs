//! Words of `defrost embed`.

use super::Words;

impl Words {
    pub(crate) fn no_such_format(self, path: &str) -> String {
        say!(self, "{path} ends neither in .npy nor in .safetensors", "{path}: 확장자가 .npy도 .safetensors도 아닙니다")
    }

    pub(crate) fn embedded_features(self, pictures: usize, num_features: usize, out: &str, table: &str) -> String {
        let pictures = self.pictures(pictures);
        say!(
            self,
            "{out}: {num_features} features of each of {pictures}; paths and labels in {table}",
            "{out}: {pictures}, 한 장에 특징 {num_features}개. 경로와 레이블은 {table}"
        )
    }
}
