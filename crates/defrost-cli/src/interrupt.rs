//! Ctrl-C: the first asks the work to stop where it can be resumed, the second kills.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;
use crate::terminal::Terminal;

static CANCEL: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C is listened for: a command that works twice asks twice.
static LISTENING: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C (and SIGTERM) sets the flag that is returned.
pub(crate) fn listen(terminal: &Terminal) -> Result<&'static AtomicBool, Failure> {
    if LISTENING.swap(true, Ordering::SeqCst) { Ok(&CANCEL) } else { listen_and(terminal, || {}) }
}

/// As [`listen`], and calls `stop`.
pub(crate) fn listen_and(
    terminal: &Terminal,
    stop: impl Fn() + Send + 'static,
) -> Result<&'static AtomicBool, Failure> {
    let terminal = *terminal;
    ctrlc::set_handler(move || {
        if CANCEL.swap(true, Ordering::SeqCst) {
            #[expect(
                clippy::exit,
                reason = "the second Ctrl-C means now; files are written by renaming, so none is half"
            )]
            std::process::exit(130);
        }
        terminal.say(terminal.words.stopping());
        stop();
    })
    .map_err(Failure::system)?;
    Ok(&CANCEL)
}
