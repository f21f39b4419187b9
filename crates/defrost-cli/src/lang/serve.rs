//! Words of `defrost serve`.

use super::Words;

impl Words {
    pub(crate) fn serving(self, run: &str, url: &str) -> String {
        say!(self, "{run} answers at {url} · Ctrl-C stops it", "{run} · {url}에서 답합니다 · Ctrl-C로 멈춥니다")
    }

    pub(crate) fn served(self) -> String {
        say!(self, "everything in flight is answered", "진행 중이던 요청에 모두 답했습니다")
    }

    pub(crate) fn token_needed(self, addr: &str) -> String {
        say!(
            self,
            "others than this machine can reach {addr}, so a token is needed",
            "{addr}에는 다른 컴퓨터도 접속할 수 있으므로 토큰이 필요합니다"
        )
    }

    pub(crate) fn token_hint(self) -> String {
        say!(
            self,
            "give one that can't be guessed with `--token` or in DEFROST_TOKEN, or listen at 127.0.0.1",
            "추측할 수 없는 토큰을 `--token`이나 DEFROST_TOKEN으로 지정하거나 127.0.0.1에서 여세요"
        )
    }

    pub(crate) fn cannot_listen(self, addr: &str, reason: &str) -> String {
        say!(self, "can't listen at {addr}: {reason}", "{addr}에서 열 수 없습니다: {reason}")
    }

    pub(crate) fn other_port(self) -> String {
        say!(
            self,
            "stop what listens there, or give another `--addr`; port 0 takes a free one",
            "그 주소를 쓰는 프로그램을 멈추거나 다른 `--addr`을 지정하세요. 포트 0은 빈 포트를 씁니다"
        )
    }
}
