//! The rows of each stage: one trunk pass for a row of stages with partial cuts, everything shallower derived from it.

use std::ops::Range;
use std::sync::Arc;

use crate::exec::cpu::{Engine, Program};
use crate::features::{Cache, FeaturesError, Pictures, Rows};
use crate::graph::{Graph, Layer, Op, Tap};
use crate::model::Model;
use crate::progress::Progress;
use crate::train::{RowSource, StagePlan};

/// Makes rows as stages ask for them.
#[derive(Debug)]
pub(super) struct StageRows {
    pictures: Arc<Pictures>,
    taps: Vec<Tap>,
    cache: Cache,
    engine: Engine,
    /// The pass that is at hand, for the stages that it serves.
    pass: Option<(Range<usize>, Arc<Rows>)>,
    /// The rows handed out last: the final validation asks for them again.
    latest: Option<(usize, Arc<Rows>)>,
}

impl StageRows {
    pub(super) fn new(pictures: Arc<Pictures>, stages: &[StagePlan], cache: Cache, engine: Engine) -> StageRows {
        let taps = stages.iter().map(|stage| stage.tap).collect();
        StageRows { pictures, taps, cache, engine, pass: None, latest: None }
    }

    /// The consecutive stages around `stage` with partial cuts: none of them changes a layer before the deepest of their taps,
    /// so one pass serves them all.
    fn served_together(&self, stage: usize, graph: &Graph) -> Range<usize> {
        let partial = |index: &usize| self.taps[*index].is_partial(graph);
        let first = (0..=stage).rev().take_while(partial).last().unwrap_or(stage);
        let last = (stage..self.taps.len()).take_while(partial).last().unwrap_or(stage);
        first..last + 1
    }

    fn rows_of_pictures(&self, model: &Model, tap: Tap) -> Rows {
        let program = Program::new(&model.graph, &model.params, Tap(0), tap, self.engine);
        let engine = engine_fingerprint(self.engine, model.fingerprint(Tap(0), tap));
        Rows::from_pictures(self.pictures.clone(), program, engine)
    }

    /// The rows of the first pass, before they are computed: their size and place.
    pub(super) fn first_pass(&self, model: &Model) -> Option<Rows> {
        let first = (0..self.taps.len()).find(|&stage| self.taps[stage].is_partial(&model.graph))?;
        let tap = self.taps[self.served_together(first, &model.graph)].iter().min()?;
        Some(self.rows_of_pictures(model, *tap))
    }

    fn pass(&mut self, stage: usize, model: &Model, progress: Progress<'_>) -> Result<(Tap, Arc<Rows>), FeaturesError> {
        let served = self.served_together(stage, &model.graph);
        let tap = self.taps[served.clone()].iter().copied().min().unwrap_or(self.taps[stage]);
        if let Some((range, rows)) = &self.pass
            && *range == served
        {
            return Ok((tap, rows.clone()));
        }
        let mut rows = self.rows_of_pictures(model, tap);
        rows.fill(&self.cache, "features", progress)?;
        let rows = Arc::new(rows);
        self.pass = Some((served, rows.clone()));
        Ok((tap, rows))
    }
}

impl RowSource for StageRows {
    fn rows(&mut self, stage: usize, model: &Model, progress: Progress<'_>) -> Result<Arc<Rows>, FeaturesError> {
        if let Some((latest, rows)) = &self.latest
            && *latest == stage
        {
            return Ok(rows.clone());
        }
        let tap = self.taps[stage];
        let rows = if tap.is_partial(&model.graph) {
            let (deepest, pass) = self.pass(stage, model, progress)?;
            if deepest == tap {
                pass
            } else {
                let program = Program::new(&model.graph, &model.params, deepest, tap, self.engine);
                let engine = engine_fingerprint(self.engine, model.fingerprint(deepest, tap));
                let mut rows = Rows::derived(pass, program, engine);
                let label = label(&model.graph.layers()[tap.0]);
                rows.fill(&self.cache, &label, progress)?;
                Arc::new(rows)
            }
        } else {
            // The stage begins at the picture: nothing is stored, but unreadable pictures are found before the first step.
            let mut rows = self.rows_of_pictures(model, tap);
            rows.fill(&Cache::none(), "pictures", progress)?;
            Arc::new(rows)
        };
        self.latest = Some((stage, rows.clone()));
        Ok(rows)
    }
}

/// What people read while rows of this layer are derived.
fn label(layer: &Layer) -> String {
    match layer.op {
        Op::GlobalAveragePooling => "pooled features".to_owned(),
        _ => format!("at {}", layer.name),
    }
}

/// The part of a row's identity that lies in how it is computed.
pub(super) fn engine_fingerprint(engine: Engine, network: blake3::Hash) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let engine = format!("{} {:?}", env!("CARGO_PKG_VERSION"), engine);
    hasher.update(engine.as_bytes());
    hasher.update(network.as_bytes());
    hasher.finalize()
}
