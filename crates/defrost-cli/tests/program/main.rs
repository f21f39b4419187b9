//! The program as a user meets it.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic")]

mod classifier;
mod command_line;
mod doctor;
mod forms;
mod runs;
mod serve;

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

/// The program in an empty folder with a fixed environment.
struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    fn new() -> Program {
        Program { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::cargo_bin("defrost").unwrap();
        command.args(args).current_dir(self.path()).env_clear().env("DEFROST_CACHE", self.path().join("cache"));
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// `(exit code, stdout, stderr)`, the folder scrubbed.
    fn texts(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.run(args);
        let text =
            |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&self.path().display().to_string(), "FOLDER");
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// The error of a command that is the user's mistake.
    fn mistake(&self, args: &[&str]) -> String {
        let (code, stdout, stderr) = self.texts(args);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        stderr
    }

    fn stdout(&self, args: &[&str]) -> String {
        let (code, stdout, stderr) = self.texts(args);
        assert_eq!(code, 0, "{stderr}");
        stdout
    }

    fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.stdout(args)).unwrap()
    }
}
