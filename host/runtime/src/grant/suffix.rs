//! Names under which anyone may register, so that a wildcard below one would grant the
//! world.
//!
//! The public suffix list has ten thousand entries and changes weekly. This is its
//! backbone: every top-level name, the second-level names that countries hand out, and
//! the hosting services whose customers get a name of their own. A grant that slips
//! past it still names one suffix on purpose; it never grants by accident what `*` or
//! `*.com` would.

/// Second-level names that registries of two-letter countries hand out.
const UNDER_COUNTRIES: [&str; 26] = [
    "ac", "co", "com", "ed", "edu", "firm", "gob", "gouv", "gov", "go", "gv", "ind", "info", "ltd",
    "me", "mil", "ne", "net", "nhs", "nom", "or", "org", "plc", "police", "sch", "web",
];

/// Hosting services: whoever has an account there has a name below.
const HOSTING: [&str; 47] = [
    "amazonaws.com",
    "amplifyapp.com",
    "appspot.com",
    "awsapprunner.com",
    "azure-api.net",
    "azureedge.net",
    "azurefd.net",
    "azurewebsites.net",
    "b-cdn.net",
    "blob.core.windows.net",
    "blogspot.com",
    "bunny.run",
    "cloudapp.azure.com",
    "cloudapp.net",
    "cloudfront.net",
    "cloudfunctions.net",
    "core.windows.net",
    "deno.dev",
    "digitaloceanspaces.com",
    "duckdns.org",
    "elasticbeanstalk.com",
    "execute-api.amazonaws.com",
    "fastly.net",
    "firebaseapp.com",
    "fly.dev",
    "github.io",
    "githubusercontent.com",
    "gitlab.io",
    "googleusercontent.com",
    "herokuapp.com",
    "ngrok-free.app",
    "ngrok.app",
    "ngrok.io",
    "netlify.app",
    "nip.io",
    "on.aws",
    "ondigitalocean.app",
    "onrender.com",
    "pages.dev",
    "railway.app",
    "r2.dev",
    "run.app",
    "sslip.io",
    "trycloudflare.com",
    "vercel.app",
    "web.app",
    "workers.dev",
];

/// True where the names directly below `name` belong to unrelated parties.
///
/// `name` is lower-case and has neither a leading nor a trailing dot.
pub(super) fn is_shared(name: &str) -> bool {
    let Some((rest, top)) = name.rsplit_once('.') else {
        return true;
    };
    (top.len() == 2 && UNDER_COUNTRIES.contains(&rest))
        || HOSTING.contains(&name)
        // Regions and services of the largest of them: s3.eu-west-1.amazonaws.com.
        || name.ends_with(".amazonaws.com")
        || name.ends_with(".core.windows.net")
}

#[cfg(test)]
mod tests {
    use super::is_shared;

    #[test]
    fn registries_and_hosting_services_are_shared() {
        for name in [
            "com",
            "co.uk",
            "com.au",
            "github.io",
            "s3.amazonaws.com",
            "internal",
        ] {
            assert!(is_shared(name), "{name}");
        }
    }

    #[test]
    fn the_name_of_one_company_is_not() {
        for name in ["example.com", "api.example.co.uk", "openai.azure.com"] {
            assert!(!is_shared(name), "{name}");
        }
    }
}
