//! `defrost bench`: how fast a backbone runs on this machine.

use defrost::backbone;
use defrost::bench::{self, TimedStep};
use defrost::exec::cpu::{Bf16, Engine, UnitInfo};
use defrost::graph::Cut;
use defrost::head::Head;
use defrost::job::JobError;
use defrost::model::{Layout, Model};
use defrost::recipe::Precision;
use serde::Serialize;

use crate::args;
use crate::environment;
use crate::failure::Failure;
use crate::terminal::Terminal;

#[derive(Serialize)]
struct Report<'a> {
    backbone: &'a str,
    precision: &'a str,
    threads: usize,
    isa: &'a str,
    cut: String,
    forward_images_per_second: f64,
    train_images_per_second: f64,
    arena_bytes: usize,
    peak_memory_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Plan<'a> {
    backbone: &'a str,
    precision: &'a str,
    peak_multiply_adds_per_second: f64,
    plan: Vec<PlanRow<'a>>,
    cut: String,
    step: Vec<UnitRow<'a>>,
}

#[derive(Serialize)]
struct PlanRow<'a> {
    layer: &'a str,
    what: &'a str,
    bytes: u64,
    multiply_adds: u64,
    seconds: f64,
}

#[derive(Serialize)]
struct UnitRow<'a> {
    layer: &'a str,
    what: &'a str,
    pictures: usize,
    multiply_adds: u64,
    forward_seconds: f64,
    backward_seconds: f64,
}

/// Classes of the head that is measured.
const CLASSES: usize = 5;

pub(super) fn run(args: &args::Bench, terminal: &Terminal) -> Result<(), Failure> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(Failure::system)?;
    }
    let words = terminal.words;
    let backbone = backbone::find(&args.backbone)?;
    let mut model = Model::new(backbone, Layout::Pretrained, backbone.input_size, &Head::default(), CLASSES, 0);
    model.locate(&args.cut)?;
    let engine = match args.precision.as_str() {
        "bf16" => Precision::Bf16.engine(),
        _ => Precision::F32.engine(),
    };
    if args.precision == "bf16" && engine.kernels.bf16() == Bf16::Emulated {
        return Err(JobError::Precision.into());
    }
    if args.plan {
        return print_plan(args, &model, engine, terminal);
    }
    let speed = bench::speed(&mut model, &args.cut, engine)?;
    let report = Report {
        backbone: backbone.id,
        precision: &args.precision,
        threads: rayon::current_num_threads(),
        isa: speed.isa.name(),
        cut: name(&args.cut),
        forward_images_per_second: speed.forward_images_per_second,
        train_images_per_second: speed.train_images_per_second,
        arena_bytes: speed.arena_bytes,
        peak_memory_bytes: environment::peak_memory(),
    };
    if terminal.wants_json() {
        return terminal.json(&report);
    }
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let peak = report.peak_memory_bytes.map(mebibytes);
    let text = [
        words.bench_speed(report.forward_images_per_second, report.train_images_per_second, &report.cut),
        words.bench_engine(report.isa, report.threads, &mebibytes(report.arena_bytes as u64), peak.as_deref()),
    ];
    terminal.data((text.join("\n") + "\n").as_bytes())
}

/// The steps of the forward pass, then the layers of the training step.
fn print_plan(args: &args::Bench, model: &Model, engine: Engine, terminal: &Terminal) -> Result<(), Failure> {
    let (steps, peak) = bench::plan(model, engine);
    let units = bench::step_plan(model, &args.cut, engine)?;
    if !terminal.wants_json() {
        return terminal.data((table(&steps, peak) + "\n" + &step_table(&units, peak)).as_bytes());
    }
    let plan = steps.iter().map(|TimedStep { info, seconds }| PlanRow {
        layer: &info.layer,
        what: &info.what,
        bytes: info.bytes,
        multiply_adds: info.multiply_adds,
        seconds: *seconds,
    });
    let step = units.iter().map(|unit| UnitRow {
        layer: &unit.layer,
        what: &unit.what,
        pictures: unit.pictures,
        multiply_adds: unit.multiply_adds,
        forward_seconds: unit.seconds[0],
        backward_seconds: unit.seconds[1],
    });
    terminal.json(&Plan {
        backbone: model.backbone.id,
        precision: &args.precision,
        peak_multiply_adds_per_second: peak,
        plan: plan.collect(),
        cut: name(&args.cut),
        step: step.collect(),
    })
}

fn name(cut: &Cut) -> String {
    match cut {
        Cut::Last(layers) => format!("last={layers}"),
        Cut::Fraction(share) => format!("fraction={share}"),
        Cut::From(layer) => format!("from={layer}"),
        Cut::Head => "head".to_owned(),
        Cut::All => "all".to_owned(),
    }
}

/// A line a step, and the sum.
fn table(steps: &[TimedStep], peak: f64) -> String {
    let line = |layer: &str, what: &str, bytes: u64, multiply_adds: u64, seconds: f64| {
        let share = 100.0 * multiply_adds as f64 / seconds / peak;
        format!(
            "{layer:<24} {what:<64} {:>8.2} {:>9.2} {:>8.1} {share:>6.0}\n",
            bytes as f64 / 1e6,
            2e-6 * multiply_adds as f64,
            seconds * 1e6
        )
    };
    let mut text = format!("{:<24} {:<64} {:>8} {:>9} {:>8} {:>6}\n", "step", "what", "MB", "MFLOP", "µs", "% peak");
    for TimedStep { info, seconds } in steps {
        text += &line(&info.layer, &info.what, info.bytes, info.multiply_adds, *seconds);
    }
    let sum = |value: fn(&TimedStep) -> u64| steps.iter().map(value).sum();
    let seconds = steps.iter().map(|step| step.seconds).sum();
    let total = format!("peak {:.1} GFLOP/s a thread", 2e-9 * peak);
    text + &line("all", &total, sum(|step| step.info.bytes), sum(|step| step.info.multiply_adds), seconds)
}

/// A line a layer, and the sum.
fn step_table(units: &[UnitInfo], peak: f64) -> String {
    let line = |layer: &str, what: &str, pictures: &str, multiply_adds: u64, [forward, backward]: [f64; 2]| {
        let share = 100.0 * multiply_adds as f64 / (forward + backward) / peak;
        format!(
            "{layer:<24} {what:<52} {pictures:>8} {:>9.2} {:>9.1} {:>9.1} {share:>6.0}\n",
            2e-6 * multiply_adds as f64,
            forward * 1e6,
            backward * 1e6
        )
    };
    let heading = ["layer", "what trains or lets gradients through", "pictures", "MFLOP", "µs", "back µs", "% peak"];
    let [layer, what, pictures, operations, forward, backward, share] = heading;
    let mut text =
        format!("{layer:<24} {what:<52} {pictures:>8} {operations:>9} {forward:>9} {backward:>9} {share:>6}\n");
    for unit in units {
        text += &line(&unit.layer, &unit.what, &unit.pictures.to_string(), unit.multiply_adds, unit.seconds);
    }
    let sum = |direction: usize| units.iter().map(|unit| unit.seconds[direction]).sum();
    text + &line("all", "", "", units.iter().map(|unit| unit.multiply_adds).sum(), [sum(0), sum(1)])
}
