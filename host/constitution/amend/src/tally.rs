//! Whether enough people agree.

use serde::{Deserialize, Serialize};

/// How it stands with an amendment's votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Votes are missing, and may still come.
    Voting,
    /// Enough people agree.
    Accepted,
    /// Enough people can not agree any more: too many have said no, or the time is over.
    Rejected,
}

/// The votes on one proposal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Who may vote.
    pub eligible: usize,
    /// How many have to agree.
    pub quorum: usize,
    /// How many do.
    pub yes: usize,
    /// How many do not.
    pub no: usize,
    /// How many have answered with words, or let the time pass.
    pub neither: usize,
}

impl Tally {
    /// How many have not voted.
    pub fn missing(&self) -> usize {
        self.eligible
            .saturating_sub(self.yes + self.no + self.neither)
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        if self.quorum > 0 && self.yes >= self.quorum {
            Standing::Accepted
        } else if self.yes + self.missing() < self.quorum.max(1) {
            Standing::Rejected
        } else {
            Standing::Voting
        }
    }
}

/// How many of those who may vote have to agree: as many as the charter says, or more than half of them.
pub fn quorum_of(eligible: usize, stated: Option<usize>) -> usize {
    stated.unwrap_or(eligible / 2 + 1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_agrees_by_silence() {
        let tally = |yes, no, neither| {
            Tally {
                eligible: 3,
                quorum: 2,
                yes,
                no,
                neither,
            }
            .standing()
        };
        assert_eq!(tally(0, 0, 0), Standing::Voting);
        assert_eq!(tally(1, 1, 0), Standing::Voting);
        assert_eq!(tally(2, 0, 0), Standing::Accepted);
        assert_eq!(tally(2, 1, 0), Standing::Accepted);
        assert_eq!(tally(0, 2, 0), Standing::Rejected);
        assert_eq!(tally(1, 0, 2), Standing::Rejected);
        assert_eq!(Tally::default().standing(), Standing::Rejected);
    }

    #[test]
    fn without_a_word_of_the_charter_more_than_half_have_to_agree() {
        assert_eq!(
            [1, 2, 3, 4, 5].map(|people| quorum_of(people, None)),
            [1, 2, 2, 3, 3]
        );
        assert_eq!(quorum_of(5, Some(1)), 1);
        assert_eq!(quorum_of(5, Some(0)), 1);
    }
}
