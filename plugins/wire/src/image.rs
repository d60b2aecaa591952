//! Images, which the contract carries as URLs and vendors want in different clothes.

use polity_sdk::Problem;

use crate::invalid;

/// Where the pixels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image<'a> {
    /// In the request itself.
    Inline {
        /// For example `image/png`.
        media_type: &'a str,
        /// Base64.
        data: &'a str,
    },
    /// At an address that the vendor fetches.
    Link(&'a str),
}

impl<'a> Image<'a> {
    /// Reads the URL of an `image_url` content part.
    pub fn parse(url: &'a str) -> Result<Self, Problem> {
        if url.starts_with("https://") || url.starts_with("http://") {
            return Ok(Self::Link(url));
        }
        let inline = url
            .strip_prefix("data:")
            .and_then(|rest| rest.split_once(','));
        let Some((head, data)) = inline else {
            return Err(invalid("image_url takes an http(s) URL or a data: URL"));
        };
        match head.strip_suffix(";base64") {
            // Parameters such as `;charset=…` say nothing about pixels.
            Some(head) => {
                let media_type = head.split(';').next().unwrap_or(head);
                Ok(Self::Inline { media_type, data })
            }
            None => Err(invalid(
                "a data: URL of an image has to be base64: data:image/png;base64,…",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_url_is_split_into_type_and_pixels() {
        assert_eq!(
            Image::parse("data:image/png;name=a.png;base64,iVBO").unwrap(),
            Image::Inline {
                media_type: "image/png",
                data: "iVBO"
            }
        );
    }

    #[test]
    fn a_link_stays_a_link() {
        let url = "https://example.com/a.png";
        assert_eq!(Image::parse(url).unwrap(), Image::Link(url));
    }

    #[test]
    fn a_file_path_or_an_unencoded_image_is_refused() {
        for url in [
            "/etc/passwd",
            "file:///etc/passwd",
            "data:image/svg+xml,<svg/>",
            "data:",
        ] {
            assert_eq!(Image::parse(url).unwrap_err().code, "invalid", "{url}");
        }
    }
}
