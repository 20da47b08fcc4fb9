//! An event is written whole or not at all.

use bytes::BytesMut;
use proptest::prelude::*;
use sse_runtime::{EventError, EventWriter, SseEvent};

use crate::events::{given, text, write};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_event_fits_the_limit_or_leaves_no_trace(given in given(), max in 0..400_usize, earlier in text()) {
        let event = given.event();
        let mut whole = BytesMut::new();
        let unlimited = write(&event, &mut whole);

        let mut out = BytesMut::from(earlier.as_bytes());
        match EventWriter::block(&mut out, max, |writer| event.write(writer)) {
            Ok(()) => {
                prop_assert!(whole.len() <= max && unlimited.is_ok());
                prop_assert_eq!(&out[earlier.len()..], &whole[..]);
            }
            Err(error) => {
                prop_assert_eq!(&out[..], earlier.as_bytes());
                match error {
                    EventError::TooLarge { size, max: named } if unlimited.is_ok() => {
                        prop_assert!(named == max && max < size && size <= whole.len());
                    }
                    // Whether a name or an id is refused for its size or its content first is all the same.
                    _ => prop_assert!(unlimited.is_err(), "{error}"),
                }
            }
        }
    }
}
