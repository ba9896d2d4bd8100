//! Addresses that must not be fetched from, as text and as sockets.
#![allow(clippy::unwrap_used)]

use cp_identity::fetch::{UrlFault, check_socket, check_url};

#[test]
fn addresses_as_text() {
    for (url, fault) in [
        ("https://cert.example.org/k1.pem", None),
        ("https://cert.example.org", None),
        ("HTTPS://Cert.Example.org:8443/a/b.pem", None),
        ("https://cert.example.org:443/k1.pem", None),
        ("https://xn--bcher-kva.example/k.pem", None),
        ("http://cert.example.org/k1.pem", Some(UrlFault::Scheme)),
        ("file:///etc/passwd", Some(UrlFault::Scheme)),
        ("ftp://cert.example.org/k", Some(UrlFault::Scheme)),
        ("javascript:alert(1)", Some(UrlFault::Scheme)),
        ("//cert.example.org/k", Some(UrlFault::Scheme)),
        ("", Some(UrlFault::Scheme)),
        ("https://user@cert.example.org/k", Some(UrlFault::UserInfo)),
        (
            "https://cert.example.org@127.0.0.1/k",
            Some(UrlFault::UserInfo),
        ),
        ("https://u:p@cert.example.org/k", Some(UrlFault::UserInfo)),
        ("https://cert.example.org:22/k1.pem", Some(UrlFault::Port)),
        ("https://cert.example.org:0443/k1.pem", Some(UrlFault::Port)),
        ("https://cert.example.org:/k1.pem", Some(UrlFault::Port)),
        ("https://cert.example.org:443:443/k", Some(UrlFault::Port)),
        ("https://cert.example.org/k1.pem?x=1", Some(UrlFault::Extra)),
        ("https://cert.example.org/k1.pem#f", Some(UrlFault::Extra)),
        ("https://cert.example.org/k1.pem;p=1", Some(UrlFault::Extra)),
        ("https://cert.example.org?x", Some(UrlFault::Extra)),
        ("https://cert.example.org;x/", Some(UrlFault::Extra)),
        ("https://127.0.0.1/k1.pem", Some(UrlFault::IpLiteral)),
        ("https://8.8.8.8/k1.pem", Some(UrlFault::IpLiteral)),
        ("https://[::1]/k1.pem", Some(UrlFault::IpLiteral)),
        (
            "https://[::ffff:10.0.0.1]/k1.pem",
            Some(UrlFault::IpLiteral),
        ),
        ("https://0x7f000001/k1.pem", Some(UrlFault::IpLiteral)),
        ("https://2130706433/k1.pem", Some(UrlFault::IpLiteral)),
        ("https://127.1/k1.pem", Some(UrlFault::IpLiteral)),
        ("https://0177.0.0.1/k1.pem", Some(UrlFault::IpLiteral)),
        ("https://0x7f.1/", Some(UrlFault::IpLiteral)),
        ("https://localhost/k", Some(UrlFault::Host)),
        ("https://a.localhost/k", Some(UrlFault::Host)),
        ("https://metadata.google.internal/k", Some(UrlFault::Host)),
        ("https://printer.local/k", Some(UrlFault::Host)),
        ("https://intranet/k", Some(UrlFault::Host)),
        ("https://cert.example.org./k", Some(UrlFault::IpLiteral)),
        ("https:///k", Some(UrlFault::IpLiteral)),
        ("https://.example.org/k", Some(UrlFault::Host)),
        ("https://-a.example/k", Some(UrlFault::Host)),
        ("https://a_b.example/k", Some(UrlFault::Host)),
        (
            "https://cert.example.org\\@evil.example/k",
            Some(UrlFault::Character),
        ),
        ("https://cert.example.org/ k", Some(UrlFault::Character)),
        (
            "https://cert.example.org/k\r\nHost: x",
            Some(UrlFault::Character),
        ),
        (
            "https://c\u{435}rt.example.org/k",
            Some(UrlFault::Character),
        ),
    ] {
        assert_eq!(check_url(url).err(), fault, "{url}");
    }
    let long = format!("https://cert.example.org/{}", "a".repeat(600));
    assert_eq!(check_url(&long).err(), Some(UrlFault::TooLong));
    let t = check_url("HTTPS://Cert.Example.org:8443/a/B.pem").unwrap();
    assert_eq!(
        (t.host.as_str(), t.port, t.path.as_str()),
        ("cert.example.org", 8443, "/a/B.pem")
    );
}

#[test]
fn sockets() {
    for (to, allowed) in [
        ("93.184.216.34:443", true),
        ("1.1.1.1:8443", true),
        ("[2606:2800:220:1::1]:443", true),
        ("[2002:0101:0101::1]:443", true),
        ("[64:ff9b::101:101]:443", true),
        ("[::ffff:1.1.1.1]:443", true),
        ("93.184.216.34:80", false),
        ("93.184.216.34:22", false),
        ("0.0.0.0:443", false),
        ("0.1.2.3:443", false),
        ("10.0.0.1:443", false),
        ("100.64.0.1:443", false),
        ("100.127.255.255:443", false),
        ("100.128.0.1:443", true),
        ("127.0.0.1:443", false),
        ("127.255.255.255:443", false),
        ("169.254.169.254:443", false),
        ("172.16.0.1:443", false),
        ("172.31.255.255:443", false),
        ("172.32.0.1:443", true),
        ("192.0.0.8:443", false),
        ("192.0.2.1:443", false),
        ("192.88.99.1:443", false),
        ("192.168.1.1:443", false),
        ("198.18.0.1:443", false),
        ("198.19.255.255:443", false),
        ("198.51.100.1:443", false),
        ("203.0.113.1:443", false),
        ("224.0.0.1:443", false),
        ("240.0.0.1:443", false),
        ("255.255.255.255:443", false),
        ("[::]:443", false),
        ("[::1]:443", false),
        ("[::7f00:1]:443", false),
        ("[::ffff:127.0.0.1]:443", false),
        ("[::ffff:10.0.0.1]:443", false),
        ("[::ffff:169.254.169.254]:443", false),
        ("[64:ff9b::7f00:1]:443", false),
        ("[64:ff9b::a9fe:a9fe]:443", false),
        ("[64:ff9b:1::1]:443", false),
        ("[2002:7f00:1::]:443", false),
        ("[2002:a00:1::1]:443", false),
        ("[100::1]:443", false),
        ("[2001::1]:443", false),
        ("[2001:2::1]:443", false),
        ("[2001:db8::1]:443", false),
        ("[3fff:1::1]:443", false),
        ("[5f00::1]:443", false),
        ("[fc00::1]:443", false),
        ("[fd12:3456::1]:443", false),
        ("[fe80::1]:443", false),
        ("[fec0::1]:443", false),
        ("[ff02::1]:443", false),
    ] {
        assert_eq!(check_socket(to.parse().unwrap()).is_ok(), allowed, "{to}");
    }
}
