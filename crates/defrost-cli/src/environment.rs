//! Everything that the program takes from the environment.
//!
//! `NO_COLOR` and the proxies' variables are read by the libraries that obey them.

use std::ffi::OsString;
use std::path::PathBuf;

use defrost::report::Lang;

fn var(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// What `--lang` says, before the arguments are read: their help and their mistakes have a language, too.
pub(crate) fn asked_lang() -> Option<Lang> {
    let mut arguments = std::env::args_os().skip(1).filter_map(|argument| argument.into_string().ok());
    let value = arguments.find_map(|argument| match argument.strip_prefix("--lang")? {
        "" => Some(None),
        rest => rest.strip_prefix('=').map(|value| Some(value.to_owned())),
    })?;
    value.or_else(|| arguments.next())?.parse().ok()
}

/// Korean where the locale's messages are, else English.
pub(crate) fn lang() -> Lang {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(var).unwrap_or_default();
    match locale.to_string_lossy().split(['_', '.', '-']).next() {
        Some("ko") => Lang::Korean,
        _ => Lang::English,
    }
}

/// Where weights and features are kept: `DEFROST_CACHE`, else `defrost` in the system's folder for caches.
pub(crate) fn cache() -> Option<PathBuf> {
    let home = |below: &str| var("HOME").map(|home| PathBuf::from(home).join(below));
    let system = || {
        if cfg!(windows) {
            var("LOCALAPPDATA").map(PathBuf::from)
        } else if cfg!(target_os = "macos") {
            home("Library/Caches")
        } else {
            var("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(|| home(".cache"))
        }
    };
    var("DEFROST_CACHE").map(PathBuf::from).or_else(|| system().map(|folder| folder.join("defrost")))
}

/// The user's home, for shorter paths in what is said.
pub(crate) fn home() -> Option<PathBuf> {
    var("HOME").map(PathBuf::from)
}

/// What `defrost serve` asks of who isn't on this machine: `DEFROST_TOKEN`.
pub(crate) fn token() -> Option<String> {
    var("DEFROST_TOKEN").and_then(|token| token.into_string().ok())
}

/// The instruction set to use in place of the best: `DEFROST_ISA`, one of `avx512`, `avx2`, `neon`, `portable`.
pub(crate) fn isa() -> Option<OsString> {
    var("DEFROST_ISA")
}

/// The most memory that the process has held at any time, in bytes, where the system tells.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
