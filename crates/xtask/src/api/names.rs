//! Resolves the names of a crate: the declarations of each module, and the crate that a path leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::{Attribute, Item, Meta, Token, Visibility};

use super::surface::{Signature, paths_of_type, signatures};
use crate::cycles::Sources;
use crate::cycles::scan::{self, ModulePath, Modules};

/// Names in scope in every module without an import.
const PRELUDE: &str = "AsMut AsRef AsyncFn AsyncFnMut AsyncFnOnce Box Clone Copy Default \
    DoubleEndedIterator Drop Eq ExactSizeIterator Extend Fn FnMut FnOnce From FromIterator \
    Future Into IntoFuture IntoIterator Iterator Option Ord PartialEq PartialOrd Result Send \
    Sized String Sync ToOwned ToString TryFrom TryInto Unpin Vec bool char f32 f64 i128 i16 \
    i32 i64 i8 isize str u128 u16 u32 u64 u8 usize";

pub(super) struct Names {
    modules: Modules,
    items: BTreeMap<ModulePath, Vec<Item>>,
}

impl Names {
    pub(super) fn read(sources: &Sources) -> Result<Self, String> {
        let modules = scan::modules(sources, Path::new("lib.rs"))?;
        let mut names = Self { modules, items: BTreeMap::new() };
        names.read_file(sources, Vec::new())?;
        Ok(names)
    }

    pub(super) fn file(&self, module: &ModulePath) -> &Path {
        self.modules.get(module).map_or(Path::new("?"), |module| &module.file)
    }

    pub(super) fn signatures(&self) -> Result<Vec<Signature>, String> {
        let mut found = Vec::new();
        for (module, items) in &self.items {
            for item in items {
                signatures(self, module, item, &mut found);
            }
        }
        Ok(found)
    }

    fn read_file(&mut self, sources: &Sources, module: ModulePath) -> Result<(), String> {
        let file = self.file(&module).to_owned();
        let text = sources.get(&file).map(String::as_str).unwrap_or_default();
        let parsed = syn::parse_file(text)
            .map_err(|error| format!("cannot parse {}: {error}", file.display()))?;
        self.take(sources, &module, parsed.items)
    }

    fn take(
        &mut self,
        sources: &Sources,
        module: &ModulePath,
        items: Vec<Item>,
    ) -> Result<(), String> {
        for item in items {
            match item {
                Item::Mod(item) if is_for_tests(&item.attrs) => drop(item),
                Item::Mod(item) => {
                    let mut inner = module.clone();
                    inner.push(item.ident.to_string());
                    match item.content {
                        Some((_, items)) => self.take(sources, &inner, items)?,
                        None => self.read_file(sources, inner)?,
                    }
                }
                // Macros such as `pin_project!`, which contain items. Macro definitions are skipped.
                Item::Macro(item) if item.ident.is_none() => {
                    let content = syn::parse2::<syn::File>(item.mac.tokens.clone());
                    let is_public = || item.mac.tokens.to_string().contains("pub ");
                    match content {
                        Ok(content) => self.take(sources, module, content.items)?,
                        Err(_) if !is_public() => {}
                        Err(error) => {
                            let file = self.file(module).display();
                            return Err(format!("{file}: cannot parse a macro's items: {error}"));
                        }
                    }
                }
                item => self.items.entry(module.clone()).or_default().push(item),
            }
        }
        Ok(())
    }

    /// Returns whether a path leads to an item of this crate that is not `pub`.
    pub(super) fn is_private(&self, from: &ModulePath, path: &[String]) -> bool {
        let mut ours = Vec::new();
        let outside = self.follow(from, path, &mut ours, &mut BTreeSet::new());
        outside.is_ok_and(|outside| outside.is_empty())
            && !ours.is_empty()
            && ours.iter().all(|(_, item)| !matches!(visibility(item), Some(Visibility::Public(_))))
    }

    /// Returns the other crates that a path leads to, or an unresolved name as the error.
    pub(super) fn origins(
        &self,
        from: &ModulePath,
        path: &[String],
    ) -> Result<BTreeSet<String>, String> {
        if let [name] = path
            && !self.declares(from, name)
            && !is_known(name)
        {
            return Err(name.clone());
        }
        let mut ours = Vec::new();
        let mut origins = self.follow(from, path, &mut ours, &mut BTreeSet::new())?;
        for (module, item) in ours {
            // An alias is replaced with its type.
            if let Item::Type(alias) = item {
                for (path, _) in paths_of_type(&alias.generics, &alias.ty) {
                    origins.extend(self.origins(&module, &path)?);
                }
            }
        }
        Ok(origins)
    }

    /// Resolves a path in the module `from`: returns other crates, and adds this crate's items to `ours`.
    fn follow<'n>(
        &'n self,
        from: &ModulePath,
        path: &[String],
        ours: &mut Vec<(ModulePath, &'n Item)>,
        followed: &mut BTreeSet<(ModulePath, Vec<String>)>,
    ) -> Result<BTreeSet<String>, String> {
        let Some((first, rest)) = path.split_first() else { return Ok(BTreeSet::new()) };
        match first.as_str() {
            "crate" => return self.below(Vec::new(), rest, ours, followed),
            "self" => return self.below(from.clone(), rest, ours, followed),
            "super" => return self.below(from.clone(), path, ours, followed),
            _ => {}
        }
        if self.declares(from, first) {
            self.below(from.clone(), path, ours, followed)
        } else if is_known(first) {
            Ok(BTreeSet::new())
        } else {
            Ok(BTreeSet::from([first.clone()]))
        }
    }

    fn below<'n>(
        &'n self,
        mut here: ModulePath,
        path: &[String],
        ours: &mut Vec<(ModulePath, &'n Item)>,
        followed: &mut BTreeSet<(ModulePath, Vec<String>)>,
    ) -> Result<BTreeSet<String>, String> {
        let mut origins = BTreeSet::new();
        let mut rest = path;
        while let Some((name, after)) = rest.split_first() {
            rest = after;
            if name == "super" {
                here.pop();
                continue;
            }
            let items = self.items.get(&here).into_iter().flatten();
            let items: Vec<&Item> = items.filter(|item| is_called(item, name)).collect();
            let is_item = !items.is_empty();
            ours.extend(items.into_iter().map(|item| (here.clone(), item)));
            let mut is_imported = false;
            for import in self.imports(&here, name) {
                is_imported = true;
                let path = [import, after].concat();
                // `use url;` names the crate itself. `followed` prevents an endless loop between a
                // module and an item of the same name in it.
                if import == [name.clone()] {
                    origins.insert(name.clone());
                } else if followed.insert((here.clone(), import.to_vec())) {
                    origins.extend(self.follow(&here, &path, ours, followed)?);
                }
            }
            let is_child = self.modules.get(&here).is_some_and(|m| m.children.contains(name));
            match (is_child, is_item || is_imported) {
                (true, _) => here.push(name.clone()),
                (false, true) => return Ok(origins),
                (false, false) => return Err(name.clone()),
            }
        }
        Ok(origins)
    }

    /// Returns whether a module has a child, an item or an import of this name.
    pub(super) fn declares(&self, module: &ModulePath, name: &str) -> bool {
        self.modules.get(module).is_some_and(|module| module.children.contains(name))
            || self.imports(module, name).next().is_some()
            || self.items.get(module).into_iter().flatten().any(|item| is_called(item, name))
    }

    fn imports(&self, module: &ModulePath, name: &str) -> impl Iterator<Item = &[String]> {
        let imports = self.modules.get(module).into_iter().flat_map(|module| &module.imports);
        imports.filter(move |(alias, _)| alias == name).map(|(_, path)| path.as_slice())
    }
}

/// Returns whether a name is a keyword or in the prelude.
fn is_known(name: &str) -> bool {
    let keyword = ["crate", "self", "super"].contains(&name);
    keyword || PRELUDE.split_whitespace().any(|known| known == name)
}

/// Returns whether these attributes limit an item to tests.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    fn is_test(meta: &Meta) -> bool {
        match meta {
            Meta::Path(path) => path.is_ident("test"),
            Meta::List(list) if list.path.is_ident("all") => list
                .parse_args_with(syn::punctuated::Punctuated::<Meta, Token![,]>::parse_terminated)
                .is_ok_and(|all| all.iter().any(is_test)),
            _ => false,
        }
    }
    let mut cfgs = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    cfgs.any(|cfg| cfg.parse_args::<Meta>().is_ok_and(|meta| is_test(&meta)))
}

fn is_called(item: &Item, wanted: &str) -> bool {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return false,
    };
    name == wanted
}

fn visibility(item: &Item) -> Option<&Visibility> {
    match item {
        Item::Enum(item) => Some(&item.vis),
        Item::Struct(item) => Some(&item.vis),
        Item::Trait(item) => Some(&item.vis),
        Item::Type(item) => Some(&item.vis),
        _ => None,
    }
}
