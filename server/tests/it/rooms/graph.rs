//! The graph of a crate's source files: which file names which, in its `use` lines and in paths. Tests and their helpers
//! are left out, they may reach everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::paths::{Module, test_modules, tokens, uses, without_tests};

/// For each node the nodes that it names.
pub type Arrows<N> = BTreeMap<N, BTreeSet<N>>;

/// The files of a crate.
pub struct Sources {
    /// Code of each module that has a file, without comments and tests.
    code: BTreeMap<Module, String>,
}

impl Sources {
    /// Reads the files of a crate from its `src`.
    pub fn read(src: &Path) -> Self {
        let mut texts = BTreeMap::new();
        collect(src, &mut Vec::new(), &mut texts);
        let mut left_out = BTreeSet::new();
        for (module, text) in &texts {
            for child in test_modules(text) {
                left_out.insert([module.as_slice(), &[child]].concat());
            }
        }
        let is_test = |module: &Module| (0..=module.len()).any(|n| left_out.contains(&module[..n]));
        let code = texts
            .into_iter()
            .filter(|(module, _)| !is_test(module))
            .map(|(module, text)| (module, without_tests(&text)))
            .collect();
        Self { code }
    }

    /// A crate of made-up files.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let module = |name: &str| name.split("::").map(str::to_owned).collect();
        let files = files.iter();
        let code = files.map(|(name, text)| (module(name), without_tests(text)));
        Self {
            code: code.collect(),
        }
    }

    /// The code of each module.
    pub fn code(&self) -> impl Iterator<Item = (&Module, &str)> {
        self.code.iter().map(|(module, code)| (module, &**code))
    }

    /// Which parts of another crate each module names: the first words of the paths behind its name.
    pub fn parts_named(&self, krate: &str) -> Arrows<Module> {
        let part = |path: Module| match path.as_slice() {
            [first, part, ..] if first == krate => Some(vec![first.clone(), part.clone()]),
            _ => None,
        };
        let named = |code: &str| {
            let (uses, rest) = uses(&tokens(code));
            uses.into_iter().chain(rest).filter_map(part).collect()
        };
        let modules = self.code.iter();
        modules
            .map(|(module, code)| (module.clone(), named(code)))
            .collect()
    }

    /// Which module names which. What a module names of itself is no arrow, nor is the root of the crate.
    pub fn arrows(&self) -> Arrows<Module> {
        let mut arrows = Arrows::new();
        for (module, code) in &self.code {
            let named = self.named(module, code);
            arrows.insert(module.clone(), named);
        }
        arrows
    }

    fn named(&self, module: &[String], code: &str) -> BTreeSet<Module> {
        let tokens = tokens(code);
        let (uses, rest) = uses(&tokens);
        let mut imports = BTreeMap::new();
        let mut named = BTreeSet::new();
        for path in &uses {
            if let Some(full) = self.full(module, path, &BTreeMap::new()) {
                if let Some(last) = full.last() {
                    imports.insert(last.clone(), full.clone());
                }
                named.extend(self.file_of(&full));
            }
        }
        for path in &rest {
            let full = self.full(module, path, &imports);
            named.extend(full.and_then(|full| self.file_of(&full)));
        }
        named.remove(module);
        named.remove(&Vec::new());
        named
    }

    /// A path from the root of the crate; `None` if it leads out of the crate or into the file itself.
    fn full(
        &self,
        module: &[String],
        path: &[String],
        imports: &BTreeMap<String, Module>,
    ) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let mut rest = rest;
        let mut from = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            name => {
                let child = [module, &[name.to_owned()]].concat();
                match imports.get(name) {
                    Some(full) => full.clone(),
                    None if self.code.contains_key(&child) => child,
                    None => return None,
                }
            }
        };
        while let Some((next, after)) = rest.split_first()
            && next == "super"
        {
            from.pop()?;
            rest = after;
        }
        let rest = rest.iter().filter(|word| *word != "self");
        from.extend(rest.cloned());
        Some(from)
    }

    /// The module with a file that a path leads into.
    fn file_of(&self, path: &[String]) -> Option<Module> {
        let prefixes = (1..=path.len()).rev().map(|n| path[..n].to_vec());
        prefixes.into_iter().find(|it| self.code.contains_key(it))
    }
}

/// Leaves out the arrows between a parent and what lies in it.
pub fn without_parents(arrows: &Arrows<Module>) -> Arrows<Module> {
    let related = |one: &Module, other: &Module| one.starts_with(other) || other.starts_with(one);
    let others = |from: &Module, to: &BTreeSet<Module>| {
        let to = to.iter().filter(|to| !related(from, to));
        (from.clone(), to.cloned().collect())
    };
    arrows.iter().map(|(from, to)| others(from, to)).collect()
}

/// Joins nodes: arrows inside one are none.
pub fn joined<N: Ord, R: Ord + Clone>(arrows: &Arrows<N>, to: impl Fn(&N) -> R) -> Arrows<R> {
    let mut joined = Arrows::<R>::new();
    for (from, named) in arrows {
        let from = to(from);
        let named = named.iter().map(&to).filter(|named| *named != from);
        joined.entry(from.clone()).or_default().extend(named);
    }
    joined
}

/// Returns the nodes of a circle in their order; `None` if there is none.
pub fn circle<N: Ord + Clone>(arrows: &Arrows<N>) -> Option<Vec<N>> {
    let mut left = arrows.clone();
    loop {
        let ends: Vec<N> = left
            .iter()
            .filter(|(_, named)| !named.iter().any(|to| left.contains_key(to)))
            .map(|(node, _)| node.clone())
            .collect();
        if ends.is_empty() {
            break;
        }
        for node in ends {
            left.remove(&node);
        }
    }
    // Every node that is left names another one of them: whoever follows the arrows comes back.
    let mut way = vec![left.keys().next()?.clone()];
    loop {
        let next = left[way.last()?].iter().find(|to| left.contains_key(to))?;
        if let Some(at) = way.iter().position(|node| node == next) {
            return Some(way.split_off(at));
        }
        way.push(next.clone());
    }
}

fn collect(folder: &Path, module: &mut Module, texts: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            module.push(name);
            collect(&path, module, texts);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut module = module.clone();
            if !["mod", "lib", "main"].contains(&name.as_str()) {
                module.push(name);
            }
            let text = fs::read_to_string(&path).unwrap();
            let text: Vec<&str> = text
                .lines()
                .map(|line| line.split("//").next().unwrap_or_default())
                .collect();
            // `lib.rs` and `main.rs` are one root.
            *texts.entry(module).or_default() += &(text.join("\n") + "\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[(&str, &str)]) -> Option<Vec<String>> {
        let arrows = without_parents(&Sources::of(files).arrows());
        circle(&arrows).map(|nodes| nodes.iter().map(|node| node.join("::")).collect())
    }

    #[test]
    fn a_circle_of_files_is_found_however_it_is_written() {
        let with = |text| names(&[("a::one", text), ("a::two", "use super::one::{self, x};")]);
        let circle = Some(vec!["a::one".to_owned(), "a::two".to_owned()]);
        assert_eq!(with("fn f() { g() }"), None);
        assert_eq!(with("use super::two;"), circle);
        assert_eq!(with("use crate::{b, a::{two::g as h, three}};"), circle);
        assert_eq!(with("fn f() { crate::a::two::g() }"), circle);
        assert_eq!(
            with("macro_rules! m { () => { $crate::a::two::g() } }"),
            circle
        );
        assert_eq!(
            with("#[cfg(test)]\nmod tests {\n    use crate::a::two;\n}\n"),
            None
        );
        assert_eq!(with("#[cfg(test)]\nuse super::two;\nfn f() {}\n"), None);
    }

    #[test]
    fn the_parts_of_another_crate_are_found_however_they_are_named() {
        let parts = |text| {
            let named = Sources::of(&[("a", text)]).parts_named("kernel");
            named[&vec!["a".to_owned()]]
                .iter()
                .map(|part| part.join("/"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            parts("use kernel::{clock::Clock, gate};"),
            ["kernel/clock", "kernel/gate"]
        );
        assert_eq!(
            parts("fn f() { kernel::crypto::sha256(b) }"),
            ["kernel/crypto"]
        );
        assert!(parts("use crate::kernel::clock; fn f(kernel: u8) {}").is_empty());
    }

    #[test]
    fn a_parent_and_its_child_are_no_circle_and_two_children_are() {
        let parent = ("a", "use one::x; fn f() { two::g() }");
        let one = ("a::one", "use super::f;");
        assert_eq!(names(&[parent, one, ("a::two", "use super::one;")]), None);
        let one = ("a::one", "use super::two;");
        assert!(names(&[parent, one, ("a::two", "use super::one;")]).is_some());
    }
}
