//! `defrost bench`: how fast a backbone runs on this machine.

use defrost::backbone;
use defrost::bench::{self, TimedStep};
use defrost::exec::cpu::Bf16;
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
}

#[derive(Serialize)]
struct PlanRow<'a> {
    layer: &'a str,
    what: &'a str,
    bytes: u64,
    multiply_adds: u64,
    seconds: f64,
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
        let (steps, peak) = bench::plan(&model, engine);
        if terminal.wants_json() {
            let rows = steps.iter().map(|TimedStep { info, seconds }| PlanRow {
                layer: &info.layer,
                what: &info.what,
                bytes: info.bytes,
                multiply_adds: info.multiply_adds,
                seconds: *seconds,
            });
            let plan = rows.collect();
            let precision = &args.precision;
            return terminal.json(&Plan {
                backbone: backbone.id,
                precision,
                peak_multiply_adds_per_second: peak,
                plan,
            });
        }
        return terminal.data(table(&steps, peak).as_bytes());
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
