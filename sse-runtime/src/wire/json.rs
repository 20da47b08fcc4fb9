//! Where serde_json writes: the stream's buffer, up to the limit.
//!
//! serde_json brings many pieces of a few bytes each: a quote, a key, a colon, a number. To append each of them to
//! the buffer would take longer than to serialize it, so they meet on a small stage first: a single byte there is
//! one store, a short piece two, and the buffer gets a few hundred bytes at a time.

use std::io;

use bytes::BytesMut;

pub(super) struct JsonSink<'a> {
    out: &'a mut BytesMut,
    /// The length that `out` may reach.
    most: usize,
    /// The length that it would have reached, at least.
    overflow: Option<usize>,
    /// What is on the stage and not yet in `out`.
    used: usize,
    stage: [u8; STAGE],
}

const STAGE: usize = 256;
/// Longer pieces are not worth a second copy.
const SHORT: usize = 32;

impl<'a> JsonSink<'a> {
    #[inline]
    pub(super) fn new((out, most): (&'a mut BytesMut, usize)) -> Self {
        Self { out, most, overflow: None, used: 0, stage: [0; STAGE] }
    }

    /// Puts the rest into the buffer. Returns how long that would have become, at least, if the limit was passed;
    /// the serializer's own result does not tell, because a `Serialize` may swallow errors.
    pub(super) fn finish(&mut self) -> Option<usize> {
        // The error is the overflow that is returned.
        let _ = self.clear_stage();
        self.overflow
    }

    #[inline(never)]
    fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        let free = self.stage.get_mut(self.used..).and_then(|free| free.first_chunk_mut());
        match free {
            Some(free) if piece.len() <= SHORT => {
                copy_short(piece, free);
                self.used += piece.len();
                Ok(())
            }
            _ => {
                self.clear_stage()?;
                append_within(self.out, piece, self.most, &mut self.overflow)
            }
        }
    }

    fn clear_stage(&mut self) -> io::Result<()> {
        let staged = self.stage.get(..self.used).unwrap_or_default();
        self.used = 0;
        append_within(self.out, staged, self.most, &mut self.overflow)
    }
}

impl io::Write for JsonSink<'_> {
    #[inline]
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece)?;
        Ok(piece.len())
    }

    // This is inlined into the `Serialize` of every type that is sent, so no more than the commonest case is here.
    #[inline]
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        if let ([byte], Some(free)) = (piece, self.stage.get_mut(self.used)) {
            *free = *byte;
            self.used += 1;
            return Ok(());
        }
        self.append(piece)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn append_within(
    out: &mut BytesMut,
    piece: &[u8],
    most: usize,
    overflow: &mut Option<usize>,
) -> io::Result<()> {
    let len = out.len().saturating_add(piece.len());
    if len > most {
        // What a stubborn `Serialize` writes after this does not matter: all of it is taken back.
        overflow.get_or_insert(len);
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    out.extend_from_slice(piece);
    Ok(())
}

#[inline]
fn copy_short(piece: &[u8], to: &mut [u8; SHORT]) {
    match piece.len() {
        0 => {}
        1 => copy_words::<1>(piece, to),
        2..=3 => copy_words::<2>(piece, to),
        4..=7 => copy_words::<4>(piece, to),
        8..=15 => copy_words::<8>(piece, to),
        _ => copy_words::<16>(piece, to),
    }
}

/// Copies `N` to `2 * N` bytes as their first `N` and their last `N`, which may overlap: two moves of a fixed size
/// in place of a call to `memcpy`.
#[inline]
fn copy_words<const N: usize>(piece: &[u8], to: &mut [u8; SHORT]) {
    let Some(to) = to.get_mut(..piece.len()) else { return };
    if let (Some(from), Some(to)) = (piece.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
        *to = *from;
    }
    if let (Some(from), Some(to)) = (piece.last_chunk::<N>(), to.last_chunk_mut::<N>()) {
        *to = *from;
    }
}
