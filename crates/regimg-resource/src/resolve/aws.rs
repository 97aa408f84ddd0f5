//! ECR: which of its registries, and whose keys or roles ask for its token.

use regimg_registry::{AwsKeys, Ecr, EcrConfig, EcrHost};

use crate::error::{During, Error};
use crate::protocol::Source;
use crate::report::Reporter;

use super::located::Located;
use super::{Settings, TEST_SILENCE, field, login};

const PUBLIC: &str = "public.ecr.aws";

/// What an error of this login begins with. Compat: upstream's words.
const PHASE: &str = "cannot authenticate with ECR";

/// A repository, and what its name says of where it is.
#[derive(Debug, PartialEq, Eq)]
enum Named<'a> {
    /// `app`, in the registry of the account that is meant.
    Path(&'a str),
    /// A whole name, in this private registry.
    Private(&'a str, EcrHost),
    /// A whole name, in the public registry.
    Public(&'a str),
}

impl<'a> Named<'a> {
    fn read(repository: &'a str) -> Self {
        let name = repository.strip_prefix("https://").unwrap_or(repository);
        let host = name.split_once('/').map_or("", |(host, _)| host);
        match EcrHost::parse(host) {
            Some(host) => Self::Private(name, host),
            None if host == PUBLIC => Self::Public(name),
            None => Self::Path(repository),
        }
    }
}

/// Says whether the source asks for a login to ECR.
pub(super) fn is_meant(source: &Source) -> bool {
    first_given(source).is_some()
}

/// Finds the registry of ECR that is meant. AWS is asked only where nothing says which.
///
/// # Errors
///
/// Fields that cannot be meant, and, if AWS is asked, whatever keeps it from answering.
pub(super) async fn locate(
    source: &Source,
    settings: &Settings,
    report: &Reporter,
) -> Result<Located, Error> {
    let named = Named::read(&source.repository);
    let config = config(source, &named, settings)?;
    // Before AWS is asked, which may fail for another reason.
    login::docker(source)?;
    warn(source, report);
    let ecr = Ecr::new(config).during(PHASE)?;
    let repository = match named {
        Named::Private(name, _) | Named::Public(name) => name.to_owned(),
        Named::Path(path) => {
            let host = if source.aws_account_id.is_empty() {
                ecr.home().await.during(PHASE)?
            } else {
                EcrHost::new(&source.aws_account_id, &source.aws_region).during(PHASE)?
            };
            format!("{host}/{path}")
        }
    };
    Ok(Located {
        repository,
        ecr: Some(ecr),
    })
}

fn config(source: &Source, named: &Named<'_>, settings: &Settings) -> Result<EcrConfig, Error> {
    refuse_white_space(source)?;
    if source.azure_acr {
        let given = first_given(source).unwrap_or("source.aws_region");
        let problem = format!("is given together with {given}: a registry is of one cloud");
        return Err(field("source.azure_acr", &problem));
    }
    match named {
        Named::Path(_) if source.aws_region.is_empty() => {
            let given = first_given(source).unwrap_or("source.aws_region");
            let problem = "is given without source.aws_region, and source.repository names no registry of ECR";
            return Err(field(given, problem));
        }
        Named::Private(_, host)
            if !source.aws_account_id.is_empty() && source.aws_account_id != host.account() =>
        {
            let account = host.account();
            let problem = format!("is another account than the {account} of source.repository");
            return Err(field("source.aws_account_id", &problem));
        }
        _ => {}
    }
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let mut config = EcrConfig::default();
    config.region = given(&source.aws_region);
    config.keys = keys(source)?;
    config.roles = roles(source)?;
    config.external_id = given(&source.aws_external_id);
    config.role_session_name = given(&source.aws_role_session_name);
    if config.roles.is_empty() {
        refuse_without_role(source)?;
    }
    config.registry_id = given(&source.aws_ecr_registry_id);
    config.variables = Some(settings.aws.0.clone());
    config.proxy = settings.proxy.clone();
    if let Some(interval) = settings.retry_interval {
        config.initial_interval = interval;
        config.attempt_timeout = TEST_SILENCE;
    }
    Ok(config)
}

fn keys(source: &Source) -> Result<Option<AwsKeys>, Error> {
    const ID: &str = "source.aws_access_key_id";
    const SECRET: &str = "source.aws_secret_access_key";
    let id = source.aws_access_key_id.as_str();
    let (secret, session) = (&source.aws_secret_access_key, &source.aws_session_token);
    match (id.is_empty(), secret.is_empty()) {
        (false, false) => {
            let mut keys = AwsKeys::new(id, secret.0.clone());
            keys.session_token = Some(&session.0).filter(|_| !session.is_empty()).cloned();
            Ok(Some(keys))
        }
        (false, true) => Err(field(ID, &format!("is given without {SECRET}"))),
        (true, false) => Err(field(SECRET, &format!("is given without {ID}"))),
        (true, true) if session.is_empty() => Ok(None),
        (true, true) => Err(field(
            "source.aws_session_token",
            &format!("is given without {ID}"),
        )),
    }
}

fn roles(source: &Source) -> Result<Vec<String>, Error> {
    match (
        source.aws_role_arn.as_str(),
        source.aws_role_arns.as_slice(),
    ) {
        ("", roles) => match roles.iter().position(String::is_empty) {
            None => Ok(roles.to_vec()),
            Some(position) => Err(field(
                "source.aws_role_arns",
                &format!("has nothing at position {}", position + 1),
            )),
        },
        (role, []) => Ok(vec![role.to_owned()]),
        // Compat: upstream's words.
        _ => Err("`aws_role_arn` cannot be set at the same time as `aws_role_arns`").during(PHASE),
    }
}

fn refuse_without_role(source: &Source) -> Result<(), Error> {
    let fields = [
        ("source.aws_external_id", &source.aws_external_id),
        (
            "source.aws_role_session_name",
            &source.aws_role_session_name,
        ),
    ];
    match fields.iter().find(|(_, text)| !text.is_empty()) {
        None => Ok(()),
        Some((name, _)) => Err(field(name, "is given without a role to assume")),
    }
}

/// A key with a line feed behind it, as `cat` and many a secret store give it, is refused by AWS
/// as an illegal header or a wrong signature.
fn refuse_white_space(source: &Source) -> Result<(), Error> {
    for (name, text) in fields(source) {
        if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return Err(field(
                name,
                "has white space in it, perhaps a line feed at its end",
            ));
        }
    }
    Ok(())
}

fn warn(source: &Source, report: &Reporter) {
    if !source.aws_ecr_registry_id.is_empty() {
        report.warn("source.aws_ecr_registry_id is deprecated: say source.aws_account_id");
    }
    if !source.username.is_empty() || !source.password.is_empty() {
        report
            .warn("source.username and source.password are not used: the aws_ fields say who asks");
    }
}

fn first_given(source: &Source) -> Option<&'static str> {
    let mut given = fields(source).filter(|(_, text)| !text.is_empty());
    given.next().map(|(name, _)| name)
}

/// Lists the fields of this login, the one first that says most clearly what is wanted.
fn fields(source: &Source) -> impl Iterator<Item = (&'static str, &str)> {
    let single = [
        ("source.aws_region", source.aws_region.as_str()),
        ("source.aws_access_key_id", &source.aws_access_key_id),
        (
            "source.aws_secret_access_key",
            source.aws_secret_access_key.0.expose(),
        ),
        (
            "source.aws_session_token",
            source.aws_session_token.0.expose(),
        ),
        ("source.aws_role_arn", &source.aws_role_arn),
        ("source.aws_account_id", &source.aws_account_id),
        ("source.aws_ecr_registry_id", &source.aws_ecr_registry_id),
        ("source.aws_external_id", &source.aws_external_id),
        (
            "source.aws_role_session_name",
            &source.aws_role_session_name,
        ),
    ];
    let roles = source.aws_role_arns.iter();
    single
        .into_iter()
        .chain(roles.map(|role| ("source.aws_role_arns", role.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_are_told_from_paths() {
        let private = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/team/app";
        let host = EcrHost::new("123456789012", "cn-north-1").unwrap();
        let cases = [
            (private.to_owned(), Named::Private(private, host.clone())),
            (format!("https://{private}"), Named::Private(private, host)),
            (
                "https://public.ecr.aws/nginx/nginx".to_owned(),
                Named::Public("public.ecr.aws/nginx/nginx"),
            ),
            ("app".to_owned(), Named::Path("app")),
            // A repository that caches another registry's.
            (
                "ghcr.io/team/app".to_owned(),
                Named::Path("ghcr.io/team/app"),
            ),
            (
                "https://ghcr.io/app".to_owned(),
                Named::Path("https://ghcr.io/app"),
            ),
        ];
        for (repository, expected) in cases {
            assert_eq!(Named::read(&repository), expected, "{repository}");
        }
    }
}
