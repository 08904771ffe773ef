//! Finds syntax that is newer than Rust 1.88: syntax that was stabilized up to Rust 1.95 and that
//! this code might use. No lint of a newer compiler reports such syntax.

use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::run::{Failure, root};

/// Fails for each place with newer syntax in the sources of `packages`.
pub(crate) fn check(packages: &[&str]) -> Result<(), Failure> {
    let mut newer = Vec::new();
    for package in packages {
        let mut files = Vec::new();
        let sources = root().join("crates").join(package).join("src");
        sources_below(&sources, &mut files).map_err(|error| failed(&sources, &error))?;
        for file in files {
            let text = fs::read_to_string(&file).map_err(|error| failed(&file, &error))?;
            for (line, what) in newer_in(&text).map_err(|error| failed(&file, &error))? {
                newer.push(format!("{}:{line}: {what}", file.display()));
            }
        }
    }
    if newer.is_empty() { Ok(()) } else { Err(Failure::new(newer.join("\n"))) }
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

fn sources_below(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            sources_below(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Returns the lines with newer syntax, each with a description.
fn newer_in(source: &str) -> syn::Result<Vec<(usize, &'static str)>> {
    let mut newer = Newer::default();
    newer.visit_file(&syn::parse_file(source)?);
    Ok(newer.0)
}

#[derive(Default)]
struct Newer(Vec<(usize, &'static str)>);

impl Newer {
    fn note(&mut self, at: proc_macro2::Span, what: &'static str) {
        self.0.push((at.start().line, what));
    }
}

impl<'ast> Visit<'ast> for Newer {
    fn visit_pat_guard(&mut self, pattern: &'ast syn::PatGuard) {
        let mut lets = Lets(false);
        lets.visit_expr(&pattern.guard);
        if lets.0 {
            self.note(pattern.guard.span(), "`if let` as a match guard needs Rust 1.95");
        }
        visit::visit_pat_guard(self, pattern);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        if called.path.segments.last().is_some_and(|segment| segment.ident == "cfg_select") {
            self.note(called.span(), "`cfg_select!` needs Rust 1.95");
        }
        visit::visit_macro(self, called);
    }

    fn visit_expr_repeat(&mut self, array: &'ast syn::ExprRepeat) {
        self.visit_length(&array.len);
        visit::visit_expr_repeat(self, array);
    }

    fn visit_type_array(&mut self, array: &'ast syn::TypeArray) {
        self.visit_length(&array.len);
        visit::visit_type_array(self, array);
    }
}

impl Newer {
    fn visit_length(&mut self, length: &syn::Expr) {
        if matches!(length, syn::Expr::Infer(_)) {
            self.note(length.span(), "`_` as an array's length needs Rust 1.89");
        }
    }
}

/// Whether a guard has a `let` that is not inside a nested `if` or `while`.
struct Lets(bool);

impl<'ast> Visit<'ast> for Lets {
    fn visit_expr_let(&mut self, _: &'ast syn::ExprLet) {
        self.0 = true;
    }

    fn visit_expr_if(&mut self, _: &'ast syn::ExprIf) {}

    fn visit_expr_while(&mut self, _: &'ast syn::ExprWhile) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_syntax_is_reported_with_its_line() {
        let source = "fn f(a: Option<u8>) {\n    match a {\n        Some(b) if let 1 = b => {}\n        _ => {}\n    }\n\
                      let _: [u8; _] = [0; 3];\n    let _ = [0; _];\n    cfg_select! {}\n}";
        let lines: Vec<usize> =
            newer_in(source).unwrap().into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [3, 6, 7, 8]);
    }

    #[test]
    fn let_chains_are_allowed() {
        let source = "fn f(a: Option<u8>) { if let Some(b) = a && b > 1 {}\n match a { Some(c) if { if let 1 = c { true } \
                      else { false } } => {} _ => {} } }";
        assert!(newer_in(source).unwrap().is_empty());
    }
}
