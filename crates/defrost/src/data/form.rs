//! What lies at a path: which of the forms of data it is.

use std::path::{Path, PathBuf};

use super::folder::{self, Listing};
use super::manifest::Format;
use super::options::Labels;
use super::table::Table;
use super::tree::{self, Tree};
use super::{DataError, DataOptions, Kind, cifar, parquet};

/// A data set as it was found, before any picture is read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Folders(Tree),
    Cifar(Tree, cifar::Version),
    Table(Table),
}

impl Found {
    /// Looks what lies at `path`; `labels` says which of two labels are taken.
    pub(super) fn at(path: &Path, labels: Labels) -> Result<Found, DataError> {
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let path = path.to_owned();
        if let Some(format) = Format::of(&file_name).filter(|_| !path.is_dir()) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let form = Form::Table(Table::open(&path, format)?);
            return Ok(Found { name, path, kind: Kind::Table(format.into()), form });
        }
        if tree::is_parquet(&file_name) && path.is_file() {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let form = Form::Table(parquet::open(&path, vec![file_name.into_owned()], labels)?);
            return Ok(Found { name, path, kind: Kind::Parquet, form });
        }
        let tree = Tree::open(&path)?;
        let name = tree.name();
        let parquet_files = tree.root.parquet_files("");
        if !parquet_files.is_empty() && tree.archive.is_none() && tree.root.pictures() == 0 {
            let form = Form::Table(parquet::open(&path, parquet_files, labels)?);
            return Ok(Found { name, path, kind: Kind::Parquet, form });
        }
        if let Some(version) = cifar::recognise(&tree) {
            return Ok(Found { name, path, kind: version.kind(), form: Form::Cifar(tree, version) });
        }
        let (kind, form) = match Table::in_tree(&tree)? {
            Some(table) => (Kind::metadata(&tree), Form::Table(table)),
            None => (Kind::folders(&tree), Form::Folders(tree)),
        };
        Ok(Found { name, path, kind, form })
    }

    /// The pictures by side. `own_validation` says whether validation pictures that it has are used.
    pub(super) fn list(self, options: &DataOptions, own_validation: bool) -> Result<Listing, DataError> {
        let has_coarse = match &self.form {
            Form::Cifar(_, version) => version.has_coarse(),
            // Asked for when it was opened.
            Form::Table(_) => self.kind == Kind::Parquet,
            Form::Folders(_) => false,
        };
        if options.labels == Labels::Coarse && !has_coarse {
            return Err(DataError::NoCoarseLabels { path: self.path, kind: self.kind });
        }
        match self.form {
            Form::Folders(tree) => folder::list(&tree, &options.classes, own_validation),
            Form::Cifar(tree, version) => cifar::list(&tree, version, options.labels, &options.classes),
            Form::Table(table) => table.list(&options.classes, own_validation),
        }
    }

    /// The pictures that a finished classifier of `classes` is judged by.
    pub(super) fn list_labelled(self, classes: &[String]) -> Result<Listing, DataError> {
        match self.form {
            Form::Folders(tree) => folder::list_labelled(&tree, classes),
            Form::Cifar(tree, version) => cifar::list_labelled(&tree, version, classes),
            Form::Table(table) => table.list_labelled(classes),
        }
    }
}
