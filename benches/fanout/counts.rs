//! placeholder
use crate::options::Options;
use std::{io, process::ExitCode};
pub(crate) fn run(_o: &Options, _c: bool) -> io::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
