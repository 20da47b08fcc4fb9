//! What is stored of a record: the payload of one message.
//!
//! One byte for the format, three lengths of 4 bytes: topic, key, trace; then these, and the block to the end. All
//! numbers are little-endian. The whole topic is there although the subject has it too: there it may be a hash.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::engine::{Record, Stored, TraceParent};

/// What a payload begins with. Whatever else is in the stream's subjects is somebody else's, and no record.
const FORMAT: u8 = 1;
const HEAD: usize = 13;

/// None if a text is longer than 4 GiB.
pub(super) fn encode(topic: &str, record: Record<'_>) -> Option<Bytes> {
    let trace = record.trace.map(TraceParent::as_str).unwrap_or_default();
    let texts = [topic, record.key, trace];
    let size = HEAD + texts.iter().map(|text| text.len()).sum::<usize>() + record.block.len();
    let mut payload = BytesMut::with_capacity(size);
    payload.put_u8(FORMAT);
    for text in texts {
        payload.put_u32_le(u32::try_from(text.len()).ok()?);
    }
    for text in texts {
        payload.put_slice(text.as_bytes());
    }
    payload.put_slice(record.block);
    Some(payload.freeze())
}

/// A record, as a payload says it.
pub(super) struct Parts<'a> {
    pub(super) topic: &'a str,
    pub(super) key: &'a str,
    pub(super) trace: Option<TraceParent>,
    pub(super) block: &'a [u8],
}

impl Parts<'_> {
    pub(super) fn record(&self) -> Record<'_> {
        Record::new(self.block, self.key).traced(self.trace.as_ref())
    }

    /// The same on its own: the block is shared with the payload.
    pub(super) fn stored(&self, seq: u64, payload: &Bytes) -> Stored {
        Stored { seq, block: payload.slice_ref(self.block), key: self.key.to_owned(), trace: self.trace }
    }
}

/// None if it is no record.
pub(super) fn decode(payload: &[u8]) -> Option<Parts<'_>> {
    let (head, mut rest) = payload.split_at_checked(HEAD)?;
    let (&format, lengths) = head.split_first()?;
    if format != FORMAT {
        return None;
    }
    let mut texts = [""; 3];
    for (text, length) in texts.iter_mut().zip(lengths.chunks_exact(4)) {
        let length = u32::from_le_bytes(length.try_into().ok()?);
        let (bytes, others) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        *text = std::str::from_utf8(bytes).ok()?;
        rest = others;
    }
    let [topic, key, trace] = texts;
    let trace = if trace.is_empty() { None } else { Some(trace.parse().ok()?) };
    Some(Parts { topic, key, trace, block: rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_comes_back() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().expect("valid");
        let record = Record::new(b"data: 1\n\n", "k").traced(Some(&trace));
        let payload = encode("a.b", record).expect("short");
        let parts = decode(&payload).expect("a record");
        assert_eq!((parts.topic, parts.record()), ("a.b", record));
        assert_eq!(parts.stored(7, &payload).block.as_ptr(), payload[payload.len() - 9..].as_ptr());
        assert!(decode(&encode("", Record::new(b"", "")).expect("short")).is_some());
    }

    #[test]
    fn what_is_no_record_is_none() {
        let payload = encode("topic", Record::new(b"", "key")).expect("short");
        for end in 0..payload.len() {
            assert!(decode(&payload[..end]).is_none(), "{end}");
        }
        let mut other = payload.to_vec();
        other[0] = 2;
        assert!(decode(&other).is_none());
        let mut other = payload.to_vec();
        other[HEAD] = 0xff;
        assert!(decode(&other).is_none());
        assert!(decode(br#"{"order":7, "state":"shipped"}"#).is_none());
    }
}
