//! The forms of data.

use std::fmt;

use super::archive::Packing;
use super::manifest::Format;
use super::tree::Tree;

/// How a data set was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A folder per class.
    Folders,
    /// A folder per class, in a tar archive.
    TarOfFolders,
    /// A folder per class, in a zip archive.
    ZipOfFolders,
    /// CIFAR-10's binary version.
    CifarBinary,
    /// CIFAR-10's Python version.
    CifarPython,
    /// CIFAR-100's binary version.
    Cifar100Binary,
    /// CIFAR-100's Python version.
    Cifar100Python,
    /// A table of paths and labels.
    Table(TableKind),
    /// Parquet files as Hugging Face `datasets` writes them.
    Parquet,
    /// A folder of pictures with a table of metadata.
    Metadata,
    /// A folder of pictures with a table of metadata, in an archive.
    MetadataInArchive,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableKind {
    /// Comma-separated.
    Csv,
    /// Separated by tabs.
    Tsv,
    /// A JSON object a line.
    JsonLines,
}

impl From<Format> for TableKind {
    fn from(format: Format) -> TableKind {
        match format {
            Format::Csv => TableKind::Csv,
            Format::Tsv => TableKind::Tsv,
            Format::JsonLines => TableKind::JsonLines,
        }
    }
}

impl Kind {
    pub(super) fn folders(tree: &Tree) -> Kind {
        match tree.archive {
            None => Kind::Folders,
            Some(Packing::Tar | Packing::TarGz) => Kind::TarOfFolders,
            Some(Packing::Zip) => Kind::ZipOfFolders,
        }
    }

    pub(super) fn metadata(tree: &Tree) -> Kind {
        if tree.archive.is_some() { Kind::MetadataInArchive } else { Kind::Metadata }
    }

    /// Whether pictures lie in random order, not class by class.
    pub fn is_shuffled(self) -> bool {
        use Kind::{Cifar100Binary, Cifar100Python, CifarBinary, CifarPython};
        matches!(self, CifarBinary | CifarPython | Cifar100Binary | Cifar100Python)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Folders => "folder per class",
            Kind::TarOfFolders => "folder per class, tar archive",
            Kind::ZipOfFolders => "folder per class, zip archive",
            Kind::CifarBinary => "CIFAR-10 binary",
            Kind::CifarPython => "CIFAR-10 Python",
            Kind::Cifar100Binary => "CIFAR-100 binary",
            Kind::Cifar100Python => "CIFAR-100 Python",
            Kind::Table(TableKind::Csv) => "table, CSV",
            Kind::Table(TableKind::Tsv) => "table, TSV",
            Kind::Table(TableKind::JsonLines) => "table, JSON lines",
            Kind::Parquet => "Parquet",
            Kind::Metadata => "pictures with a metadata table",
            Kind::MetadataInArchive => "pictures with a metadata table, archived",
        })
    }
}
