//! What a run looks like to a reader: figures and pages, in English and Korean.
//!
//! Invariant: the same values give the same bytes, on any machine; no reader needs a font.

mod axis;
mod figure;
mod findings;
mod in_lang;
mod judged;
mod lang;
mod page;
mod plot;
mod sheet;
mod shell;
mod text;

pub use figure::{FigureError, curves, narrow_curves, schedule, to_png};
pub use findings::FindingWords;
pub use in_lang::InLang;
pub use judged::{confusion, reliability};
pub use lang::Lang;
pub use page::{Mistake, PageError, RunReport, StageReport, doctor_page, run_page};
pub use sheet::{ContactSheet, Specimen};
pub(crate) use shell::quoted;
