//! Builds the graph of dependencies between siblings, and finds its cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::scan::{Module, ModulePath, Modules};

/// A group of siblings, each of which depends on all others, directly or indirectly.
#[derive(Debug)]
pub(super) struct Cycle {
    parent: ModulePath,
    /// Each dependency between two siblings: its first place in the code, and the number of places.
    edges: BTreeMap<Edge, (String, usize)>,
}

/// The names of a sibling and of the sibling that it depends on.
type Edge = (String, String);

impl Cycle {
    /// Returns the full names of the modules.
    pub(super) fn modules(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.edges.keys().map(|(from, _)| from).collect();
        let parent = std::iter::once("crate").chain(self.parent.iter().map(String::as_str));
        let parent = parent.collect::<Vec<_>>().join("::");
        names.into_iter().map(|name| format!("{parent}::{name}")).collect()
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "import cycle between modules: {}", self.modules().join(" "))?;
        for ((from, to), (first, count)) in &self.edges {
            write!(f, "\n    {from} -> {to}: {first}")?;
            if *count > 1 {
                write!(f, " (and {} more)", count - 1)?;
            }
        }
        Ok(())
    }
}

/// Returns the cycles of a crate, those of outer modules first.
pub(super) fn cycles(modules: &Modules) -> Vec<Cycle> {
    let mut levels: BTreeMap<ModulePath, BTreeMap<Edge, (String, usize)>> = BTreeMap::new();
    for (path, module) in modules {
        for reference in &module.references {
            for target in reached(modules, path, &reference.path) {
                let Some((parent, edge)) = between_siblings(path, &target) else { continue };
                let place = || {
                    let file = module.file.display();
                    format!("{file}:{} {}", reference.line, reference.path.join("::"))
                };
                let seen = levels.entry(parent).or_default().entry(edge);
                seen.or_insert_with(|| (place(), 0)).1 += 1;
            }
        }
    }
    levels.into_iter().flat_map(|(parent, edges)| cycles_of_level(&parent, &edges)).collect()
}

/// Returns the outermost ancestors in which two modules differ, or `None` if one is an ancestor of the other.
fn between_siblings(from: &ModulePath, to: &ModulePath) -> Option<(ModulePath, Edge)> {
    let common = from.iter().zip(to).take_while(|(one, other)| one == other).count();
    let edge = (from.get(common)?.clone(), to.get(common)?.clone());
    Some((from.get(..common)?.to_vec(), edge))
}

/// Returns the modules that a path in `from` leads to or through.
fn reached(modules: &Modules, from: &ModulePath, path: &[String]) -> BTreeSet<ModulePath> {
    let mut walk = Walk { modules, reached: BTreeSet::new(), followed: BTreeSet::new() };
    walk.from(from, path);
    walk.reached
}

struct Walk<'m> {
    modules: &'m Modules,
    reached: BTreeSet<ModulePath>,
    /// The module and the path of each resolved import.
    followed: BTreeSet<(ModulePath, &'m [String])>,
}

impl Walk<'_> {
    /// Resolves a path in the module `from`.
    fn from(&mut self, from: &ModulePath, path: &[String]) {
        let Some(module) = self.modules.get(from) else { return };
        match path.split_first() {
            Some((first, rest)) if first == "crate" => self.below(Vec::new(), rest),
            Some((first, rest)) if first == "self" => self.below(from.clone(), rest),
            Some((first, _)) if first == "super" || module.has(first) => {
                self.below(from.clone(), path);
            }
            // A name that is neither declared nor imported here belongs to another crate.
            _ => {}
        }
    }

    /// Resolves the rest of a path from the module `here`.
    fn below(&mut self, mut here: ModulePath, path: &[String]) {
        let mut rest = path;
        while let Some((name, after)) = rest.split_first() {
            rest = after;
            if name == "super" {
                here.pop();
                continue;
            }
            let Some(module) = self.modules.get(&here) else { break };
            for import in module.imports_as(name) {
                if self.followed.insert((here.clone(), import)) {
                    self.reached.insert(here.clone());
                    self.from(&here, &[import, after].concat());
                }
            }
            if !module.children.contains(name) {
                break;
            }
            here.push(name.clone());
        }
        self.reached.insert(here);
    }
}

impl Module {
    fn has(&self, name: &str) -> bool {
        self.children.contains(name) || self.imports_as(name).next().is_some()
    }

    fn imports_as<'m>(&'m self, name: &str) -> impl Iterator<Item = &'m [String]> {
        self.imports.iter().filter(move |(alias, _)| alias == name).map(|(_, path)| &path[..])
    }
}

/// Returns the strongly connected groups of siblings.
fn cycles_of_level(parent: &ModulePath, edges: &BTreeMap<Edge, (String, usize)>) -> Vec<Cycle> {
    let names: BTreeSet<&String> = edges.keys().flat_map(|(from, to)| [from, to]).collect();
    let reach = |start| {
        let mut reached = BTreeSet::new();
        let mut next = vec![start];
        while let Some(name) = next.pop() {
            for (_, to) in edges.keys().filter(|(from, _)| from == name) {
                if reached.insert(to) {
                    next.push(to);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        names.iter().map(|name| (*name, reach(*name))).collect();
    let leads = |from, to| reached.get(from).is_some_and(|all| all.contains(to));
    let mut cycles = Vec::new();
    let mut done = BTreeSet::new();
    for name in names {
        if !leads(name, name) || !done.insert(name) {
            continue;
        }
        let group: BTreeSet<&String> = reached
            .keys()
            .copied()
            .filter(|other| leads(name, other) && leads(*other, name))
            .collect();
        done.extend(&group);
        let edges = edges
            .iter()
            .filter(|((from, to), _)| group.contains(from) && group.contains(to))
            .map(|(edge, place)| (edge.clone(), place.clone()))
            .collect();
        cycles.push(Cycle { parent: parent.clone(), edges });
    }
    cycles
}
