//! Pages: one HTML file that holds everything that it shows, with no script and nothing to fetch, light or dark as the reader's
//! system is.
//!
//! `base.html` is the frame of every page, with its colours; a page extends it. Values are escaped as they are inserted.

mod doctor;
mod thumbnail;

use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;

pub use doctor::doctor_page;

/// A page that can't be drawn: a mistake in a template.
#[derive(Debug, thiserror::Error)]
#[error("the page can't be drawn: {0:#}")]
pub struct PageError(#[from] minijinja::Error);

/// The page of the template `name`, filled with `values`.
fn render(name: &str, values: impl Serialize) -> Result<String, PageError> {
    let mut environment = Environment::new();
    environment.add_template("base.html", include_str!("base.html"))?;
    environment.add_template("doctor.html", include_str!("doctor.html"))?;
    Ok(environment.get_template(name)?.render(Value::from(Serde(values)))?)
}
