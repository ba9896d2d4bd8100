//! Names of header fields: an open set. The names we look at are an enum, so that a lookup is one
//! array access; every other field keeps its name and bytes and is found by [`HeaderName::Other`]
//! together with the name as written.

/// Longest name in the table below; a longer one is `Other` without a comparison.
const NAME_LEN_MAX: usize = 24;
/// Names of one length that the table may hold; checked when the table is built, at compile time.
const BUCKET: usize = 12;

macro_rules! header_names {
    ($($variant:ident $text:literal $($compact:literal)?;)*) => {
        /// A header field name known to us, or `Other`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum HeaderName { $($variant,)* Other }

        const NAMES: &[(HeaderName, &str)] = &[$((HeaderName::$variant, $text),)*];

        impl HeaderName {
            /// How many there are, `Other` included.
            pub const COUNT: usize = NAMES.len() + 1;

            /// The compact form of RFC 3261 7.3.3 and of later registrations.
            const fn from_compact(letter: u8) -> Self {
                match letter {
                    $($($compact => Self::$variant,)?)*
                    _ => Self::Other,
                }
            }
        }
    };
}

header_names! {
    Via "Via" b'v';
    From "From" b'f';
    To "To" b't';
    CallId "Call-ID" b'i';
    CSeq "CSeq";
    MaxForwards "Max-Forwards";
    Contact "Contact" b'm';
    Route "Route";
    RecordRoute "Record-Route";
    ContentLength "Content-Length" b'l';
    ContentType "Content-Type" b'c';
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding" b'e';
    ContentLanguage "Content-Language";
    Accept "Accept";
    AcceptContact "Accept-Contact" b'a';
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    AlertInfo "Alert-Info";
    Allow "Allow";
    AllowEvents "Allow-Events" b'u';
    AuthenticationInfo "Authentication-Info";
    Authorization "Authorization";
    CallInfo "Call-Info";
    Date "Date";
    Diversion "Diversion";
    ErrorInfo "Error-Info";
    Event "Event" b'o';
    Expires "Expires";
    FlowTimer "Flow-Timer";
    Geolocation "Geolocation";
    GeolocationError "Geolocation-Error";
    GeolocationRouting "Geolocation-Routing";
    HistoryInfo "History-Info";
    Identity "Identity" b'y';
    InReplyTo "In-Reply-To";
    Join "Join";
    MimeVersion "MIME-Version";
    MinExpires "Min-Expires";
    MinSe "Min-SE";
    Organization "Organization";
    PAccessNetworkInfo "P-Access-Network-Info";
    PAssertedIdentity "P-Asserted-Identity";
    PChargingVector "P-Charging-Vector";
    PEarlyMedia "P-Early-Media";
    PPreferredIdentity "P-Preferred-Identity";
    Path "Path";
    Priority "Priority";
    Privacy "Privacy";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
    ProxyRequire "Proxy-Require";
    RAck "RAck";
    RSeq "RSeq";
    Reason "Reason";
    ReferSub "Refer-Sub";
    ReferTo "Refer-To" b'r';
    ReferredBy "Referred-By" b'b';
    RejectContact "Reject-Contact" b'j';
    Replaces "Replaces";
    ReplyTo "Reply-To";
    RequestDisposition "Request-Disposition" b'd';
    Require "Require";
    ResourcePriority "Resource-Priority";
    RetryAfter "Retry-After";
    Server "Server";
    ServiceRoute "Service-Route";
    SessionExpires "Session-Expires" b'x';
    SessionId "Session-ID";
    SipEtag "SIP-ETag";
    SipIfMatch "SIP-If-Match";
    Subject "Subject" b's';
    SubscriptionState "Subscription-State";
    Supported "Supported" b'k';
    TargetDialog "Target-Dialog";
    Timestamp "Timestamp";
    Unsupported "Unsupported";
    UserAgent "User-Agent";
    UserToUser "User-to-User";
    Warning "Warning";
    WwwAuthenticate "WWW-Authenticate";
}

/// Indexes into `NAMES` by length of the name; 0xff ends a row.
const BY_LEN: [[u8; BUCKET]; NAME_LEN_MAX + 1] = {
    let mut table = [[0xff_u8; BUCKET]; NAME_LEN_MAX + 1];
    let mut i = 0;
    while i < NAMES.len() {
        let len = NAMES[i].1.len();
        let mut slot = 0;
        while table[len][slot] != 0xff {
            slot += 1;
        }
        // The last slot stays free, so that every row has its end.
        assert!(slot < BUCKET - 1);
        table[len][slot] = i as u8;
        i += 1;
    }
    table
};

impl HeaderName {
    /// The name for the bytes before the colon, compact forms included, in any case.
    pub fn from_bytes(name: &[u8]) -> Self {
        if name.len() == 1 {
            return Self::from_compact(name[0].to_ascii_lowercase());
        }
        let Some(row) = BY_LEN.get(name.len()) else {
            return Self::Other;
        };
        for &i in row {
            let Some((header, text)) = NAMES.get(i as usize) else {
                break;
            };
            let text = text.as_bytes();
            // Last letters differ more often than first ones among names of one length.
            if (text[text.len() - 1] ^ name[name.len() - 1]) & 0xdf == 0
                && text.eq_ignore_ascii_case(name)
            {
                return *header;
            }
        }
        Self::Other
    }

    /// The name as we write it; empty for `Other`.
    pub fn as_str(self) -> &'static str {
        NAMES.get(self as usize).map_or("", |(_, text)| text)
    }

    /// Whether a message may carry the field once only (RFC 3261 7.3.1: no comma-separated list form).
    pub fn is_single(self) -> bool {
        matches!(
            self,
            Self::From
                | Self::To
                | Self::CallId
                | Self::CSeq
                | Self::MaxForwards
                | Self::ContentLength
                | Self::ContentType
                | Self::Expires
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_prints_itself() {
        for (header, text) in NAMES {
            assert_eq!(HeaderName::from_bytes(text.as_bytes()), *header);
            assert_eq!(
                HeaderName::from_bytes(text.to_uppercase().as_bytes()),
                *header
            );
            assert_eq!(
                HeaderName::from_bytes(text.to_lowercase().as_bytes()),
                *header
            );
            assert_eq!(header.as_str(), *text);
        }
    }

    #[test]
    fn compact_forms_and_strangers() {
        for (name, header) in [
            ("v", HeaderName::Via),
            ("I", HeaderName::CallId),
            ("l", HeaderName::ContentLength),
            ("x", HeaderName::SessionExpires),
            ("y", HeaderName::Identity),
            ("z", HeaderName::Other),
            ("", HeaderName::Other),
            ("X-Anything", HeaderName::Other),
            ("Call-I\u{c4}", HeaderName::Other),
            (
                "A-Name-That-Is-Longer-Than-Any-We-Know-Of",
                HeaderName::Other,
            ),
        ] {
            assert_eq!(HeaderName::from_bytes(name.as_bytes()), header, "{name}");
        }
        assert_eq!(HeaderName::Other.as_str(), "");
    }
}
