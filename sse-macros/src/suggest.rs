//! Finds the name that was probably meant.

/// The candidate nearest to `written`, if one is near enough to be worth a "did you mean".
///
/// Near means: at most a third of the longer name has to change (at least one character may), with letter
/// case and underscores ignored, because `keepAlive` and `keepalive` both mean `keep_alive`.
pub(crate) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = plain(written);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let plain = plain(candidate);
            let allowed = (written.len().max(plain.len()) / 3).max(1);
            let steps = distance(&written, &plain);
            // A name that shares nothing with the other is not its misspelling, however short both are.
            (steps <= allowed && steps < plain.len()).then_some((steps, candidate))
        })
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| candidate)
}

fn plain(name: &str) -> Vec<char> {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

/// Edit distance in which two swapped neighbours count as one step (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_in_a = None;
    for (row, &in_a) in a.iter().enumerate() {
        let mut current = Vec::with_capacity(last.len());
        current.push(row + 1);
        let mut left = row + 1;
        let mut previous_in_b = None;
        for (column, &in_b) in b.iter().enumerate() {
            let above = last.get(column + 1).copied().unwrap_or(usize::MAX - 1);
            let diagonal = last.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut best = (left + 1).min(above + 1).min(diagonal + usize::from(in_a != in_b));
            if previous_in_a == Some(in_b) && previous_in_b == Some(in_a) {
                let swapped = column.checked_sub(1).and_then(|at| before_last.get(at));
                best = best.min(swapped.map_or(usize::MAX, |steps| steps + 1));
            }
            current.push(best);
            left = best;
            previous_in_b = Some(in_b);
        }
        before_last = std::mem::replace(&mut last, current);
        previous_in_a = Some(in_a);
    }
    last.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: [&str; 4] = ["methods", "keep_alive", "retry", "max_age"];

    #[test]
    fn a_missing_or_wrong_letter_finds_the_name() {
        assert_eq!(nearest("method", OPTIONS), Some("methods"));
        assert_eq!(nearest("retri", OPTIONS), Some("retry"));
        assert_eq!(nearest("keep_aliv", OPTIONS), Some("keep_alive"));
    }

    #[test]
    fn swapped_letters_count_as_one_step() {
        assert_eq!(distance(&plain("yrter"), &plain("retry")), 3);
        assert_eq!(distance(&plain("rerty"), &plain("retry")), 1);
        assert_eq!(nearest("idd", ["id"]), Some("id"));
        assert_eq!(nearest("di", ["id"]), Some("id"));
    }

    #[test]
    fn case_and_underscores_do_not_count() {
        assert_eq!(nearest("keepAlive", OPTIONS), Some("keep_alive"));
        assert_eq!(nearest("MaxAge", OPTIONS), Some("max_age"));
    }

    #[test]
    fn an_unrelated_name_finds_nothing() {
        assert_eq!(nearest("compression", OPTIONS), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("a", []), None);
    }

    #[test]
    fn the_nearest_of_several_wins() {
        assert_eq!(nearest("user", ["users", "user_i"]), Some("users"));
    }
}
