//! Every recorded exchange with Anthropic's format, delivered in every way.

use anthropic::Anthropic;
use polity_wire::replay;

#[test]
fn every_recorded_exchange_is_answered_however_it_is_delivered() {
    for exchange in replay::exchanges(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")) {
        replay::check::<Anthropic>(&exchange);
    }
}
