//! What a completion may cost and what it did cost, in micro-units.

use polity_runtime::plugin::Info;

/// Tokens that one completion used, or is thought to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) input: u64,
    pub(super) output: u64,
    /// The part of the input that came from the provider's cache.
    pub(super) cached: u64,
}

impl Tokens {
    /// Where one side is said to be nothing though there was something, what is thought of it.
    pub(super) fn filled_up(self, guess: Self) -> Self {
        let or = |said, guess| if said == 0 { guess } else { said };
        Self {
            input: or(self.input, guess.input),
            output: or(self.output, guess.output),
            cached: self.cached,
        }
    }
}

/// Bytes of text in a token, for guessing. English prose has four; anything denser is cheaper than guessed.
const BYTES_PER_TOKEN: u64 = 4;

/// The longest answer that is reserved for where neither the request nor the model names one.
const ASSUMED_OUTPUT_TOKENS: u64 = 4096;

/// Tokens in so many bytes of text, guessed and rounded up.
pub(super) fn guess_tokens(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN)
}

/// The most that a request should cost: its prompt, and the longest answer it may have.
pub(super) fn estimate(info: &Info, prompt_bytes: usize, max_output_tokens: Option<u32>) -> u64 {
    let of_model = Some(info.max_output_tokens).filter(|tokens| *tokens > 0);
    let longest = match (max_output_tokens, of_model) {
        (Some(asked), Some(possible)) => asked.min(possible).into(),
        (Some(tokens), None) | (None, Some(tokens)) => tokens.into(),
        (None, None) => ASSUMED_OUTPUT_TOKENS,
    };
    cost(
        info,
        Tokens {
            input: guess_tokens(prompt_bytes as u64),
            output: longest,
            cached: 0,
        },
    )
}

/// Whether a provider's word on what an answer used can be true. `longest` is the longest answer that was asked for.
pub(super) fn is_credible(said: Tokens, guess: Tokens, longest: u64, info: &Info) -> bool {
    let plain = |tokens: Tokens| polity_dispatch::Tokens {
        input: tokens.input,
        output: tokens.output,
    };
    let usage = polity_dispatch::Usage {
        tokens: plain(said),
        cost_micro: None,
    };
    usage.is_credible(plain(guess), longest, info.context_tokens.into())
}

/// What tokens cost, rounded up. Tokens from a provider's cache count in full: adapters name one price.
pub(super) fn cost(info: &Info, tokens: Tokens) -> u64 {
    let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
    let total = part(tokens.input, info.input_price) + part(tokens.output, info.output_price);
    u64::try_from(total.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(max_output_tokens: u32, input_price: u64, output_price: u64) -> Info {
        Info {
            id: "m".into(),
            context_tokens: 0,
            max_output_tokens,
            abilities: vec![],
            input_price,
            output_price,
            region: None,
            local: false,
        }
    }

    #[test]
    fn a_cost_is_rounded_up_and_never_overflows() {
        let tokens = |input, output| Tokens {
            input,
            output,
            cached: 0,
        };
        assert_eq!(
            cost(&model(0, 2_500_000, 10_000_000), tokens(1000, 100)),
            3500
        );
        assert_eq!(cost(&model(0, 1, 0), tokens(1, 0)), 1);
        assert_eq!(cost(&model(0, 0, 0), tokens(5, 5)), 0);
        assert_eq!(
            cost(&model(0, u64::MAX, u64::MAX), tokens(u64::MAX, u64::MAX)),
            u64::MAX
        );
    }

    #[test]
    fn tokens_that_nobody_can_have_used_are_not_believed() {
        let guess = Tokens {
            input: 100,
            output: 50,
            cached: 0,
        };
        let said = |input, output| Tokens {
            input,
            output,
            cached: 0,
        };
        let small = model(0, 1, 1);
        assert!(is_credible(said(400, 200), guess, 1000, &small));
        // Reasoning is counted and not sent.
        assert!(is_credible(said(100, 60_000), guess, 0, &small));
        for wrong in [said(u64::MAX, 1), said(1, u64::MAX), said(50_000, 1)] {
            assert!(!is_credible(wrong, guess, 0, &small), "{wrong:?}");
        }
        assert!(!is_credible(said(100, 60_000), guess, 1000, &small));
        // A document that is named by its address is read all the same.
        let large = Info {
            context_tokens: 200_000,
            ..model(0, 1, 1)
        };
        assert!(is_credible(said(50_000, 1), guess, 0, &large));
    }

    #[test]
    fn an_estimate_assumes_the_longest_answer_that_can_come() {
        let million = 1_000_000;
        assert_eq!(estimate(&model(100, 0, million), 40, None), 100);
        assert_eq!(estimate(&model(100, 0, million), 40, Some(1000)), 100);
        assert_eq!(estimate(&model(0, 0, million), 40, Some(1000)), 1000);
        assert_eq!(
            estimate(&model(0, 0, million), 40, None),
            ASSUMED_OUTPUT_TOKENS
        );
        assert_eq!(estimate(&model(10, million, 0), 41, None), 11);
    }
}
