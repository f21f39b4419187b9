//! Every word that the program says in the terminal, in English and Korean.
//!
//! Errors of the library and names that belong to the field (keys, layers, classes) stay English: they are what one searches for.

use defrost::report::Lang;

/// What is said, in the user's language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words(pub(crate) Lang);

/// Picks the text of the language; both see the same arguments.
macro_rules! say {
    ($words:expr, $english:literal, $korean:literal) => {
        match $words.0 {
            defrost::report::Lang::English => format!($english),
            defrost::report::Lang::Korean => format!($korean),
        }
    };
}

mod advise;
mod augment;
mod backbones;
mod bench;
mod cache;
mod compare;
mod doctor;
mod embed;
mod evaluate;
mod export;
pub(crate) mod help;
mod predict;
mod recipe;
mod sample;
mod schedule;
mod serve;
mod summary;
mod train;
mod welcome;

impl Words {
    pub(crate) fn stopping(self) -> String {
        say!(self, "stopping; Ctrl-C again ends it at once", "멈추는 중입니다. Ctrl-C를 다시 누르면 바로 끝납니다")
    }

    /// `1 picture`, `240 pictures`.
    pub(crate) fn pictures(self, count: usize) -> String {
        let s = if count == 1 { "" } else { "s" };
        say!(self, "{count} picture{s}", "사진 {count}장")
    }

    /// `352 of 800 pictures` where not all were done.
    pub(crate) fn pictures_of(self, done: usize, all: usize) -> String {
        let pictures = self.pictures(all);
        match self.0 {
            _ if done == all => pictures,
            Lang::English => format!("{done} of {pictures}"),
            Lang::Korean => format!("{pictures} 중 {done}장"),
        }
    }

    /// What the library calls a phase of its work; names of stages and layers stay as they are.
    pub(crate) fn phase(self, label: &str) -> String {
        match (self.0, label) {
            (Lang::Korean, "features") => "특징",
            (Lang::Korean, "pooled features") => "풀링한 특징",
            (Lang::Korean, "look-alikes") => "닮은 사진",
            (Lang::Korean, "pictures") => "사진",
            (Lang::Korean, "predict") => "예측",
            (Lang::Korean, "advice") => "조언",
            _ => label,
        }
        .to_owned()
    }

    pub(crate) fn pictures_per_second(self, rate: f64) -> String {
        say!(self, "{rate:.0} pictures/s", "초당 {rate:.0}장")
    }

    pub(crate) fn took(self, what: &str, seconds: f64) -> String {
        say!(self, "{what}  {seconds:.0} s", "{what}  {seconds:.0}초")
    }

    pub(crate) fn stdout_is_lost(self, reason: &str) -> String {
        say!(self, "can't write to stdout: {reason}", "표준 출력에 쓸 수 없습니다: {reason}")
    }

    pub(crate) fn written(self, path: &str) -> String {
        say!(self, "{path} written", "{path} 파일을 썼습니다")
    }

    pub(crate) fn next(self, command: &str) -> String {
        say!(self, "next: {command}", "다음: {command}")
    }
}
