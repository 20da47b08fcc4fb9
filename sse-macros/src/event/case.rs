//! `rename_all`: how serde writes the names of variants. `tests/derive` compares this with serde itself.

/// A rule of `#[serde(rename_all = "..")]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Case {
    /// A rule by its name. One that serde does not know is reported by serde.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => return None,
        })
    }

    /// The name of a variant. Each of its upper-case letters begins a word.
    pub(crate) fn of_variant(self, variant: &str) -> String {
        match self {
            Self::Pascal => variant.to_owned(),
            Self::Lower => variant.to_ascii_lowercase(),
            Self::Upper => variant.to_ascii_uppercase(),
            Self::Camel => {
                let mut letters = variant.chars();
                letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
            }
            Self::Snake => words(variant, '_'),
            Self::ScreamingSnake => words(variant, '_').to_ascii_uppercase(),
            Self::Kebab => words(variant, '_').replace('_', "-"),
            Self::ScreamingKebab => words(variant, '_').to_ascii_uppercase().replace('_', "-"),
        }
    }
}

fn words(variant: &str, between: char) -> String {
    let mut words = String::new();
    for letter in variant.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(between);
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_known_by_its_name() {
        assert_eq!(Case::named("kebab-case"), Some(Case::Kebab));
        assert_eq!(Case::named("Kebab-Case"), None);
    }

    #[test]
    fn every_upper_case_letter_begins_a_word() {
        for (rule, expected) in [
            (Case::Lower, "httpok2_x"),
            (Case::Upper, "HTTPOK2_X"),
            (Case::Pascal, "HttpOK2_x"),
            (Case::Camel, "httpOK2_x"),
            (Case::Snake, "http_o_k2_x"),
            (Case::ScreamingSnake, "HTTP_O_K2_X"),
            (Case::Kebab, "http-o-k2-x"),
            (Case::ScreamingKebab, "HTTP-O-K2-X"),
        ] {
            assert_eq!(rule.of_variant("HttpOK2_x"), expected);
        }
    }
}
