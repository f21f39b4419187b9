//! What is said to who gives no command.

use defrost::report::Lang;

use super::Words;

impl Words {
    /// What the program is for, and how to begin.
    pub(crate) fn welcome(self) -> String {
        let (what, more) = match self.0 {
            Lang::English => (
                "defrost learns from folders of pictures to tell what is on others",
                "all commands: `defrost --help` · one of them: `defrost help train`",
            ),
            Lang::Korean => (
                "defrost는 클래스별 사진 폴더에서 배워, 다른 사진에 무엇이 있는지 알려 줍니다",
                "모든 명령: `defrost --help` · 명령 하나: `defrost help train`",
            ),
        };
        let steps = [
            (
                "defrost sample shapes/",
                "draw a few pictures, for a first try without any",
                "사진이 없다면 연습용 사진을 그립니다",
            ),
            ("defrost train shapes/", "learn from a folder for each class", "클래스별 폴더에서 학습합니다"),
            ("defrost predict my.jpg", "say what is on a picture", "사진에 무엇이 있는지 말합니다"),
            ("defrost serve", "the same, in the browser", "같은 일을 브라우저에서 합니다"),
        ];
        let said = |english, korean| if self.0 == Lang::English { english } else { korean };
        let steps: String =
            steps.map(|(command, english, korean)| format!("  {command:<24}{}\n", said(english, korean))).concat();
        format!("{what}\n\n{steps}\n{more}")
    }
}
