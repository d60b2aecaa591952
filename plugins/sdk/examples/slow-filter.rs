//! A schema strategy: an index for every filter that is asked often.

use polity_sdk::strategy::{Index, Mutation, Observations, Problem, Proposal, Strategy};
use serde_json::{Value, json};

struct SlowFilter;

impl Strategy for SlowFilter {
    fn propose(seen: Observations) -> Result<Vec<Proposal>, Problem> {
        let seen: Value = polity_sdk::parse(&seen.seen)?;
        let queries = seen["queries"].as_array().cloned().unwrap_or_default();
        let often = queries
            .iter()
            .filter(|query| query["per_day"].as_u64().unwrap_or_default() >= 1_000);
        Ok(often
            .filter_map(|query| {
                Some(Proposal {
                    mutation: Mutation::CreateIndex(Index {
                        collection: query["collection"].as_str()?.to_owned(),
                        fields: vec![query["filter"].as_str()?.to_owned()],
                    }),
                    reason: "asked a thousand times a day without an index".into(),
                    evidence: json!({ "query": query }).to_string(),
                    benefit_us_per_day: 0,
                    write_cost_us_per_day: 0,
                    storage_bytes: 0,
                })
            })
            .collect())
    }
}

polity_sdk::export_strategy!(SlowFilter);
