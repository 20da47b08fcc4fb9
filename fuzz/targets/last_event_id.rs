//! Whatever a client sends as `Last-Event-ID`: it is read as it is or not at all, and every id that can be sent
//! comes back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sse_runtime::EventId;
use sse_runtime::wire::last_event_id;

fuzz_target!(|header: &[u8]| {
    let read = last_event_id(header);
    if let Some(id) = &read {
        assert_eq!(id.as_bytes(), header);
        assert!((1..=1024).contains(&id.len()));
        assert!(!id.contains(char::is_control));
    }
    let sent = std::str::from_utf8(header).ok().and_then(|id| EventId::new(id).ok());
    if let Some(sent) = sent {
        assert_eq!(read.as_deref().unwrap_or_default(), sent.as_str());
    }
});
