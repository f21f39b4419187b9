//! What a classifier says of itself besides what it computes.

use serde::{Deserialize, Serialize};

use crate::backbone::{Backbone, InputRange};
use crate::weights::{Hash, Source};

/// How the network's input follows from a resized picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pixels {
    /// The colours' order in a pixel.
    pub order: ColourOrder,
    /// Of `value · scale + offset`, for values 0–255.
    pub scale: f32,
    /// Of `value · scale + offset`.
    pub offset: f32,
}

/// The colours' order in a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColourOrder {
    /// Red, green, blue.
    #[serde(rename = "RGB")]
    Rgb,
}

impl Pixels {
    /// What a backbone's range means.
    pub fn of(range: InputRange) -> Pixels {
        let (scale, offset) = range.scale_offset();
        Pixels { order: ColourOrder::Rgb, scale, offset }
    }
}

/// Where the backbone's weights come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The publisher's address, the file that was given, `embedded in defrost`, or `none`: trained from scratch.
    pub weights: String,
    /// The publisher's hash of that file, as `md5:…`.
    pub hash: Option<String>,
    /// Under which the weights are published, as an SPDX identifier; `None` where it isn't known.
    pub licence: Option<String>,
}

impl Origin {
    /// Weights that are part of the program, or as their publisher offers them.
    pub fn published(backbone: &Backbone) -> Origin {
        let hash = |source: &Source<'_>| match source.hash {
            Hash::Md5(digits) => Some(format!("md5:{digits}")),
            Hash::Sha256(digits) => Some(format!("sha256:{digits}")),
            Hash::Unverified => None,
        };
        Origin {
            weights: backbone.source.map_or("embedded in defrost", |source| source.url).to_owned(),
            hash: backbone.source.as_ref().and_then(hash),
            licence: Some(backbone.licence().to_owned()),
        }
    }

    /// A file whose licence isn't known.
    pub fn file(path: String) -> Origin {
        Origin { weights: path, hash: None, licence: None }
    }

    /// No weights: everything is learned.
    pub fn scratch() -> Origin {
        Origin::file("none".to_owned())
    }
}

/// How good a classifier is on the pictures that were held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Readable training pictures; 0 where that wasn't written.
    #[serde(default)]
    pub train_samples: usize,
    /// Readable validation pictures.
    pub val_samples: usize,
    /// Share that is classified rightly.
    pub val_accuracy: f64,
    /// Its 95 % interval (Wilson).
    pub val_accuracy_interval: (f64, f64),
    /// Mean cross-entropy, before calibration.
    pub val_loss: f64,
}
