//! Children that cannot outlive us. Each runs under a small shell that holds the reading end of a pipe from us; when the
//! pipe closes, because we let go, ended, were interrupted or were killed outright, the shell ends the child and
//! removes what it left. No signal handler of ours could promise that.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

/// `$1`: whom to signal (`child` or `group`), `$2`: the signal, `$3`: a folder to remove at the end (or nothing).
///
/// The shell leads a process group of its own, so a Ctrl-C at the terminal reaches the child only through the pipe.
const SCRIPT: &str = r#"
whom=$1 signal=$2 remove=$3
shift 3
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
{
  read -r _ <&3
  if [ "$whom" = group ]; then kill -s "$signal" -- "-$$"; else kill -s "$signal" "$child"; fi
} 2>/dev/null &
watcher=$!
exec 3<&- 2>/dev/null
trap : HUP INT TERM
while :; do
  wait "$child"
  status=$?
  kill -0 "$child" || break
done
kill "$watcher"
[ -z "$remove" ] || rm -rf -- "$remove"
exit "$status"
"#;

/// A running child. Dropping it ends the child and waits until it is gone.
pub struct Leash {
    shell: Child,
}

/// A command that runs `program` and is sent `signal` alone when the leash goes; then the folder `remove` is deleted.
pub fn service(program: impl AsRef<OsStr>, signal: &str, remove: Option<&Path>) -> Command {
    command("child", signal, remove, program.as_ref())
}

fn command(whom: &str, signal: &str, remove: Option<&Path>, program: &OsStr) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", SCRIPT, "sh", whom, signal])
        .arg(remove.unwrap_or(Path::new("")))
        .arg(program);
    command.stdin(Stdio::piped()).process_group(0);
    command
}

/// Runs `command` to its end with everything it starts on one leash. An error if it fails; output goes to the terminal.
pub fn run(command: &Command) -> Result<()> {
    let status = Leash::start(&mut group(command))?.wait()?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

fn group(inner: &Command) -> Command {
    let mut outer = command("group", "TERM", None, inner.get_program());
    outer.args(inner.get_args());
    for (key, value) in inner.get_envs() {
        match value {
            Some(value) => outer.env(key, value),
            None => outer.env_remove(key),
        };
    }
    if let Some(folder) = inner.get_current_dir() {
        outer.current_dir(folder);
    }
    outer
}

/// The command as a person would type it, for messages.
pub fn line(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

impl Leash {
    /// Starts a command made by [`service`].
    pub fn start(command: &mut Command) -> Result<Self> {
        let shell = command
            .spawn()
            .context("could not start `sh`, which every program is run under")?;
        Ok(Self { shell })
    }

    /// The process that the child is a child of.
    pub fn id(&self) -> u32 {
        self.shell.id()
    }

    /// Takes the child's standard output and standard error, where the command asked for pipes; `None` from the second
    /// call on.
    pub fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.shell.stdout.take(), self.shell.stderr.take())
    }

    /// Waits until the child ends by itself.
    pub fn wait(mut self) -> Result<ExitStatus> {
        // `Child::wait` would close the pipe first, and with it end the child.
        let pipe = self.shell.stdin.take();
        let status = self.shell.wait().context("waiting for a program")?;
        drop(pipe);
        Ok(status)
    }

    /// Returns the child's exit status; `None` while it runs.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.shell.try_wait().context("looking after a program")
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // Nothing is left to do about an error here: the shell is gone either way.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};

    use super::*;

    #[test]
    fn the_exit_status_is_the_programs_own() {
        let mut failing = Command::new("sh");
        failing.args(["-c", "exit 7"]);
        let error = run(&failing).unwrap_err().to_string();
        assert!(error.contains('7'), "{error}");
        assert!(run(&Command::new("true")).is_ok());
    }

    #[test]
    fn letting_go_ends_the_child_and_removes_its_folder() {
        let folder = std::env::temp_dir().join(format!("xtask-leash-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = service("sh", "TERM", Some(&folder));
        command.args([
            "-c",
            "trap 'echo ended; exit' TERM; echo ready; while :; do sleep 0.05; done",
        ]);
        let mut leash = Leash::start(command.stdout(Stdio::piped())).unwrap();
        let mut output = BufReader::new(leash.shell.stdout.take().unwrap());
        let mut ready = String::new();
        output.read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");

        drop(leash);
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "ended\n");
        assert!(!folder.exists());
    }

    #[test]
    fn a_group_ends_with_its_grandchildren() {
        let mut command = Command::new("sh");
        command.args(["-c", "sh -c 'trap \"echo grandchild ended; exit\" TERM; echo ready; while :; do sleep 0.05; done' & wait"]);
        let mut leash = Leash::start(group(&command).stdout(Stdio::piped())).unwrap();
        let mut output = BufReader::new(leash.shell.stdout.take().unwrap());
        let mut ready = String::new();
        output.read_line(&mut ready).unwrap();

        drop(leash);
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "grandchild ended\n");
    }
}
