//! Collects the public signatures of a module, and the paths in each.

use std::collections::BTreeSet;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, ConstParam, Expr, Field, Generics, ImplItem, Item, ItemImpl, Macro, Path,
    Type, TypeParam, UseTree, Visibility,
};

use super::names::{Names, is_for_tests};
use crate::cycles::scan::ModulePath;

/// The public signature of an item.
pub(super) struct Signature {
    pub(super) module: ModulePath,
    pub(super) name: String,
    /// The paths, each with its line.
    pub(super) paths: Vec<(Vec<String>, usize)>,
}

/// Adds the public signatures of an item.
pub(super) fn signatures(
    names: &Names,
    module: &ModulePath,
    item: &Item,
    found: &mut Vec<Signature>,
) {
    let mut add = |name: String, look: &dyn Fn(&mut Paths)| {
        found.push(Signature { module: module.clone(), name, paths: paths(look) });
    };
    match item {
        Item::Const(item) if is_public(&item.vis) => {
            add(item.ident.to_string(), &|paths| paths.visit_type(&item.ty));
        }
        Item::Static(item) if is_public(&item.vis) => {
            add(item.ident.to_string(), &|paths| paths.visit_type(&item.ty));
        }
        Item::Enum(item) if is_public(&item.vis) => {
            add(item.ident.to_string(), &|paths| paths.visit_item_enum(item));
        }
        Item::Fn(item) if is_public(&item.vis) => {
            add(item.sig.ident.to_string(), &|paths| paths.visit_signature(&item.sig));
        }
        Item::Struct(item) if is_public(&item.vis) => add(item.ident.to_string(), &|paths| {
            paths.visit_generics(&item.generics);
            let public = item.fields.iter().filter(|field| is_public(&field.vis));
            public.for_each(|field: &Field| paths.visit_type(&field.ty));
        }),
        Item::Trait(item) if is_public(&item.vis) => {
            add(item.ident.to_string(), &|paths| paths.visit_item_trait(item));
        }
        Item::Type(item) if is_public(&item.vis) => add(item.ident.to_string(), &|paths| {
            paths.visit_generics(&item.generics);
            paths.visit_type(&item.ty);
        }),
        Item::Use(item) if is_public(&item.vis) => {
            add("use".to_owned(), &|paths| paths.exported(&[], &item.tree));
        }
        Item::Impl(item) if !is_for_tests(&item.attrs) && !is_of_private(names, module, item) => {
            implementation(item, &mut add);
        }
        _ => {}
    }
}

/// Returns whether an `impl` is for a private type or of a private trait.
fn is_of_private(names: &Names, module: &ModulePath, item: &ItemImpl) -> bool {
    let of_trait = item.trait_.as_ref().map(|(path, _)| path);
    let for_type = match &*item.self_ty {
        Type::Path(path) if path.qself.is_none() => Some(&path.path),
        _ => None,
    };
    of_trait.into_iter().chain(for_type).any(|path| names.is_private(module, &words(path)))
}

/// Takes a signature's name, and a function that collects its paths.
type Add<'a> = dyn FnMut(String, &dyn Fn(&mut Paths)) + 'a;

fn implementation(item: &ItemImpl, add: &mut Add<'_>) {
    let whole = |paths: &mut Paths| {
        paths.visit_generics(&item.generics);
        paths.visit_type(&item.self_ty);
    };
    if let Some((of_trait, _)) = &item.trait_ {
        let name = words(of_trait).join("::");
        add(format!("impl {name}"), &|paths| {
            whole(paths);
            paths.visit_path(of_trait);
            for inner in &item.items {
                if let ImplItem::Type(inner) = inner {
                    paths.visit_type(&inner.ty);
                }
            }
        });
        return;
    }
    for inner in &item.items {
        match inner {
            ImplItem::Fn(inner) if is_public(&inner.vis) && !is_for_tests(&inner.attrs) => {
                add(inner.sig.ident.to_string(), &|paths| {
                    whole(paths);
                    paths.visit_signature(&inner.sig);
                });
            }
            ImplItem::Const(inner) if is_public(&inner.vis) => {
                add(inner.ident.to_string(), &|paths| {
                    whole(paths);
                    paths.visit_type(&inner.ty);
                });
            }
            _ => {}
        }
    }
}

/// Returns the paths in the type of an alias.
pub(super) fn paths_of_type(generics: &Generics, of: &Type) -> Vec<(Vec<String>, usize)> {
    paths(&|paths| {
        paths.visit_generics(generics);
        paths.visit_type(of);
    })
}

fn paths(look: &dyn Fn(&mut Paths)) -> Vec<(Vec<String>, usize)> {
    let mut paths = Paths::default();
    look(&mut paths);
    let Paths { mut found, parameters } = paths;
    found.retain(|(path, _)| path.first().is_none_or(|first| !parameters.contains(first)));
    found
}

/// Collects paths, and the names of type parameters, which are excluded from the paths.
struct Paths {
    found: Vec<(Vec<String>, usize)>,
    parameters: BTreeSet<String>,
}

impl Default for Paths {
    fn default() -> Self {
        Self { found: Vec::new(), parameters: BTreeSet::from(["Self".to_owned()]) }
    }
}

impl Paths {
    /// Adds the paths that a `pub use` exports.
    fn exported(&mut self, prefix: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(tree) => self.exported(&with(&tree.ident), &tree.tree),
            UseTree::Name(tree) if tree.ident == "self" => self.add(prefix.to_vec(), &tree.ident),
            UseTree::Name(tree) => self.add(with(&tree.ident), &tree.ident),
            UseTree::Rename(tree) => self.add(with(&tree.ident), &tree.ident),
            UseTree::Group(tree) => {
                tree.items.iter().for_each(|tree| self.exported(prefix, tree));
            }
            UseTree::Glob(tree) => {
                let path = [prefix, &["*".to_owned()]].concat();
                self.found.push((path, tree.star_token.span().start().line));
            }
        }
    }

    fn add(&mut self, path: Vec<String>, at: &syn::Ident) {
        self.found.push((path, at.span().start().line));
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast Path) {
        if let Some(first) = path.segments.first() {
            self.add(words(path), &first.ident);
        }
        visit::visit_path(self, path);
    }

    fn visit_type_param(&mut self, parameter: &'ast TypeParam) {
        self.parameters.insert(parameter.ident.to_string());
        visit::visit_type_param(self, parameter);
    }

    fn visit_const_param(&mut self, parameter: &'ast ConstParam) {
        self.parameters.insert(parameter.ident.to_string());
        visit::visit_const_param(self, parameter);
    }

    /// Adds a type made by a macro, which cannot be resolved.
    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(name) = call.path.segments.last() {
            self.add(vec![format!("{}!", name.ident)], &name.ident);
        }
    }

    // These parts of an item are not public, so they are not visited.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_block(&mut self, _: &'ast Block) {}
    fn visit_expr(&mut self, _: &'ast Expr) {}
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn words(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}
