//! Scans the source text of a crate for its modules, and for the paths in each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

use super::Sources;

/// The names from the crate's root down. The root's path is empty.
pub(crate) type ModulePath = Vec<String>;

pub(crate) type Modules = BTreeMap<ModulePath, Module>;

#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) children: BTreeSet<String>,
    /// The local name of each import, and its path as written.
    pub(crate) imports: Vec<(String, Vec<String>)>,
    /// Every path of two or more names, including imports.
    pub(crate) references: Vec<Reference>,
}

#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// Scans a crate from its root file.
pub(crate) fn modules(sources: &Sources, crate_root: &Path) -> Result<Modules, String> {
    let mut modules = Modules::new();
    let directory = crate_root.parent().unwrap_or(Path::new("")).to_owned();
    read_file(sources, &mut modules, Vec::new(), crate_root, directory)?;
    Ok(modules)
}

/// Scans a file, whose children's files are in `directory`.
fn read_file(
    sources: &Sources,
    modules: &mut Modules,
    path: ModulePath,
    file: &Path,
    directory: PathBuf,
) -> Result<(), String> {
    let text = sources.get(file).map(String::as_str).unwrap_or_default();
    let tokens =
        text.parse().map_err(|error| format!("cannot parse {}: {error}", file.display()))?;
    let mut scanner = Scanner { sources, modules, path, file, directory };
    scanner.modules.entry(scanner.path.clone()).or_default().file = file.to_owned();
    scanner.read(tokens)
}

/// Scans the text of one module.
struct Scanner<'a> {
    sources: &'a Sources,
    modules: &'a mut Modules,
    path: ModulePath,
    file: &'a Path,
    directory: PathBuf,
}

impl Scanner<'_> {
    fn read(&mut self, tokens: TokenStream) -> Result<(), String> {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at = match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => self.attribute(&tokens, at)?,
                TokenTree::Ident(word) if word == "mod" => self.module(&tokens, at)?,
                TokenTree::Ident(word) if word == "use" => self.import(&tokens, at)?,
                TokenTree::Ident(word) => self.path(&tokens, at, word),
                TokenTree::Group(group) => {
                    self.read(group.stream())?;
                    at + 1
                }
                _ => at + 1,
            };
        }
        Ok(())
    }

    /// Skips an attribute, and its item if that is for tests only.
    fn attribute(&self, tokens: &[TokenTree], at: usize) -> Result<usize, String> {
        let inner = usize::from(is_punct(tokens.get(at + 1), '!'));
        let Some(TokenTree::Group(group)) = tokens.get(at + 1 + inner) else { return Ok(at + 1) };
        let mut content = group.stream().into_iter();
        let name = content.next().map(|name| name.to_string());
        let after = at + 2 + inner;
        match (name.as_deref(), content.next()) {
            (Some("cfg"), Some(TokenTree::Group(condition))) if is_test(&condition) => {
                Ok(after_item(tokens, after))
            }
            (Some("path"), _) => {
                let line = tokens.get(after).map_or(0, |next| next.span().start().line);
                let why = "`#[path]` is not supported; name the file after its module";
                Err(format!("{}:{line}: {why}", self.file.display()))
            }
            _ => Ok(after),
        }
    }

    /// Scans `mod name;` or `mod name { … }`.
    fn module(&mut self, tokens: &[TokenTree], at: usize) -> Result<usize, String> {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else { return Ok(at + 1) };
        let name = name.to_string();
        let mut path = self.path.clone();
        path.push(name.clone());
        let directory = self.directory.join(&name);
        match tokens.get(at + 2) {
            Some(TokenTree::Group(body)) => {
                let mut scanner = Scanner {
                    sources: self.sources,
                    modules: &mut *self.modules,
                    path: path.clone(),
                    file: self.file,
                    directory,
                };
                scanner.modules.entry(path).or_default().file = self.file.to_owned();
                scanner.read(body.stream())?;
            }
            next if is_punct(next, ';') => {
                let files = [directory.with_extension("rs"), directory.join("mod.rs")];
                let file = files.iter().find(|file| self.sources.contains_key(*file));
                let line = tokens.get(at).map_or(0, |token| token.span().start().line);
                let file = file.ok_or_else(|| {
                    format!("{}:{line}: there is no file for `mod {name}`", self.file.display())
                })?;
                read_file(self.sources, self.modules, path, file, directory)?;
            }
            _ => return Ok(at + 1),
        }
        self.here().children.insert(name);
        Ok(at + 3)
    }

    /// Scans `use tree;`.
    fn import(&mut self, tokens: &[TokenTree], at: usize) -> Result<usize, String> {
        let end = tokens.iter().skip(at).position(|token| is_punct(Some(token), ';'));
        // `use<…>` in a type is not an import.
        let Some(end) = end.filter(|_| !is_punct(tokens.get(at + 1), '<')) else {
            return Ok(at + 1);
        };
        let tree = tokens.get(at + 1..at + end).unwrap_or_default();
        self.tree(tree, &[])?;
        Ok(at + end + 1)
    }

    /// Adds a tree of imports below a prefix.
    fn tree(&mut self, tree: &[TokenTree], prefix: &[String]) -> Result<(), String> {
        let mut path = prefix.to_vec();
        let mut line = 0;
        let mut words = tree.iter();
        while let Some(token) = words.next() {
            line = token.span().start().line;
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    let alias = words.next().map(ToString::to_string).unwrap_or_default();
                    self.imported(alias, path, line);
                    return Ok(());
                }
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) => return self.branches(group, &path),
                token if is_punct(Some(token), '*') => {
                    let ours = ["crate", "self", "super"];
                    if path.first().is_some_and(|first| ours.contains(&first.as_str())) {
                        let why = "a glob import hides its names; import them by name";
                        return Err(format!("{}:{line}: {why}", self.file.display()));
                    }
                    return Ok(());
                }
                _ => {}
            }
        }
        // `{self}` is the path in front of the braces.
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let alias = path.last().cloned().unwrap_or_default();
        self.imported(alias, path, line);
        Ok(())
    }

    fn branches(&mut self, group: &Group, prefix: &[String]) -> Result<(), String> {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        for branch in tokens.split(|token| is_punct(Some(token), ',')) {
            if !branch.is_empty() {
                self.tree(branch, prefix)?;
            }
        }
        Ok(())
    }

    fn imported(&mut self, alias: String, path: Vec<String>, line: usize) {
        self.here().references.push(Reference { path: path.clone(), line });
        self.here().imports.push((alias, path));
    }

    /// Adds a path in code: words joined by `::`.
    fn path(&mut self, tokens: &[TokenTree], at: usize, first: &Ident) -> usize {
        let mut path = vec![first.to_string()];
        let mut end = at + 1;
        while is_punct(tokens.get(end), ':')
            && is_punct(tokens.get(end + 1), ':')
            && let Some(TokenTree::Ident(word)) = tokens.get(end + 2)
        {
            path.push(word.to_string());
            end += 3;
        }
        if path.len() > 1 {
            let line = first.span().start().line;
            self.here().references.push(Reference { path, line });
        }
        end
    }

    fn here(&mut self) -> &mut Module {
        self.modules.entry(self.path.clone()).or_default()
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// Returns whether the condition requires `test`, alone or in `all(…)`.
fn is_test(condition: &Group) -> bool {
    let tokens: Vec<TokenTree> = condition.stream().into_iter().collect();
    tokens.split(|token| is_punct(Some(token), ',')).any(|part| match part {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(group)] => word == "all" && is_test(group),
        _ => false,
    })
}

/// Returns the index after the item, field or statement that begins here.
fn after_item(tokens: &[TokenTree], start: usize) -> usize {
    // Items that end with a semicolon even if they contain braces.
    const TO_SEMICOLON: [&str; 5] = ["use", "const", "static", "type", "let"];
    const TO_BRACES: [&str; 6] = ["fn", "impl", "mod", "struct", "enum", "trait"];
    let mut first = None;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token {
            TokenTree::Ident(word) if first.is_none() => {
                let word = word.to_string();
                first = TO_SEMICOLON.iter().chain(&TO_BRACES).find(|known| **known == word);
            }
            TokenTree::Group(group)
                if group.delimiter() == Delimiter::Brace
                    && first.is_none_or(|first| TO_BRACES.contains(first)) =>
            {
                return at + 1;
            }
            token if is_punct(Some(token), ';') => return at + 1,
            token if is_punct(Some(token), ',') && first.is_none() => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}
