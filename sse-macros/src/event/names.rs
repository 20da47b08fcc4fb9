//! What an event may be called.

/// Why clients cannot work with an event of this name.
pub(crate) fn refuse(name: &str) -> Option<String> {
    let instead = "give it another name: `#[sse(name = \"..\")]`";
    if name.is_empty() {
        return Some(format!("an event without a name is not told from others; {instead}"));
    }
    if matches!(name, "open" | "error") {
        return Some(format!(
            "`{name}` is what a browser's EventSource calls an event of its own, so a page could not tell them apart; \
             {instead}"
        ));
    }
    if name.starts_with("sse-") {
        return Some(format!(
            "names that begin with `sse-` are the runtime's own, and `{name}` does; {instead}"
        ));
    }
    name.chars().find(|character| character.is_control()).map(|character| {
        format!(
            "the name of this event, \"{}\", holds {}, which cannot be printed; {instead}",
            name.escape_debug(),
            character.escape_unicode()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::refuse;

    #[test]
    fn names_that_no_client_can_work_with_are_refused() {
        for (name, why) in [
            ("", "without a name"),
            ("open", "EventSource"),
            ("error", "EventSource"),
            ("sse-gap", "the runtime's own"),
            ("a\nb", "holds \\u{a}"),
            ("a\u{7f}", "cannot be printed"),
        ] {
            assert!(
                refuse(name).is_some_and(|message| message.contains(why)),
                "{name:?}: {:?}",
                refuse(name)
            );
        }
        for name in ["progress", "Open", "errors", "job.done", "größe", "two words", "message"] {
            assert_eq!(refuse(name), None, "{name}");
        }
    }
}
