//! A rule built for WASI that looks round for anything it was not given, through the standard library, and denies with
//! what it found.

use std::net::TcpStream;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use polity_sdk::rule::{Action, Problem, Rule, Verdict};
use serde_json::json;

struct Snoop;

impl Rule for Snoop {
    fn applies_to() -> Vec<String> {
        vec!["hostile.*".into()]
    }

    fn evaluate(action: Action) -> Result<Verdict, Problem> {
        let input: serde_json::Value = polity_sdk::parse(&action.input)?;
        if input["do"] == "sleep" {
            std::thread::sleep(std::time::Duration::from_secs(3_600));
            return Ok(Verdict::Allow);
        }
        println!("to standard output");
        eprintln!("to standard error");
        let started = Instant::now();
        let port = input["port"].as_u64().unwrap_or(22);
        let found = json!({
            "variables": env::vars().count(),
            "arguments": env::args().count(),
            "folder": env::current_dir().map(|path| path.display().to_string()).ok(),
            "password": fs::read_to_string("/etc/passwd").is_ok(),
            "root": fs::read_dir("/").is_ok(),
            "written": fs::write("/tmp/polity-was-here", "x").is_ok(),
            "connected": TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap_or(22))).is_ok(),
            "clock": SystemTime::now().duration_since(UNIX_EPOCH).map(|time| time.as_secs()).ok(),
            "elapsed_ns": u64::try_from(started.elapsed().as_nanos()).ok(),
        });
        Ok(Verdict::Deny(found.to_string()))
    }
}

polity_sdk::export_rule!(Snoop);
polity_sdk::manifest!("polity.json");
