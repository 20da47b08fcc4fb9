//! What the compiler says about mistakes with `#[sse_route]` and `#[derive(SseEvent)]`, kept word for word. See `ui/README.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

const TOPICS: [&str; 7] = ["attribute", "path", "signature", "arguments", "types", "usage", "events"];

#[test]
fn mistakes_are_explained_and_correct_code_compiles() {
    let cases = trybuild::TestCases::new();
    for topic in TOPICS {
        cases.compile_fail(format!("ui/{topic}/*.rs"));
    }
    cases.pass("ui/pass/*.rs");
}

/// The messages of all cases that must not compile.
fn messages() -> Vec<(PathBuf, String)> {
    let mut messages = Vec::new();
    for topic in TOPICS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui").join(topic);
        for entry in fs::read_dir(&folder).expect("each topic has a folder") {
            let path = entry.expect("the folder can be read").path();
            if path.extension().is_some_and(|extension| extension == "stderr") {
                let text = fs::read_to_string(&path).expect("a message is a text file");
                messages.push((path, text));
            }
        }
    }
    messages
}

fn errors(message: &str) -> usize {
    message.lines().filter(|line| line.starts_with("error:") || line.starts_with("error[")).count()
}

#[test]
fn there_are_at_least_fifty_five_cases() {
    let count = messages().len();
    assert!(count >= 55, "only {count} cases");
}

#[test]
fn nine_in_ten_mistakes_are_one_error() {
    let messages = messages();
    let several: Vec<_> =
        messages.iter().filter(|(_, text)| errors(text) != 1).map(|(path, _)| path).collect();
    assert!(several.len() * 10 <= messages.len(), "{} of {}: {several:#?}", several.len(), messages.len());
}

#[test]
fn no_message_shows_a_name_that_the_macro_made_up() {
    for (path, text) in messages() {
        for inside in ["__stream", "__params", "__last", "__head", "__S", "__M", "__META"] {
            assert!(!text.contains(inside), "{} mentions {inside}:\n{text}", path.display());
        }
    }
}
