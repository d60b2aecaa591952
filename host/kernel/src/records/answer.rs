//! What comes back from a statement, piece by piece.

use std::time::Duration;

use polity_database::{EngineError, StatementKind, Summary, Value};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::RecordError;

/// Rows of one piece; a piece for each row would cost more than the row.
pub(super) const PIECE_ROWS: usize = 128;
/// Pieces that wait for a slow reader.
pub(super) const PIECES: usize = 8;
/// How long a reader may take for a piece before it is given up: it holds the place of another statement.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A statement that was let happen and runs.
#[derive(Debug)]
pub struct RecordAnswer {
    /// The decision that let it happen.
    pub decision_id: Uuid,
    /// What it does.
    pub kind: StatementKind,
    /// The names of the columns; none for a change.
    pub columns: Vec<String>,
    pub(super) pieces: mpsc::Receiver<Piece>,
}

/// Part of an answer. The last is an end or an error.
#[derive(Debug)]
pub enum Piece {
    /// Rows.
    Rows(Vec<Vec<Value>>),
    /// The end.
    End {
        /// What was done.
        summary: Summary,
        /// Whether there are more rows than were wanted.
        more: bool,
    },
    /// It was stopped, or it failed.
    Failed(EngineError),
}

/// A whole answer.
#[derive(Debug)]
pub struct Collected {
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// What was done.
    pub summary: Summary,
    /// Whether there are more rows than were wanted.
    pub more: bool,
}

impl Piece {
    /// Without what tells of rows that may not be seen.
    pub(super) fn discreet(self) -> Self {
        match self {
            Self::End { mut summary, more } => {
                summary.examined = summary.rows;
                Self::End { summary, more }
            }
            other => other,
        }
    }
}

impl RecordAnswer {
    /// The next piece; `None` behind the last.
    pub async fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().await
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// Why the statement was stopped.
    pub async fn collect(mut self) -> Result<Collected, RecordError> {
        let mut rows = Vec::new();
        while let Some(piece) = self.next().await {
            match piece {
                Piece::Rows(more) => rows.extend(more),
                Piece::End { summary, more } => {
                    return Ok(Collected {
                        rows,
                        summary,
                        more,
                    });
                }
                Piece::Failed(error) => return Err(error.into()),
            }
        }
        Err(RecordError::Broken)
    }
}
