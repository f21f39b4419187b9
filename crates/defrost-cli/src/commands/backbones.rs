//! `defrost backbones`: what there is, and the publishers' weights.

use defrost::backbone;
use defrost::graph::human_count;
use defrost::progress::Progress;
use defrost::weights::fetch::Failure as Download;
use defrost::weights::{self, Hash, Source};
use serde::Serialize;

use super::cache;
use crate::args::BackbonesAction;
use crate::failure::{Blame, Failure};
use crate::interrupt;
use crate::terminal::{Terminal, columns, short};

#[derive(Serialize)]
struct List {
    backbones: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: &'static str,
    input_size: usize,
    layers: usize,
    parameters: usize,
    output_shape: Vec<usize>,
    /// `embedded`, `cached`, `download`
    weights: &'static str,
    url: Option<&'static str>,
    md5: Option<&'static str>,
    licence: &'static str,
}

#[derive(Serialize)]
struct Fetched {
    id: &'static str,
    path: Option<String>,
    downloaded: bool,
    verified: bool,
}

pub(super) fn run(action: Option<BackbonesAction>, terminal: &Terminal) -> Result<(), Failure> {
    match action {
        None => list(terminal),
        Some(BackbonesAction::Fetch { id }) => fetch(&id, terminal),
    }
}

fn list(terminal: &Terminal) -> Result<(), Failure> {
    let words = terminal.words;
    let cache = cache::weights(terminal).ok();
    let backbones: Vec<Row> = backbone::all()
        .map(|backbone| {
            let graph = backbone.graph(backbone.input_size);
            let published = backbone.source;
            let is_cached = |source: &Source<'_>| cache.as_ref().is_some_and(|cache| source.path(cache).is_file());
            Row {
                id: backbone.id,
                input_size: backbone.input_size,
                layers: graph.len(),
                parameters: graph.param_count(),
                output_shape: graph.output_shape().to_vec(),
                weights: match &published {
                    None => "embedded",
                    Some(source) if is_cached(source) => "cached",
                    Some(_) => "download",
                },
                url: published.map(|source| source.url),
                md5: published.and_then(|source| match source.hash {
                    Hash::Md5(sum) => Some(sum),
                    _ => None,
                }),
                licence: backbone.licence(),
            }
        })
        .collect();
    if terminal.wants_json() {
        return terminal.json(&List { backbones });
    }
    let mut rows = vec![words.backbone_headings().to_vec()];
    rows.extend(backbones.iter().map(|row| {
        let weights = match row.weights {
            "embedded" => words.embedded(),
            "cached" => words.cached(),
            _ => words.to_download(),
        };
        let (size, layers) = (row.input_size.to_string(), row.layers.to_string());
        vec![row.id.to_owned(), size, layers, human_count(row.parameters), weights]
    }));
    terminal.data(columns(&rows).as_bytes())
}

fn fetch(id: &str, terminal: &Terminal) -> Result<(), Failure> {
    let backbone = backbone::find(id)?;
    let Some(source) = backbone.source else {
        terminal.say(terminal.words.already_embedded(backbone.id));
        if terminal.wants_json() {
            terminal.json(&Fetched { id: backbone.id, path: None, downloaded: false, verified: true })?;
        }
        return Ok(());
    };
    let cancel = interrupt::listen(terminal)?;
    let bars = terminal.bars();
    let fetched = weights::fetch(&source, &cache::weights(terminal)?, Progress::new(&bars, cancel)).map_err(
        |error| match *error.failure {
            Download::Cancelled => Failure { blame: Blame::Interrupted, error: error.into(), hint: None },
            _ => Failure::system(error),
        },
    )?;
    terminal.say(terminal.words.fetched(&short(&fetched.path), fetched.downloaded, fetched.verified));
    if terminal.wants_json() {
        let (downloaded, verified) = (fetched.downloaded, fetched.verified);
        terminal.json(&Fetched {
            id: backbone.id,
            path: Some(fetched.path.display().to_string()),
            downloaded,
            verified,
        })?;
    }
    Ok(())
}
