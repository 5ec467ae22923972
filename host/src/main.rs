//! The binary `streamspace`.

use std::process::ExitCode;

fn main() -> ExitCode {
    streamspace_host::cli::run()
}
