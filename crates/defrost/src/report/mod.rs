//! What a run looks like to a reader: figures, in English and Korean.
//!
//! Invariant: the same values give the same bytes, on any machine; no reader needs a font.

mod axis;
mod figure;
mod findings;
mod judged;
mod lang;
mod page;
mod plot;
mod sheet;
mod text;

pub use figure::{FigureError, curves, schedule, to_png};
pub use findings::FindingWords;
pub use judged::{confusion, reliability};
pub use lang::Lang;
pub use page::{PageError, doctor_page};
pub use sheet::{ContactSheet, Specimen};
