//! How fast a network runs on this machine: its frozen forward pass, its training step from taps, and its plan step by step.

use std::time::{Duration, Instant};

use defrost_kernels::{Bf16, Epilogue, Isa, Kernels, Matrix};

use crate::exec::cpu::{Engine, Program, Randomness, StepInfo, Tail, UnitInfo};
use crate::graph::{Cut, CutError, Tap};
use crate::loss::{CrossEntropy, Target};
use crate::model::Model;
use crate::optim::{Optimizer, OptimizerConfig};
use crate::rng::Stream;
use crate::train::{apply_gradients, trainable_numbers};

/// Pictures of a training step.
const BATCH: usize = 32;
/// How often a rate is measured; the median counts.
const ROUNDS: usize = 5;
/// How long at least.
const ROUND: Duration = Duration::from_millis(600);

/// What was measured, on all threads of the pool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Pictures a second from resized pixels in memory to pooled features: the whole backbone, whatever the cut.
    pub forward_images_per_second: f64,
    /// Pictures a second of a training step of 32 from taps in memory: forward, backward and Adam, with the frozen layers
    /// between tap and cut.
    pub train_images_per_second: f64,
    /// Bytes of a thread's buffers in the forward pass.
    pub arena_bytes: usize,
    /// The instruction set.
    pub isa: Isa,
    /// How it multiplies bf16 numbers, where it is asked to.
    pub bf16: Bf16,
}

/// Measures the forward pass, and the training step from `cut` on.
///
/// # Errors
/// When the backbone has no such cut.
pub fn speed(model: &mut Model, cut: &Cut, engine: Engine) -> Result<Speed, CutError> {
    let train_images_per_second = train(model, cut, engine)?;
    let program = frozen_program(model, engine);
    Ok(Speed {
        forward_images_per_second: forward(&program),
        train_images_per_second,
        arena_bytes: program.arena().bytes(),
        isa: engine.kernels.isa(),
        bf16: engine.kernels.bf16(),
    })
}

/// A step of the forward pass and its time on one thread.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedStep {
    /// What it is.
    pub info: StepInfo,
    /// The median of some passes.
    pub seconds: f64,
}

/// The forward pass of one picture on one thread, step by step, and the multiply-adds a second that this machine can do.
pub fn plan(model: &Model, engine: Engine) -> (Vec<TimedStep>, f64) {
    let program = frozen_program(model, engine);
    let picture = picture(program.input_len(), 0);
    let (mut arena, mut output) = (program.arena(), vec![0.0; program.output_len()]);
    let steps = program.steps();
    let mut times = vec![Vec::new(); steps.len()];
    for pass in 0..2 * ROUNDS + 1 {
        let mut last = Instant::now();
        program.run_observed(&picture, &mut arena, &mut output, |step| {
            let now = Instant::now();
            // The first pass touches the memory.
            if pass > 0 {
                times[step].push((now - last).as_secs_f64());
            }
            last = now;
        });
    }
    let timed = steps.into_iter().zip(times).map(|(info, times)| TimedStep { info, seconds: median(times) });
    (timed.collect(), peak_multiply_adds(engine.kernels))
}

/// A training step from `cut` on, layer by layer on one thread: the medians of some passes.
///
/// # Errors
/// When the backbone has no such cut.
pub fn step_plan(model: &Model, cut: &Cut, engine: Engine) -> Result<Vec<UnitInfo>, CutError> {
    let (mut tail, rows) = tail(model, cut, engine)?;
    let classes = model.num_classes();
    let loss = CrossEntropy::plain(classes);
    let mut pass = || {
        tail.timed_step(&model.params, &rows, Randomness { seed: 0, step: 0 }, &|i, logits, gradient| {
            loss.forward_backward(logits, Target::Class(i % classes), BATCH, gradient)
        })
    };
    // The first pass touches the memory.
    let mut units = pass();
    let passes: Vec<_> = (0..ROUNDS).map(|_| pass()).collect();
    for (number, unit) in units.iter_mut().enumerate() {
        for (direction, seconds) in unit.seconds.iter_mut().enumerate() {
            *seconds = median(passes.iter().map(|units| units[number].seconds[direction]).collect());
        }
    }
    Ok(units)
}

/// From the picture to pooled features.
fn frozen_program(model: &Model, engine: Engine) -> Program {
    // The head's first layer is the pooling.
    Program::new(&model.graph, &model.params, Tap(0), Tap(model.backbone_layers), engine)
}

/// Pictures a second.
fn forward(program: &Program) -> f64 {
    let work = |duration: Duration| {
        let rates = rayon::broadcast(|thread| {
            let picture = picture(program.input_len(), thread.index() as u64);
            let (mut arena, mut output) = (program.arena(), vec![0.0; program.output_len()]);
            program.run(&picture, &mut arena, &mut output);
            let (begun, mut pictures) = (Instant::now(), 0);
            while begun.elapsed() < duration {
                program.run(&picture, &mut arena, &mut output);
                pictures += 1;
            }
            f64::from(pictures) / begun.elapsed().as_secs_f64()
        });
        rates.into_iter().sum()
    };
    median((0..ROUNDS).map(|_| work(ROUND)).collect())
}

/// What trains from `cut` on, and the stored rows of a batch.
fn tail(model: &Model, cut: &Cut, engine: Engine) -> Result<(Tail, Vec<f32>), CutError> {
    let cut = model.locate(cut)?;
    let tap = model.tap(cut, false);
    let program = Program::new(&model.graph, &model.params, Tap(0), tap, engine);
    let mut arena = program.arena();
    let mut rows = vec![0.0; BATCH * program.output_len()];
    for (number, row) in rows.chunks_exact_mut(program.output_len()).enumerate() {
        program.run(&picture(program.input_len(), number as u64), &mut arena, row);
    }
    Ok((Tail::new(&model.graph, tap, cut, Default::default(), engine), rows))
}

/// Pictures a second.
fn train(model: &mut Model, cut: &Cut, engine: Engine) -> Result<f64, CutError> {
    let (mut tail, rows) = tail(model, cut, engine)?;
    let numbers = trainable_numbers(&tail);
    let mut optimizer = Optimizer::new(OptimizerConfig::default());
    let classes = model.num_classes();
    let loss = CrossEntropy::plain(classes);
    let mut step = || {
        let randomness = Randomness { seed: 0, step: optimizer.steps() };
        let output = tail.forward_backward(&mut model.params, &rows, randomness, &|i, logits, gradient| {
            loss.forward_backward(logits, Target::Class(i % classes), BATCH, gradient)
        });
        apply_gradients(&mut optimizer, &mut model.params, &numbers, &output.gradients, 1e-5);
    };
    step();
    let mut round = || {
        let (begun, mut steps) = (Instant::now(), 0);
        while begun.elapsed() < ROUND {
            step();
            steps += 1;
        }
        f64::from(steps * BATCH as u32) / begun.elapsed().as_secs_f64()
    };
    Ok(median((0..ROUNDS).map(|_| round()).collect()))
}

/// Multiply-adds a second of one thread: the best of products whose operands stay in the first-level cache.
fn peak_multiply_adds(kernels: Kernels) -> f64 {
    let (rows, columns) = (12, 32);
    let rate = |depth: usize| {
        let (a, b, mut c) = (vec![0.5; rows * depth], vec![0.5; depth * columns], vec![0.0; rows * columns]);
        let packed = kernels.pack(Matrix::new(&b, depth, columns));
        let mut round = || {
            let calls = 2000;
            let begun = Instant::now();
            for _ in 0..calls {
                kernels.matmul(Matrix::new(&a, rows, depth), &packed, &mut c, &Epilogue::default());
            }
            (calls * rows * depth * columns) as f64 / begun.elapsed().as_secs_f64()
        };
        (0..ROUNDS).map(|_| round()).fold(0.0, f64::max)
    };
    [64, 96, 128, 160, 192].into_iter().map(rate).fold(0.0, f64::max)
}

/// Pixels that no network finds boring.
fn picture(len: usize, number: u64) -> Vec<f32> {
    let mut stream = Stream::new(0, "bench/picture", &[number]);
    (0..len).map(|_| stream.range(0.0, 255.0)).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
