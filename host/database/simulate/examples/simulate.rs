//! A load from a file: `simulate WORKLOAD.json`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args()
        .nth(1)
        .ok_or("usage: simulate WORKLOAD.json")?;
    let workload = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    println!("{}", polity_simulate::run(&workload));
    Ok(())
}
