//! What a running host does by the clock or because it was told to: items whose time is over, a constitution to be read
//! again, workflows to be woken. No model is ever asked here.

use std::time::Duration;

use polity_kernel::{Kernel, ReloadError, Reloaded};

/// How often the inbox is looked through for items whose time is over. Deciding looks at the clock by itself, so this is
/// only about when whoever waits is told.
const EXPIRY: Duration = Duration::from_secs(5);

/// Runs until it is dropped.
pub(super) async fn run(kernel: &Kernel) {
    tokio::join!(
        expire(kernel),
        kernel.follow_constitution(),
        kernel.follow_workflows(),
        kernel.follow_remote(),
        reload(kernel)
    );
}

async fn expire(kernel: &Kernel) {
    let mut tick = tokio::time::interval(EXPIRY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match kernel.inbox().expire_due().await {
            Ok(items) => {
                kernel.after_expiry(&items).await;
                for item in items {
                    tracing::info!(item = %item.id, title = item.title, "nobody answered in time: {}", item.closing());
                }
            }
            Err(error) => tracing::error!(%error, "the inbox cannot be looked through"),
        }
    }
}

/// SIGHUP: the constitution's folder is read at once, as service managers know it.
#[cfg(unix)]
async fn reload(kernel: &Kernel) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            return tracing::warn!(%error, "SIGHUP cannot be received; the constitution's folder is watched all the same");
        }
    };
    while hangup.recv().await.is_some() {
        match kernel.reload().await {
            Ok(Reloaded::Unchanged) => tracing::info!("the constitution is unchanged"),
            // Told with the other news, as are problems of the folder.
            Ok(Reloaded::Changed { .. }) | Err(ReloadError::Problems(_)) => {}
            Err(error) => tracing::warn!("the constitution in force stays: {error}"),
        }
    }
}

#[cfg(not(unix))]
async fn reload(_kernel: &Kernel) {}
