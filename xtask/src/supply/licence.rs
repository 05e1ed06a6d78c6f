//! Licence expressions (SPDX 2.3, annex D), as far as crates use them: `OR`, `AND`, `WITH`, parentheses, and the slash of
//! old manifests, which means `OR`.

/// Returns `true` if a licence expression can be met with allowed licences; `None` if it cannot be read.
pub fn allows(expression: &str, allowed: &impl Fn(&str) -> bool) -> Option<bool> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words = Words {
        words: spaced.split_whitespace().collect(),
        at: 0,
    };
    let met = words.either(allowed)?;
    (words.at == words.words.len()).then_some(met)
}

struct Words<'e> {
    words: Vec<&'e str>,
    at: usize,
}

impl<'e> Words<'e> {
    fn next(&mut self) -> Option<&'e str> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word
    }

    fn is_next(&mut self, wanted: &str) -> bool {
        let is = self.words.get(self.at) == Some(&wanted);
        self.at += usize::from(is);
        is
    }

    fn either(&mut self, allowed: &impl Fn(&str) -> bool) -> Option<bool> {
        let mut met = self.both(allowed)?;
        while self.is_next("OR") {
            met |= self.both(allowed)?;
        }
        Some(met)
    }

    fn both(&mut self, allowed: &impl Fn(&str) -> bool) -> Option<bool> {
        let mut met = self.one(allowed)?;
        while self.is_next("AND") {
            met &= self.one(allowed)?;
        }
        Some(met)
    }

    fn one(&mut self, allowed: &impl Fn(&str) -> bool) -> Option<bool> {
        match self.next()? {
            "(" => {
                let met = self.either(allowed)?;
                self.is_next(")").then_some(met)
            }
            ")" | "OR" | "AND" | "WITH" => None,
            name if self.is_next("WITH") => {
                let exception = self.next()?;
                Some(allowed(&format!("{name} WITH {exception}")))
            }
            name => Some(allowed(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_as_they_are_meant() {
        let allowed = |name: &str| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&name);
        for (text, met) in [
            ("MIT", Some(true)),
            ("GPL-3.0", Some(false)),
            ("MIT OR GPL-3.0", Some(true)),
            ("GPL-3.0/MIT", Some(true)),
            ("MIT AND GPL-3.0", Some(false)),
            ("ISC AND (GPL-3.0 OR MIT)", Some(true)),
            ("MIT AND ISC OR GPL-3.0", Some(true)),
            ("GPL-3.0 OR MIT AND GPL-2.0", Some(false)),
            ("Apache-2.0 WITH LLVM-exception", Some(true)),
            ("Apache-2.0 WITH other-exception", Some(false)),
            ("", None),
            ("MIT OR", None),
            ("(MIT", None),
            ("MIT)", None),
            ("MIT ISC", None),
        ] {
            assert_eq!(allows(text, &allowed), met, "{text}");
        }
    }
}
