//! The plugins: what they are, and what they have done.

use polity_kernel::PluginCount;

use super::exposition::{Exposition, Type};
use super::name;
use crate::serve::short;

pub(super) fn write(page: &mut Exposition, plugins: &[PluginCount]) {
    let mut family = page.family(
        "polity_plugin_info",
        Type::Gauge,
        "1 for each plugin, with its state and version.",
    );
    for plugin in plugins {
        let world = plugin.world.as_ref().map(name).unwrap_or_default();
        let digest = plugin.digest.as_ref().map(short).unwrap_or_default();
        family.sample(
            &[
                ("plugin", &plugin.name),
                ("state", plugin.state),
                ("world", &world),
                ("digest", &digest),
            ],
            1,
        );
    }
    let mut family = page.family(
        "polity_plugin_calls_total",
        Type::Counter,
        "Calls of the serving version by function and by outcome.",
    );
    for plugin in plugins {
        for stats in &plugin.exports {
            let good = stats.calls.saturating_sub(stats.problems + stats.failures);
            for (outcome, count) in [
                ("ok", good),
                ("problem", stats.problems),
                ("failure", stats.failures),
            ] {
                let labels = [
                    ("plugin", &*plugin.name),
                    ("export", stats.export.name()),
                    ("outcome", outcome),
                ];
                family.sample(&labels, count);
            }
        }
    }
    type Read = fn(&PluginCount) -> f64;
    let more: [(&'static str, Type, &str, Read); 4] = [
        (
            "polity_plugin_busy_seconds_total",
            Type::Counter,
            "Time of calls, waiting included.",
            |plugin| plugin.stats.busy_ns as f64 / 1e9,
        ),
        (
            "polity_plugin_fuel_total",
            Type::Counter,
            "Fuel burnt.",
            |plugin| plugin.stats.fuel as f64,
        ),
        (
            "polity_plugin_log_dropped_total",
            Type::Counter,
            "Log messages past the budget.",
            |plugin| plugin.stats.log_dropped as f64,
        ),
        (
            "polity_plugin_in_progress",
            Type::Gauge,
            "Calls in progress.",
            |plugin| plugin.in_progress as f64,
        ),
    ];
    for (metric, kind, help, read) in more {
        let mut family = page.family(metric, kind, help);
        for plugin in plugins {
            family.sample(&[("plugin", &plugin.name)], read(plugin));
        }
    }
}
