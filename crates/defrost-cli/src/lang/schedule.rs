//! Words of `defrost schedule`.

use super::Words;

impl Words {
    pub(crate) fn step(self) -> String {
        say!(self, "step", "스텝")
    }

    pub(crate) fn learning_rate(self) -> String {
        say!(self, "learning rate", "학습률")
    }

    pub(crate) fn endless_schedule(self) -> String {
        say!(self, "the schedule has no end of its own", "이 스케줄에는 끝나는 스텝이 없습니다")
    }

    pub(crate) fn give_steps(self) -> String {
        say!(self, "give the last step with `--steps N`", "`--steps N`으로 마지막 스텝을 지정하세요")
    }

    pub(crate) fn too_many_steps(self, steps: u64, most: u64) -> String {
        say!(
            self,
            "{steps} steps are more than can be listed ({most})",
            "{steps} 스텝은 나열할 수 있는 한도({most})를 넘습니다"
        )
    }

    pub(crate) fn figure_ending(self, path: &str) -> String {
        say!(
            self,
            "a figure must end in .svg or .png; got {path}",
            "그림 파일은 .svg 또는 .png로 끝나야 합니다: {path}"
        )
    }

    pub(crate) fn no_such_isa(self, name: &str, here: &[&str]) -> String {
        let here = here.join(", ");
        say!(
            self,
            "`DEFROST_ISA` names `{name}`, which this processor does not have; it has {here}",
            "`DEFROST_ISA`의 `{name}`은(는) 이 프로세서에 없습니다. 사용 가능: {here}"
        )
    }
}
