//! How a predictor is stored: one JSON document with a version, a digest of its content, and its numbers in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::blend::Blend;
use super::curve::{Curve, NUMBERS};
use super::design::Scaling;
use super::familiar::Familiar;
use super::table::{Stored, Table};
use super::vocabulary::Vocabulary;
use super::{Predictor, Report};
use crate::text::SHAPE;

/// The version of the stored form and of the way texts are read. A predictor of another version would see other
/// features than it was trained on.
pub const PREDICTOR_VERSION: u32 = 5;

/// Why a stored predictor cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PredictorError {
    /// Not such a document.
    #[error("this is not a stored predictor: {0}")]
    Malformed(String),
    /// Made by another version.
    #[error(
        "the predictor has version {found}, this is version {PREDICTOR_VERSION}; train it again"
    )]
    Version {
        /// Its version.
        found: u32,
    },
    /// Changed after it was made.
    #[error(
        "the predictor's content has digest {found}, but it says {said}; it was changed after training, so train it again"
    )]
    Digest {
        /// The digest of what is there.
        found: String,
        /// The digest it carries.
        said: String,
    },
    /// Its parts do not fit together.
    #[error("the predictor's parts do not fit together ({0}); train it again")]
    Inconsistent(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    digest: String,
    content: Content,
}

#[derive(Serialize, Deserialize)]
struct Content {
    report: Report,
    models: Vec<String>,
    tasks: Vec<String>,
    counts: Vec<u32>,
    sharpness: f32,
    unseen: f32,
    blend: [[f32; 2]; 2],
    curve: Vec<[f32; NUMBERS]>,
    curve_scale: f32,
    familiar: Familiar,
    /// Rows of near features.
    near: usize,
    scores: Stored,
    kinds: Stored,
    /// Little-endian numbers in base64.
    hashes: String,
    idf: String,
    scaling_mean: String,
    scaling_factor: String,
    shapes: String,
    means: String,
    deviation: String,
    offsets: String,
}

impl Predictor {
    /// The stored form.
    pub fn to_json(&self) -> String {
        let document = Document {
            version: PREDICTOR_VERSION,
            digest: self.digest.clone(),
            content: self.content(),
        };
        // A document of strings and numbers with string keys always serialises.
        serde_json::to_string(&document).unwrap_or_default()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// Where it is something else, was made by another version, was changed, or does not fit together.
    pub fn from_json(text: &str) -> Result<Self, PredictorError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let malformed = |error: serde_json::Error| PredictorError::Malformed(error.to_string());
        let Versioned { version } = serde_json::from_str(text).map_err(malformed)?;
        if version != PREDICTOR_VERSION {
            return Err(PredictorError::Version { found: version });
        }
        let document: Document = serde_json::from_str(text).map_err(malformed)?;
        let predictor = Self::of(document.content)?.sealed();
        if predictor.digest != document.digest {
            return Err(PredictorError::Digest {
                found: predictor.digest,
                said: document.digest,
            });
        }
        Ok(predictor)
    }

    /// With its digest.
    pub(super) fn sealed(mut self) -> Self {
        let content = serde_json::to_vec(&self.content()).unwrap_or_default();
        self.digest = hex::encode(Sha256::digest(&content));
        self
    }

    fn content(&self) -> Content {
        let (hashes, idf, near, unseen) = self.vocabulary.parts();
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect();
        let names =
            |names: &[std::sync::Arc<str>]| names.iter().map(|name| name.to_string()).collect();
        Content {
            report: self.report.clone(),
            models: names(&self.models),
            tasks: names(&self.tasks),
            counts: self.counts.clone(),
            sharpness: self.sharpness,
            unseen,
            blend: [self.blend.differences, self.blend.level],
            curve: self.curve.weights.clone(),
            curve_scale: self.curve.scale,
            familiar: self.familiar.clone(),
            near,
            scores: self.scores.stored(),
            kinds: self.kinds.stored(),
            hashes: STANDARD.encode(bytes),
            idf: encode(idf),
            scaling_mean: encode(&self.scaling.mean),
            scaling_factor: encode(&self.scaling.factor),
            shapes: encode(&self.shapes),
            means: encode(&self.means),
            deviation: encode(&self.deviation),
            offsets: encode(&self.offsets),
        }
    }

    fn of(content: Content) -> Result<Self, PredictorError> {
        let (models, tasks) = (content.models.len(), content.tasks.len());
        let fit = |condition: bool, what| {
            if condition {
                Ok(())
            } else {
                Err(PredictorError::Inconsistent(what))
            }
        };
        let bytes = bytes_of(&content.hashes, "hashes")?;
        let (chunks, _) = bytes.as_chunks::<4>();
        let hashes: Vec<u32> = chunks.iter().map(|it| u32::from_le_bytes(*it)).collect();
        let words = hashes.len();
        let idf = decode(&content.idf, words, "idf")?;
        let array = |text: &str, what| -> Result<[f32; SHAPE], PredictorError> {
            decode(text, SHAPE, what)?
                .try_into()
                .map_err(|_| PredictorError::Inconsistent(what))
        };
        fit(content.counts.len() == tasks, "counts")?;
        fit(content.familiar.tasks() == tasks, "familiar")?;
        fit(
            content.curve.is_empty() || content.curve.len() == models,
            "curve",
        )?;
        fit(content.models.is_sorted(), "models")?;
        fit(content.tasks.is_sorted() && tasks > 0, "tasks")?;
        let vocabulary = Vocabulary::from_parts(hashes, idf, content.near, content.unseen)
            .ok_or(PredictorError::Inconsistent("hashes"))?;
        Ok(Self {
            digest: String::new(),
            report: content.report,
            scores: Table::from_stored(&content.scores, words, models)?,
            kinds: Table::from_stored(&content.kinds, vocabulary.telling(), 2 * tasks)?,
            vocabulary,
            scaling: Scaling {
                mean: array(&content.scaling_mean, "scaling_mean")?,
                factor: array(&content.scaling_factor, "scaling_factor")?,
            },
            shapes: decode(&content.shapes, SHAPE * (models + tasks), "shapes")?,
            means: decode(&content.means, models, "means")?,
            deviation: decode(&content.deviation, models, "deviation")?,
            offsets: decode(&content.offsets, tasks * models, "offsets")?,
            counts: content.counts,
            sharpness: content.sharpness,
            blend: Blend {
                differences: content.blend[0],
                level: content.blend[1],
            },
            curve: Curve {
                scale: content.curve_scale,
                weights: content.curve,
            },
            familiar: content.familiar,
            models: content.models.into_iter().map(Into::into).collect(),
            tasks: content.tasks.into_iter().map(Into::into).collect(),
        })
    }
}

/// Numbers as they are stored.
pub(super) fn encode(numbers: &[f32]) -> String {
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    STANDARD.encode(bytes)
}

/// What base64 stands for.
pub(super) fn bytes_of(text: &str, what: &'static str) -> Result<Vec<u8>, PredictorError> {
    STANDARD
        .decode(text)
        .map_err(|_| PredictorError::Inconsistent(what))
}

/// So many finite numbers.
pub(super) fn decode(
    text: &str,
    count: usize,
    what: &'static str,
) -> Result<Vec<f32>, PredictorError> {
    let bytes = bytes_of(text, what)?;
    let (chunks, rest) = bytes.as_chunks::<4>();
    let numbers: Vec<f32> = chunks
        .iter()
        .map(|chunk| f32::from_le_bytes(*chunk))
        .collect();
    if numbers.len() == count && rest.is_empty() && numbers.iter().all(|number| number.is_finite())
    {
        Ok(numbers)
    } else {
        Err(PredictorError::Inconsistent(what))
    }
}
