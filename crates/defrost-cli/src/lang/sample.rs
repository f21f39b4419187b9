//! Words of `defrost sample`.

use super::Words;

impl Words {
    pub(crate) fn drawn(self, path: &str, pictures: usize, classes: usize) -> String {
        say!(
            self,
            "{path}: {pictures} pictures in {classes} classes drawn",
            "{path}: {classes}개 클래스의 사진 {pictures}장을 그렸습니다"
        )
    }
}
