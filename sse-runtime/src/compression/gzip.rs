//! A gzip file (RFC 1952) that is written piece by piece, each to be read without the next.
//!
//! What is costly is the compressor. Each piece ends with a byte, and a new compressor refers to nothing before it; so
//! it exists only while a stream is busy, and what is short goes without it, in blocks that deflate calls *stored*
//! (RFC 1951, section 3.2.4):
//!
//! ```text
//!   stored, stored .. --- more than WITHOUT bytes ---> deflated, deflated ..
//!         ^                                                  |
//!         +----------------------- rest ---------------------+
//! ```

use std::io;

use flate2::{Compress, Compression, Crc, FlushCompress};

/// Deflate's magic number and its code; no flags, no time, no extra flags, an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// A last block that is empty, with the fixed codes: three bits of head, and the seven zeros that end a block.
const LAST_BLOCK: [u8; 2] = [0b011, 0];
/// How many bytes go without a compressor after a rest: below, it would gain a few percent at best.
const WITHOUT: usize = 1024;
/// How far back a compressor finds what repeats, as a power of two: 8 KiB. Events resemble the ones just before; the
/// format's 32 KiB would cost half as much memory again.
const WINDOW_BITS: u8 = 13;
/// A seventh of the time of the usual level, for 10 % more bytes.
const LEVEL: u32 = 1;
/// At least this much room for a compressor's output: more than the seven bytes that a flush adds.
const ROOM: usize = 64;

pub(super) struct Gzip {
    begun: bool,
    /// Of what went in.
    checksum: Crc,
    /// How many bytes went without a compressor since the last rest.
    without: usize,
    compressor: Option<Compress>,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Self { begun: false, checksum: Crc::new(), without: 0, compressor: None }
    }

    /// Appends `data` to `out`.
    pub(super) fn write(&mut self, data: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(out);
        if data.is_empty() {
            return Ok(());
        }
        self.checksum.update(data);
        if self.compressor.is_none() && self.without + data.len() <= WITHOUT {
            self.without += data.len();
            store(data, out);
            return Ok(());
        }
        let compressor = self.compressor.get_or_insert_with(|| {
            Compress::new_with_window_bits(Compression::new(LEVEL), false, WINDOW_BITS)
        });
        deflate(compressor, data, out)
    }

    /// There will be nothing for a while.
    pub(super) fn rest(&mut self) {
        self.compressor = None;
        self.without = 0;
    }

    /// Appends what ends the file.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.rest();
        out.extend_from_slice(&LAST_BLOCK);
        out.extend_from_slice(&self.checksum.sum().to_le_bytes());
        out.extend_from_slice(&self.checksum.amount().to_le_bytes());
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(&HEADER);
        }
    }
}

/// Appends a block that is not compressed, of at most [`WITHOUT`] bytes.
fn store(data: &[u8], out: &mut Vec<u8>) {
    let [low, high, ..] = data.len().to_le_bytes();
    out.reserve(data.len() + 5);
    out.extend_from_slice(&[0, low, high, !low, !high]);
    out.extend_from_slice(data);
}

fn deflate(compressor: &mut Compress, mut data: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    out.reserve(data.len() / 2 + ROOM);
    loop {
        let before = compressor.total_in();
        compressor.compress_vec(data, out, FlushCompress::Sync)?;
        let taken = usize::try_from(compressor.total_in() - before).unwrap_or(data.len());
        data = data.get(taken..).unwrap_or_default();
        // Room that is left says that all has been flushed (zlib's manual, `deflate`).
        if data.is_empty() && out.len() < out.capacity() {
            return Ok(());
        }
        out.reserve(data.len() + ROOM);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::read::GzDecoder;
    use flate2::write;

    use super::*;

    /// Writes pieces, and looks at each, before there is another, with a decoder that gets no other.
    fn through(pieces: &[(&[u8], bool)]) -> (Vec<u8>, Gzip) {
        let (mut gzip, mut file) = (Gzip::new(), Vec::new());
        let mut reader = write::GzDecoder::new(Vec::new());
        let mut sent = Vec::new();
        for (piece, rests) in pieces {
            let mut out = Vec::new();
            gzip.write(piece, &mut out).expect("it is written");
            if *rests {
                gzip.rest();
            }
            sent.extend_from_slice(piece);
            reader.write_all(&out).expect("it can be read");
            reader.flush().expect("it can be read");
            assert!(*reader.get_ref() == sent, "a piece of {} bytes has to wait", piece.len());
            file.append(&mut out);
        }
        let before = file.len();
        gzip.end(&mut file);
        reader.write_all(&file[before..]).expect("it can be read");
        assert!(reader.finish().expect("a whole file") == sent);
        (file, gzip)
    }

    fn noise(bytes: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(7);
        std::iter::repeat_with(|| random.u8(..)).take(bytes).collect()
    }

    #[test]
    fn every_piece_can_be_read_before_the_next() {
        let noise = noise(40_000);
        let text = "data: again\n".repeat(20_000);
        for length in (0..2100).chain([30_000, 32_768, 40_000]) {
            let (odd, even) = (&noise[..length], &text.as_bytes()[..length * 6]);
            through(&[(odd, false), (even, length % 3 == 0), (b":\n", true), (even, false), (odd, true)]);
        }
        through(&[]);
        through(&[(b"", false), (b"", true), (b"x", false), (b"", false)]);
    }

    #[test]
    fn what_is_as_long_as_the_room_for_it_is_flushed_whole() {
        // Whatever fits exactly, at whatever length, must not be taken for all there is.
        let noise = noise(3000);
        for length in 1025..3000 {
            through(&[(&noise[..length], false), (&noise[..length / 2], false)]);
        }
    }

    #[test]
    fn events_that_resemble_one_another_become_a_third() {
        let events: Vec<String> = (0..1000)
            .map(|n| {
                format!(
                    "id: {n}\ndata: {{\"symbol\":\"ACME\",\"bid\":{}.{:02}}}\n\n",
                    100 + n % 7,
                    n * 37 % 100
                )
            })
            .collect();
        let pieces: Vec<_> = events.iter().map(|event| (event.as_bytes(), false)).collect();
        let (file, _) = through(&pieces);
        let sent: usize = events.iter().map(String::len).sum();
        assert!(file.len() * 5 < sent * 2, "{} of {sent}", file.len());
    }

    #[test]
    fn a_stream_that_says_little_has_no_compressor() {
        let mut gzip = Gzip::new();
        let mut out = Vec::new();
        for _ in 0..100 {
            gzip.write(&[b'x'; WITHOUT], &mut out).expect("it is written");
            assert!(gzip.compressor.is_none());
            gzip.rest();
        }
        gzip.write(&[b'x'; WITHOUT], &mut out).expect("it is written");
        gzip.write(b"x", &mut out).expect("it is written");
        assert!(gzip.compressor.is_some());
        gzip.rest();
        assert!(gzip.compressor.is_none());
        gzip.end(&mut out);
        let mut text = String::new();
        GzDecoder::new(&out[..]).read_to_string(&mut text).expect("a whole file");
        assert_eq!(text, "x".repeat(101 * WITHOUT + 1));
    }
}
