//! Where the client goes, and where nobody gets it to go.

use crate::server::{client, config, name_server, ok, says, serve};
use cp_fetch::{Client, Config, Limits, Ports, Request};
use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

#[tokio::test]
async fn nobody_leads_it_to_a_special_address() {
    let server = says(HERE, ok("secret"));
    let port = server.addr.port();
    let names = [
        ("loopback.example", "127.0.0.1"),
        ("private.example", "10.0.0.1"),
        ("shared.example", "100.64.1.1"),
        ("metadata.example", "169.254.169.254"),
        ("six.example", "::1"),
        ("mapped.example", "::ffff:127.0.0.1"),
        ("nat64.example", "64:ff9b::7f00:1"),
        ("sixtofour.example", "2002:7f00:1::"),
        ("unique.example", "fd00:ec2::254"),
        ("multicast.example", "224.0.0.1"),
        ("nowhere.example", "0.0.0.0"),
    ];
    let client = client(&[], &names);
    let mut urls: Vec<String> = names
        .iter()
        .map(|(n, _)| format!("https://{n}:{port}/"))
        .collect();
    for literal in [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "169.254.169.254",
    ] {
        urls.push(format!("https://{literal}:{port}/"));
    }
    for url in urls {
        let request = Request::get(&url).ports(Ports::HttpsAndHigh);
        let error = client.fetch(request).await.unwrap_err();
        assert_eq!(error.code(), "fetch_address_refused", "{url}");
        assert!(error.is_refusal());
    }
    assert_eq!(server.connects(), 0);
}

#[tokio::test]
async fn its_own_address_is_refused() {
    let own = "93.184.215.14".parse().unwrap();
    let config = Config {
        own: vec![own],
        ..config(&[], &[("me.example", "93.184.215.14")])
    };
    let error = Client::new(config)
        .unwrap()
        .fetch(Request::get("https://me.example/"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "fetch_address_refused");
}

#[tokio::test]
async fn one_bad_address_spoils_the_name() {
    let server = says(HERE, ok("secret"));
    let (dns, _) = name_server(|_| vec![Ipv4Addr::new(1, 2, 3, 4), HERE]);
    let client = Client::new(Config {
        name_servers: vec![dns],
        ..Config::default()
    })
    .unwrap();
    let url = format!("https://two.example.com:{}/", server.addr.port());
    let request = Request::get(url).ports(Ports::HttpsAndHigh);
    let error = client.fetch(request).await.unwrap_err();
    assert_eq!(error.code(), "fetch_address_refused");
    assert_eq!(server.connects(), 0);
}

/// The first answer leads to a permitted address, every later one to loopback: what was checked is
/// what is connected to, and the name is asked once for each fetch.
#[tokio::test]
async fn a_name_that_changes_its_mind_gets_nowhere() {
    let good = Ipv4Addr::new(127, 0, 0, 2);
    let permitted = says(good, ok("fine"));
    let port = permitted.addr.port();
    let inside = std::net::TcpListener::bind((HERE, port)).unwrap();
    inside.set_nonblocking(true).unwrap();
    let (dns, asked) = name_server(move |n| vec![if n == 0 { good } else { HERE }]);
    let client = Client::new(Config {
        name_servers: vec![dns],
        ..config(&["127.0.0.2"], &[])
    })
    .unwrap();
    let url = permitted.url("rebind.example.com", "/");
    let first = client.fetch(Request::get(&url)).await.unwrap();
    assert_eq!(first.body, "fine");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let error = client.fetch(Request::get(&url)).await.unwrap_err();
    assert!(error.is_refusal(), "{error}");
    assert!(inside.accept().is_err(), "somebody connected to loopback");
}

#[tokio::test]
async fn redirects_are_followed_only_when_asked_and_checked_each_time() {
    let target = serve(HERE, |request, stream| {
        let body = if request.to_ascii_lowercase().contains("authorization") {
            "leaked"
        } else {
            "arrived"
        };
        let _ = stream.write_all(ok(body).as_bytes());
    });
    let there = target.url("there.example", "/x");
    let places = [
        ("/there".to_string(), there),
        (
            "/metadata".to_string(),
            "http://169.254.169.254/latest".into(),
        ),
        (
            "/metadata-tls".to_string(),
            "https://169.254.169.254/latest".into(),
        ),
        ("/file".to_string(), "file:///etc/passwd".into()),
        ("/loop".to_string(), "/loop".into()),
    ];
    let from = serve(HERE, move |request, stream| {
        let to = places
            .iter()
            .find(|(path, _)| request.split(' ').nth(1) == Some(path))
            .map_or("", |(_, to)| to);
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes());
    });
    let client = client(
        &["from.example", "there.example"],
        &[
            ("from.example", "127.0.0.1"),
            ("there.example", "127.0.0.1"),
        ],
    );
    let ask = |path: &str, redirects_max: u8| {
        let limits = Limits {
            redirects_max,
            ..Limits::default()
        };
        let request = Request::get(from.url("from.example", path))
            .header("authorization", "Bearer secret")
            .limits(limits);
        client.fetch(request)
    };
    assert_eq!(
        ask("/there", 0).await.unwrap_err().code(),
        "fetch_redirected"
    );
    assert_eq!(target.connects(), 0);
    assert_eq!(ask("/there", 1).await.unwrap().body, "arrived");
    assert_eq!(
        ask("/metadata", 3).await.unwrap_err().code(),
        "fetch_scheme"
    );
    let refused = ask("/metadata-tls", 3).await.unwrap_err();
    assert_eq!(refused.code(), "fetch_address_refused");
    assert!(ask("/file", 3).await.unwrap_err().is_refusal());
    let before = from.connects();
    assert_eq!(
        ask("/loop", 3).await.unwrap_err().code(),
        "fetch_redirected"
    );
    assert_eq!(from.connects() - before, 4);
    let post = Request::post(from.url("from.example", "/there")).limits(Limits {
        redirects_max: 3,
        ..Limits::default()
    });
    assert_eq!(
        client.fetch(post).await.unwrap_err().code(),
        "fetch_redirected"
    );
}

#[tokio::test]
async fn a_name_nobody_knows() {
    let (dns, _) = name_server(|_| vec![]);
    let client = Client::new(Config {
        name_servers: vec![dns],
        ..Config::default()
    })
    .unwrap();
    let request = Request::get("https://unknown.example.com/");
    let error = client.fetch(request).await.unwrap_err();
    assert_eq!(error.code(), "fetch_name_not_found");
    assert!(!error.is_refusal());
}

#[test]
fn allow_lists_are_read() {
    for (text, want) in [
        ("10.1.0.0/16", Some("10.1.0.0/16")),
        ("127.0.0.1", Some("127.0.0.1/32")),
        ("fd00::/8", Some("fd00::/8")),
        ("IdP.house.example", Some("idp.house.example")),
        ("localhost:8443", Some("localhost:8443")),
        ("10.0.0.0/33", None),
        ("host/8", None),
        ("https://host", None),
        ("", None),
    ] {
        let read = text.parse::<cp_fetch::Allowed>().ok();
        assert_eq!(read.map(|a| a.to_string()).as_deref(), want, "{text}");
    }
}
