//! What a completion may cost and what it did cost, in micro-units.

pub(super) use polity_dispatch::guess_tokens;
use polity_dispatch::{Price, Usage};
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
        let polity_dispatch::Tokens { input, output } = self.plain().filled_up(guess.plain());
        Self {
            input,
            output,
            cached: self.cached,
        }
    }

    /// As the router counts, which knows nothing of caches.
    fn plain(self) -> polity_dispatch::Tokens {
        polity_dispatch::Tokens {
            input: self.input,
            output: self.output,
        }
    }
}

/// The longest answer that is reserved for where neither the request nor the model names one.
const ASSUMED_OUTPUT_TOKENS: u64 = 4096;

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
    let usage = Usage {
        tokens: said.plain(),
        cost_micro: None,
    };
    usage.is_credible(guess.plain(), longest, info.context_tokens.into())
}

/// What tokens cost, rounded up. Tokens from a provider's cache count in full: adapters name one price.
fn cost(info: &Info, tokens: Tokens) -> u64 {
    let price = Price {
        input: info.input_price,
        output: info.output_price,
    };
    price.cost(tokens.plain())
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
