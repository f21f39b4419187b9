//! What the library says in English by `Display`, in the reader's language: the same for the terminal and the page.

mod reasons;
mod warnings;

use std::fmt::Display;

use super::Lang;

/// A text that is known in both languages.
pub trait InLang: Display {
    /// In Korean.
    fn korean(&self) -> String;

    /// In the reader's language.
    fn in_lang(&self, lang: Lang) -> String {
        match lang {
            Lang::English => self.to_string(),
            Lang::Korean => self.korean(),
        }
    }
}
