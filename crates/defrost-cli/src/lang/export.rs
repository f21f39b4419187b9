//! Words of `defrost export`.

use super::Words;

impl Words {
    pub(crate) fn exported(self, out: &str, format: &str, bytes: usize) -> String {
        let megabytes = bytes as f64 / 1e6;
        say!(
            self,
            "{out}: {format}, {megabytes:.1} MB, read back and equal",
            "{out}: {format}, {megabytes:.1} MB. 다시 읽어 같은 값임을 확인했습니다"
        )
    }
}
