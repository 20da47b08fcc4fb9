//! An id that is sent comes back in `Last-Event-ID`, and whatever else comes back does no harm.

use proptest::prelude::*;
use sse_runtime::EventId;
use sse_runtime::wire::last_event_id;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_id_that_can_be_sent_is_read_back(id in "[!-~]([ -~]{0,126}[!-~])?") {
        prop_assert!(EventId::new(&id).is_ok());
        prop_assert_eq!(last_event_id(id.as_bytes()), Some(id));
    }

    #[test]
    fn what_is_read_is_what_was_received(header in prop::collection::vec(any::<u8>(), 0..1200)) {
        if let Some(id) = last_event_id(&header) {
            prop_assert_eq!(id.as_bytes(), &header[..]);
            prop_assert!((1..=1024).contains(&id.len()) && !id.contains(char::is_control));
        }
    }

    #[test]
    fn text_without_controls_is_read_up_to_1_kib(id in "\\PC{1,600}") {
        let fits = id.len() <= 1024 && !id.contains(char::is_control);
        prop_assert_eq!(last_event_id(id.as_bytes()), fits.then_some(id));
    }
}
