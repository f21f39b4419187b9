//! How a command fails: whose fault it is decides the exit code.
//!
//! | exit code | meaning |
//! | --- | --- |
//! | 0 | done, or the reader of stdout left (a broken pipe) |
//! | 1 | the user's input: arguments, files, data |
//! | 2 | ours, or the system's: disk, network, a bug |
//! | 130 | stopped with Ctrl-C |

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    User,
    System,
    /// Nobody's: the reader of stdout has left.
    ReaderLeft,
    /// Nobody's: Ctrl-C.
    Interrupted,
}

impl Blame {
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Blame::ReaderLeft => 0,
            Blame::User => 1,
            Blame::System => 2,
            Blame::Interrupted => 130,
        })
    }

    /// The fault behind an error: the system's where its cause is one that the user's input can't have.
    fn behind(error: &anyhow::Error) -> Blame {
        use io::ErrorKind as Kind;
        let system = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| {
            !matches!(
                cause.kind(),
                Kind::NotFound
                    | Kind::PermissionDenied
                    | Kind::AlreadyExists
                    | Kind::NotADirectory
                    | Kind::IsADirectory
                    | Kind::DirectoryNotEmpty
                    | Kind::ReadOnlyFilesystem
                    | Kind::InvalidFilename
                    | Kind::InvalidInput
                    | Kind::InvalidData
                    | Kind::UnexpectedEof
                    // Of a reader that can't make sense of a file; the system has a kind for each of its own.
                    | Kind::Other
            )
        });
        if system { Blame::System } else { Blame::User }
    }
}

/// Why a command didn't do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) blame: Blame,
    pub(crate) error: anyhow::Error,
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// The user's fault, in the program's own words.
    pub(crate) fn user(message: impl Display) -> Failure {
        Failure { blame: Blame::User, error: anyhow::anyhow!("{message}"), hint: None }
    }

    /// Nobody's fault: the user has stopped it.
    pub(crate) fn stopped(message: String) -> Failure {
        Failure { blame: Blame::Interrupted, error: anyhow::anyhow!(message), hint: None }
    }

    /// Ours or the system's.
    pub(crate) fn system(error: impl Into<anyhow::Error>) -> Failure {
        Failure { blame: Blame::System, error: error.into(), hint: None }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// The error in one text and the remedy: the hint that was added, else the library's own "did you mean".
    pub(crate) fn texts(&self) -> (String, Option<String>) {
        let text = self.error.to_string();
        // Only a remedy that ends a single problem: a list's stand where they belong.
        let remedy = text
            .rsplit_once("; did you mean ")
            .filter(|(_, name)| !text.contains('\n') && name.ends_with("`?") && name.matches('`').count() == 2);
        match (&self.hint, remedy) {
            (Some(hint), _) => (text, Some(hint.clone())),
            (None, Some((problem, name))) => (problem.to_owned(), Some(format!("did you mean {name}"))),
            (None, None) => (text, None),
        }
    }
}

/// The library's errors are the user's fault unless a system's error is behind them.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        let error = anyhow::Error::new(error);
        Failure { blame: Blame::behind(&error), error, hint: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use defrost::fs;
    use std::path::Path;

    #[test]
    fn a_missing_file_is_the_users_fault_and_a_full_disk_is_not() {
        let missing = fs::read(Path::new("/no/such/file")).unwrap_err();
        assert_eq!(Failure::from(missing).blame, Blame::User);
        let full = fs::FsError::at("write", Path::new("a"))(io::ErrorKind::StorageFull.into());
        assert_eq!(Failure::from(full).blame, Blame::System);
        let damaged = fs::FsError::at("read", Path::new("a"))(io::Error::other("no archive"));
        assert_eq!(Failure::from(damaged).blame, Blame::User);
    }

    #[test]
    fn a_remedy_becomes_the_hint() {
        let failure = Failure::user("unknown key `lr`; did you mean `learning_rate`?");
        let remedy = "did you mean `learning_rate`?".to_owned();
        assert_eq!(failure.texts(), ("unknown key `lr`".to_owned(), Some(remedy)));
        let inside = "2 unused (a; did you mean `b`?, c); is it another network's?";
        assert_eq!(Failure::user(inside).texts(), (inside.to_owned(), None));
        let several = Failure::user("unknown key `a`; did you mean `b`?\nunknown key `c`");
        assert_eq!(several.texts().1, None);
    }
}
