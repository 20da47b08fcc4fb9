//! How text becomes `data:` lines.

use super::{Event, block};

#[test]
fn text_is_the_data_of_an_unnamed_event() {
    assert_eq!(block("hello"), "data: hello\n\n");
}

#[test]
fn crlf_is_one_line_end() {
    assert_eq!(block("a\r\nb"), "data: a\ndata: b\n\n");
}

#[test]
fn a_bare_cr_is_a_line_end() {
    assert_eq!(block("a\rid: 7"), "data: a\ndata: id: 7\n\n");
}

#[test]
fn empty_data_is_a_data_line_of_its_own_so_that_the_event_is_dispatched() {
    assert_eq!(block(""), "data: \n\n");
    assert_eq!(block(Event::new("tick").data("")), "event: tick\ndata: \n\n");
    assert_eq!(block(Event::new("tick")), "event: tick\ndata: \n\n");
    assert_eq!(block(Event::default()), "data: \n\n");
}

#[test]
fn a_trailing_line_end_is_an_empty_line_more() {
    assert_eq!(block("x\n"), "data: x\ndata: \n\n");
    assert_eq!(block("\n"), "data: \ndata: \n\n");
    assert_eq!(block("x\n\n"), "data: x\ndata: \ndata: \n\n");
}

#[test]
fn leading_spaces_are_kept_behind_the_one_that_the_reader_strips() {
    assert_eq!(block(" lead"), "data:  lead\n\n");
    assert_eq!(block("a\n  b"), "data: a\ndata:   b\n\n");
}

#[test]
fn everything_else_goes_out_as_it_is() {
    assert_eq!(block(": x\0\t\u{feff}\u{2028}é✓"), "data: : x\0\t\u{feff}\u{2028}é✓\n\n");
}
