//! Whoever reads standard output, for as long as they read.

use std::io::{self, ErrorKind, Write};

/// A writer that goes on without its reader once the reader has closed the pipe (`| head`): what is not printed
/// is still done, and files are still written.
pub(crate) struct Reader<W>(Option<W>);

impl<W> Reader<W> {
    /// A reader who is still there.
    pub(crate) fn new(out: W) -> Self {
        Self(Some(out))
    }

    fn with<T>(&mut self, gone: T, write: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        match self.0.as_mut().map(write) {
            Some(Err(error)) if error.kind() == ErrorKind::BrokenPipe => self.0 = None,
            Some(result) => return result,
            None => {}
        }
        Ok(gone)
    }
}

impl<W: Write> Write for Reader<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(bytes.len(), |out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with((), Write::flush)
    }
}
