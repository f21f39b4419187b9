//! Words of `defrost embed`.

use super::Words;

impl Words {
    /// `table` holds paths and labels, where they have a file of their own.
    pub(crate) fn embedded_features(
        self,
        pictures: usize,
        num_features: usize,
        out: &str,
        table: Option<String>,
    ) -> String {
        let pictures = self.pictures(pictures);
        let table = table.map_or_else(
            || say!(self, "with paths and labels", "경로와 레이블 포함"),
            |table| say!(self, "paths and labels in {table}", "경로와 레이블은 {table}"),
        );
        say!(
            self,
            "{out}: {num_features} features of each of {pictures}; {table}",
            "{out}: {pictures}, 한 장에 특징 {num_features}개. {table}"
        )
    }
}
