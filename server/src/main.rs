//! The `server` binary: hands the command line over.

fn main() -> std::process::ExitCode {
    server::cli::run()
}
