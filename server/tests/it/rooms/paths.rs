//! Reads the paths that a source file names.

/// A module by its path from the root of the crate; the root itself is empty.
pub type Module = Vec<String>;

/// The modules in files of their own that are built for tests alone.
pub fn test_modules(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            continue;
        }
        let declared = lines.clone().find(|line| !line.trim().starts_with("#["));
        let declared = declared.unwrap_or_default().trim();
        let name = declared
            .strip_suffix(';')
            .and_then(|line| line.rsplit_once("mod "));
        found.extend(name.map(|(_, name)| name.to_owned()));
    }
    found
}

/// The code without the items that are built for tests alone.
pub fn without_tests(code: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut kept = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        let at = indent(line);
        // An item ends on its own indentation: with a semicolon, a comma or its last brace.
        for line in lines.by_ref() {
            let ends = line.ends_with([';', ',']) || line.trim_start().starts_with('}');
            if indent(line) == at && ends {
                break;
            }
        }
    }
    kept
}

/// Words, `::` and single signs.
pub fn tokens(code: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// The paths of `use` lines, and all others.
pub fn uses(tokens: &[&str]) -> (Vec<Module>, Vec<Module>) {
    let (mut uses, mut rest) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if *token == "use" && tokens.get(at + 1).is_some_and(|next| *next != "<") {
            at += 1;
            tree(tokens, &mut at, &[], &mut uses);
        } else if is_name(token) && (at == 0 || tokens[at - 1] != "::") {
            let mut path = vec![(*token).to_owned()];
            while tokens.get(at + 1) == Some(&"::") && tokens.get(at + 2).is_some_and(is_name) {
                path.push(tokens[at + 2].to_owned());
                at += 2;
            }
            if path.len() > 1 {
                rest.push(path);
            }
            at += 1;
        } else {
            at += 1;
        }
    }
    (uses, rest)
}

/// One branch of a `use`: a path, at whose end there may be branches.
fn tree(tokens: &[&str], at: &mut usize, prefix: &[String], found: &mut Vec<Module>) {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(*at) {
        match *token {
            "{" => {
                *at += 1;
                while tokens.get(*at).is_some_and(|token| *token != "}") {
                    tree(tokens, at, &path, found);
                    if tokens.get(*at) == Some(&",") {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            "," | ";" | "}" => break,
            // The name it is given here.
            "as" => *at += 1,
            "::" | "*" => {}
            word => path.push(word.to_owned()),
        }
        *at += 1;
    }
    found.push(path);
}

fn is_name(token: &&str) -> bool {
    let first = token.chars().next();
    first.is_some_and(|c| c.is_alphabetic() || c == '_')
}
