//! The login at a server: Basic and Digest (RFC 7616, RFC 7617).

use std::fmt;

use catalog::RtspSource;
use http_auth::{PasswordClient, PasswordParams};

use crate::error::Error;

/// The user and the password, and the server's last challenge.
pub(crate) struct Login {
    known: Option<(String, String)>,
    challenge: Option<PasswordClient>,
}

/// Shows nothing, because the login contains a password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

impl Login {
    /// The login of a source.
    pub(crate) fn of(source: &RtspSource) -> Self {
        let known = source
            .user()
            .map(|user| (user.to_owned(), source.password().unwrap_or_default().to_owned()));
        Self { known, challenge: None }
    }

    /// Stores the challenges of a 401, from WWW-Authenticate.
    pub(crate) fn challenged(&mut self, challenges: &str) -> Result<(), Error> {
        if self.known.is_none() {
            return Err(Error::WantsPassword);
        }
        let challenge = PasswordClient::try_from(challenges);
        self.challenge = Some(challenge.map_err(|_| Error::StrangeAuthentication)?);
        Ok(())
    }

    /// The Authorization header of a request; `None` before the first challenge.
    pub(crate) fn header(&mut self, method: &str, uri: &str) -> Result<Option<String>, Error> {
        let (Some((username, password)), Some(challenge)) = (&self.known, &mut self.challenge)
        else {
            return Ok(None);
        };
        let params = PasswordParams { username, password, uri, method, body: Some(&[]) };
        challenge.respond(&params).map(Some).map_err(|_| Error::StrangeAuthentication)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn login(url: &str) -> Login {
        Login::of(&RtspSource::try_from(url.to_owned()).unwrap())
    }

    fn answer(url: &str, challenges: &str) -> Result<Option<String>, Error> {
        let mut login = login(url);
        assert_eq!(login.header("DESCRIBE", "rtsp://cam/"), Ok(None));
        login.challenged(challenges)?;
        login.header("DESCRIBE", "rtsp://cam/")
    }

    #[test]
    fn the_strongest_challenge_is_answered() {
        let basic = r#"Basic realm="cam""#;
        let known = "rtsp://Aladdin:open%20sesame@cam/";
        assert_eq!(answer(known, basic).unwrap().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let digest = format!(r#"{basic}, Digest realm="cam", nonce="b0", algorithm=MD5"#);
        let header = answer(known, &digest).unwrap().unwrap();
        assert!(header.starts_with(r#"Digest username="Aladdin", realm="cam", uri="rtsp://cam/""#));
        // MD5(MD5(Aladdin:cam:open sesame):b0:MD5(DESCRIBE:rtsp://cam/)), by md5sum.
        assert!(header.contains("response=\"859ea963ca5bb3899639ae3f7cf24f2b\""), "{header}");
        let sha = r#"Digest realm="cam", nonce="b0", algorithm=SHA-256"#;
        let header = answer(known, sha).unwrap().unwrap();
        // The same by sha256sum.
        let response = "783d3a4c32f7c3cb00cb8b2287f5874b72945b2a13c498bcc725a33b9372a671";
        assert!(header.contains(&format!("response=\"{response}\"")), "{header}");
        let sha = r#"Digest realm="cam", nonce="b0", algorithm=SHA-256, qop="auth""#;
        let header = answer(known, sha).unwrap().unwrap();
        assert!(header.contains("algorithm=SHA-256") && header.contains("qop=auth"), "{header}");
    }

    #[test]
    fn a_challenge_without_an_answer_is_an_error() {
        let basic = r#"Basic realm="cam""#;
        assert_eq!(answer("rtsp://cam/", basic), Err(Error::WantsPassword));
        for strange in ["", "Kerberos", "Digest nonce=", "\"", "Digest realm=\"x\""] {
            let answer = answer("rtsp://u:p@cam/", strange);
            assert_eq!(answer, Err(Error::StrangeAuthentication), "{strange}");
        }
    }

    #[test]
    fn nothing_shows_the_password() {
        assert_eq!(format!("{:?}", login("rtsp://u:secret@cam/")), "Login");
    }

    /// A parameter of a challenge, often a known one.
    fn parameter() -> impl Strategy<Value = String> {
        let name = "realm|nonce|qop|algorithm|opaque|stale|charset|userhash|domain|[a-z]{0,3}";
        let value = "MD5|SHA-256|SHA-512-256|MD5-sess|auth|auth-int|auth,auth-int|true|\\PC{0,8}";
        (name, value, any::<bool>()).prop_map(|(name, value, quoted)| {
            if quoted { format!("{name}=\"{value}\"") } else { format!("{name}={value}") }
        })
    }

    proptest! {
        #[test]
        fn any_challenge_is_answered_or_refused(
            scheme in "Basic |Digest |Digest|basic, Digest |\\PC{0,6}",
            parameters in prop::collection::vec(parameter(), 0..6),
        ) {
            let challenge = format!("{scheme}{}", parameters.join(", "));
            if let Ok(Some(header)) = answer("rtsp://u:p@cam/", &challenge) {
                prop_assert!(!header.contains(['\r', '\n']), "{header}");
            }
        }
    }
}
