//! Progress bars: the library's events on a terminal.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use defrost::progress::{Observer, Phase};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{Terminal, bytes, padded};

/// One bar at a time, on stderr; none where stderr is no terminal or the user wants quiet.
#[derive(Debug)]
pub(crate) struct Bars {
    terminal: Terminal,
    current: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    phase: Phase,
    bar: ProgressBar,
    started: Instant,
}

impl Bars {
    pub(super) fn new(terminal: Terminal) -> Bars {
        Bars { terminal, current: Mutex::new(None) }
    }

    /// Says a line above the bar.
    pub(crate) fn say(&self, line: &str) {
        match &*self.lock() {
            Some(running) => running.bar.suspend(|| self.terminal.say(line)),
            None => self.terminal.say(line),
        }
    }

    /// Does `work` with the bar out of its way.
    pub(crate) fn suspended<T>(&self, work: impl FnOnce() -> T) -> T {
        match &*self.lock() {
            Some(running) => running.bar.suspend(work),
            None => work(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn target(&self) -> ProgressDrawTarget {
        if self.terminal.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() }
    }
}

impl Observer for Bars {
    fn begin(&self, phase: Phase, total: u64, label: &str) {
        let (done, rate) = match phase {
            Phase::Download => ("{bytes}/{total_bytes}", "{bytes_per_sec}"),
            _ => ("{human_pos}/{human_len}", "{pictures_per_second}"),
        };
        let template = format!(" {{prefix:<19}} {{bar:20}} {done}  {rate}  {{eta}}");
        let words = self.terminal.words;
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key(
            "pictures_per_second",
            move |state: &ProgressState, text: &mut dyn fmt::Write| {
                // The bar is redrawn several times a second; one that can't be written is no loss.
                let _ = text.write_str(&words.pictures_per_second(state.per_sec()));
            },
        );
        let bar = ProgressBar::with_draw_target(Some(total), self.target())
            .with_style(style.progress_chars("█▉▊▋▌▍▎▏ "))
            .with_prefix(words.phase(label));
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.lock() = Some(Running { phase, bar, started: Instant::now() });
    }

    fn advance(&self, units: u64) {
        if let Some(running) = &*self.lock() {
            running.bar.inc(units);
        }
    }

    fn end(&self) {
        let Some(running) = self.lock().take() else { return };
        // Clearing a bar moves it to its end, which stopped work hasn't reached.
        let (done, seconds) = (running.bar.position(), running.started.elapsed().as_secs_f64());
        let all = running.bar.length().unwrap_or(done);
        running.bar.finish_and_clear();
        // Epochs have their rows and predictions their lines; the other phases leave one.
        let words = self.terminal.words;
        let what = match running.phase {
            Phase::Looks | Phase::Epoch | Phase::Predict => return,
            Phase::Download => words.took(&bytes(done), seconds),
            Phase::Features => words.took(&words.pictures_of(done as usize, all as usize), seconds),
        };
        self.terminal.say(format!(" {} {what}", padded(&running.bar.prefix(), 19)));
    }
}
