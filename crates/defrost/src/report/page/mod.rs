//! Pages: one HTML file that holds everything that it shows, with nothing to fetch, light or dark as the reader's system is.
//!
//! `base.html` is the frame of every page and `base.css` its type and colours; a page extends it. Values are escaped as they are
//! inserted, and a policy in the page's head forbids every request.

mod counts;
mod doctor;
mod run;
mod thumbnail;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use serde::Serialize;

pub use doctor::doctor_page;
pub use run::{Mistake, RunReport, StageReport, run_page};

/// A page that can't be drawn: a mistake in a template.
#[derive(Debug, thiserror::Error)]
#[error("the page can't be drawn: {0:#}")]
pub struct PageError(#[from] minijinja::Error);

const TEMPLATES: [(&str, &str); 6] = [
    ("base.html", include_str!("base.html")),
    ("base.css", include_str!("base.css")),
    ("doctor.html", include_str!("doctor.html")),
    ("run.html", include_str!("run.html")),
    ("run.css", include_str!("run.css")),
    ("page.js", include_str!("page.js")),
];

/// The page of the template `name`, filled with `values`.
fn render(name: &str, values: impl Serialize) -> Result<String, PageError> {
    let mut environment = Environment::new();
    // What isn't HTML is a part of a page as it is.
    environment
        .set_auto_escape_callback(|name| if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None });
    environment.add_filter("code", |text: &str| Value::from_safe_string(code(text)));
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    Ok(environment.get_template(name)?.render(Value::from(Serde(values)))?)
}

/// A text as HTML, with what stands between backticks as code.
fn code(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for (number, part) in text.split('`').enumerate() {
        html.push_str(match number {
            0 => "",
            odd if odd % 2 == 1 => "<code>",
            _ => "</code>",
        });
        html.push_str(&escaped(part));
    }
    html
}

/// A text as HTML.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            character => html.push(character),
        }
    }
    html
}
