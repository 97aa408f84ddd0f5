//! Referrers: what other artifacts say about a manifest.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use regimg_core::{Descriptor, Digest, Identifier, Index, Manifest, MediaType, RawManifest, Tag};
use url::Url;

use crate::auth::scope::Scope;
use crate::paging::Pages;
use crate::session::{Answer, Call, Lane};
use crate::transport::address;
use crate::{Error, ErrorKind, RepositoryClient};

/// Bytes of all pages of one list: a hundred thousand referrers.
const LIST_LIMIT: usize = 64 << 20;

impl RepositoryClient {
    /// Lists the manifests whose `subject` is this digest: signatures, bills of materials and the
    /// like, of one artifact type or of all.
    ///
    /// Asks the
    /// [referrers API](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers),
    /// and where there is none the tag that stands in for it, such as `sha256-0123…`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] for a list of more than 64 MiB, and every refusal that does not mean that the API is missing; that nothing refers to the
    /// manifest is no error.
    pub async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let listed = self.session().in_time(async {
            match self.by_api(subject, artifact_type).await? {
                Some(listed) => Ok(listed),
                None => self.by_tag(subject).await,
            }
        });
        let mut listed = listed.await?;
        // Whether the registry has filtered or not.
        listed.retain(|referrer| {
            artifact_type.is_none_or(|wanted| referrer.artifact_type.as_deref() == Some(wanted))
        });
        Ok(listed)
    }

    /// `None` when the registry does not know the API.
    async fn by_api(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        let mut url = self.url(&format!("referrers/{subject}")).await?;
        if let Some(wanted) = artifact_type {
            url.query_pairs_mut().append_pair("artifactType", wanted);
        }
        let config = self.session().transport().config();
        let mut pages = Pages::new("list of referrers", config.max_tag_pages, url);
        let (mut listed, mut bytes) = (Vec::new(), 0);
        while let Some(url) = pages.next()? {
            let answer = match self.page(url).await {
                Err(error) if is_unknown_api(&error) => return Ok(None),
                answer => answer?,
            };
            if !is_index(&answer) {
                return Ok(None);
            }
            bytes += answer.body.len();
            if bytes > LIST_LIMIT {
                let host = address::authority(&answer.url);
                let message =
                    format!("the list of referrers of {host} is longer than {LIST_LIMIT} bytes");
                return Err(Error::new(ErrorKind::TooLarge, message).at(&answer.url));
            }
            listed.extend(read(&answer)?.manifests);
            pages.learn(&answer.headers, &answer.url)?;
        }
        Ok(Some(listed))
    }

    async fn page(&self, url: Url) -> Result<Answer, Error> {
        let transport = self.session().transport();
        let mut request = transport.outgoing(Method::GET, url);
        let accepted = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");
        request.headers.insert(ACCEPT, accepted);
        let call = Call {
            request,
            scopes: vec![Scope::pull(self.path())],
            lane: Lane::Request,
        };
        let limit = transport.config().max_manifest_bytes;
        self.session().read(&call, &[StatusCode::OK], limit).await
    }

    /// The
    /// [tag schema](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema).
    async fn by_tag(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        let name = format!("{}-{}", subject.algorithm().as_str(), subject.hex());
        // A tag has 128 characters at most, which a sha512 digest fills alone.
        let name: String = name.chars().take(128).collect();
        let Ok(tag) = Tag::parse(&name) else {
            return Ok(Vec::new());
        };
        match self.fetch(&Identifier::Tag(tag)).await {
            Ok(answer) => Ok(read(&answer)?.manifests),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Registries that do not know the path say so by these; 403 and the like mean something else.
fn is_unknown_api(error: &Error) -> bool {
    matches!(error.status(), Some(400 | 404 | 405 | 406 | 501))
}

/// A web page with status 200 is what some hosts have for every path that they do not know.
fn is_index(answer: &Answer) -> bool {
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_owned();
    let stated = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    stated.is_some_and(|text| MediaType::new(&essence(text)) == MediaType::OCI_INDEX)
}

fn read(answer: &Answer) -> Result<Index, Error> {
    let manifest = RawManifest::new(Some(MediaType::OCI_INDEX), answer.body.clone());
    let error = || {
        let host = address::authority(&answer.url);
        let message = format!("the list of referrers of {host} is not understood");
        Error::new(ErrorKind::Protocol, message).at(&answer.url)
    };
    match manifest.parse() {
        Ok(Manifest::Index(index)) => Ok(index),
        Ok(Manifest::Image(_)) => Err(error()),
        Err(why) => Err(error().with_source(why)),
    }
}
