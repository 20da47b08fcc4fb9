//! What the compiler says about mistakes with `#[sse_route]` and `#[derive(SseEvent)]`, kept word for word. See `README.md`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const TOPICS: [&str; 7] = ["attribute", "path", "signature", "arguments", "types", "usage", "events"];

/// These alone, so that trybuild need only check them, all at once: with one case that must compile, it would build
/// each by itself.
#[test]
fn mistakes_are_explained() {
    let cases = trybuild::TestCases::new();
    for topic in TOPICS {
        cases.compile_fail(format!("{topic}/*.rs"));
    }
}

/// That they compile without a warning, each demands of itself; cargo has built them before this runs.
#[test]
fn correct_programs_run() {
    let test = env::current_exe().expect("the path of this test");
    let built = test.ancestors().nth(2).expect("the folder above that of the tests");
    let sources = files("pass", "rs");
    assert!(!sources.is_empty());
    for source in sources {
        let name = source.file_stem().expect("a file has a name");
        let run = Command::new(built.join(name)).output();
        let output = run.unwrap_or_else(|error| panic!("{name:?}, which Cargo.toml has to list: {error}"));
        assert!(output.status.success(), "{name:?}: {output:?}");
    }
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// The messages of all cases that must not compile.
fn messages() -> Vec<(PathBuf, String)> {
    let paths = TOPICS.iter().flat_map(|topic| files(topic, "stderr"));
    paths.map(|path| (path.clone(), fs::read_to_string(&path).expect("a message is a text file"))).collect()
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
