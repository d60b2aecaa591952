//! Every recorded exchange with OpenAI's format, delivered in every way.

use openai::OpenAi;
use polity_wire::replay;

#[test]
fn every_recorded_exchange_is_answered_however_it_is_delivered() {
    for exchange in replay::exchanges(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")) {
        replay::check::<OpenAi>(&exchange);
    }
}
