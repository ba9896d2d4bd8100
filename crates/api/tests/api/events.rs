//! The event socket: resume without loss or repeats, slow readers, who sees what, leases.

use crate::client::Client;
use crate::world::World;
use cp_vocab::id::TypedId;
use cp_vocab::{Event, InteractionId, LegId, Pii, PlaybackId};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

pub(crate) type Socket = WebSocketStream<TcpStream>;

pub(crate) async fn connect(client: &Client, query: &str) -> Result<Socket, u16> {
    let addr = client.addr.unwrap();
    let mut request = format!("ws://{addr}/v1/events{query}")
        .into_client_request()
        .unwrap();
    for (name, value) in &client.headers {
        let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(addr).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(e) => panic!("{e}"),
    }
}

pub(crate) async fn next(socket: &mut Socket) -> Value {
    let message = tokio::time::timeout(Duration::from_secs(20), socket.next());
    match message
        .await
        .expect("a frame in time")
        .expect("open")
        .expect("sound")
    {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        Message::Close(frame) => serde_json::json!({ "closed": frame.map(|f| u16::from(f.code)) }),
        other => panic!("{other:?}"),
    }
}

/// Events until `n` of them were seen; control frames pass by.
pub(crate) async fn events(socket: &mut Socket, n: usize) -> Vec<Value> {
    let mut seen = Vec::new();
    while seen.len() < n {
        let frame = next(socket).await;
        assert!(frame.get("closed").is_none(), "{frame}");
        if frame.get("control").is_none() {
            seen.push(frame);
        }
    }
    seen
}

fn prompt(i: usize) -> Event {
    Event::PromptStarted {
        leg: LegId::from_u128(1),
        playback: PlaybackId::from_u128(i as u128),
        what: format!("prompt {i} {}", "x".repeat(300)),
    }
}

fn call(n: u128) -> InteractionId {
    InteractionId::from_u128(0xC0FFEE + n)
}

#[tokio::test]
async fn a_cut_socket_resumes_without_loss_or_repeats() {
    let w = World::new().await;
    let supervisor = w.as_role(&w.alpha, "supervisor").await;
    let mut socket = connect(&supervisor, "").await.unwrap();
    let hello = next(&mut socket).await;
    assert_eq!(hello["control"], "hello");
    let mut cursor = hello["cursor"].as_str().unwrap().to_string();
    let mut ids = vec![];
    let mut sent = 0;
    for round in 0..5 {
        // Some while connected, some while cut; another tenant's in between.
        w.append(
            &w.alpha,
            call(0),
            (0..10).map(|i| prompt(sent + i)).collect(),
        )
        .await;
        w.append(&w.beta, call(1), vec![prompt(0)]).await;
        for event in events(&mut socket, 5 + round).await {
            cursor = event["cursor"].as_str().unwrap().to_string();
            ids.push(event["id"].as_str().unwrap().to_string());
        }
        drop(socket);
        w.append(
            &w.alpha,
            call(0),
            (10..17).map(|i| prompt(sent + i)).collect(),
        )
        .await;
        sent += 17;
        socket = connect(&supervisor, &format!("?cursor={cursor}"))
            .await
            .unwrap();
    }
    let rest = events(&mut socket, sent - ids.len()).await;
    ids.extend(rest.iter().map(|e| e["id"].as_str().unwrap().to_string()));
    let want: Vec<String> = (1..=sent).map(|i| format!("{}/{i}", call(0))).collect();
    assert_eq!(ids, want);
    assert_eq!(rest[0]["type"], "prompt.started");
    assert_eq!(rest[0]["specversion"], "1.0");
}

#[tokio::test]
async fn a_slow_reader_loses_nothing_and_holds_nobody_up() {
    let w = World::new().await;
    let supervisor = w.as_role(&w.alpha, "supervisor").await;
    let mut slow = connect(&supervisor, "").await.unwrap();
    let mut quick = connect(&supervisor, "").await.unwrap();
    // Far more than the ring and the kernel's buffers hold, unread by the slow one.
    const EVENTS: usize = 12_000;
    let head = w.store_head();
    for batch in 0..24 {
        let made = (0..EVENTS / 24).map(|i| prompt(batch * 500 + i)).collect();
        w.append(&w.alpha, call(2), made).await;
    }
    let seen = events(&mut quick, EVENTS).await;
    assert_eq!(seen.last().unwrap()["sequence"], EVENTS);
    let seen = events(&mut slow, EVENTS).await;
    let cursors: Vec<u64> = seen
        .iter()
        .map(|e| e["cursor"].as_str().unwrap().parse().unwrap())
        .collect();
    let want: Vec<u64> = (head + 1..=head + EVENTS as u64).collect();
    assert_eq!(cursors, want);
}

#[tokio::test]
async fn an_agent_follows_only_what_concerns_them() {
    let w = World::new().await;
    let agent = w.as_role(&w.alpha, "agent").await;
    let mut socket = connect(&agent, "").await.unwrap();
    next(&mut socket).await;
    w.append(&w.alpha, call(3), vec![prompt(1), prompt(2)])
        .await;
    w.append(&w.alpha, call(4), vec![prompt(1)]).await;
    let offer = Event::OfferMade {
        offer: cp_vocab::OfferId::from_u128(8),
        agent: w.alpha.agent,
        queue: None,
        deadline: cp_vocab::Timestamp::from_secs(1_767_000_020),
        explain: String::new(),
    };
    w.append(&w.alpha, call(3), vec![offer, prompt(4)]).await;
    // The interaction of before the socket is the agent's too: found by looking it up.
    w.append(&w.alpha, w.alpha.interaction, vec![prompt(5)])
        .await;
    let seen = events(&mut socket, 3).await;
    let ids: Vec<&str> = seen.iter().map(|e| e["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            format!("{}/3", call(3)),
            format!("{}/4", call(3)),
            format!("{}/6", w.alpha.interaction)
        ]
    );
    assert_eq!(seen[0]["data"]["deadline"], "2025-12-29T09:20:20.000Z");
}

#[tokio::test]
async fn the_desktop_holds_a_lease_and_a_lost_socket_ends_it() {
    let w = World::new().await;
    let agent = w.as_role(&w.alpha, "agent").await;
    let mut socket = connect(&agent, "").await.unwrap();
    next(&mut socket).await;
    socket
        .send(Message::text(r#"{"control":"heartbeat"}"#))
        .await
        .unwrap();
    let beat = next(&mut socket).await;
    assert_eq!(beat["control"], "heartbeat");
    assert!(beat["cursor"].is_string());
    let beats = w.engine.commands_of("heartbeat");
    assert_eq!(beats.len(), 2, "at the start and when heard");
    assert_eq!(
        beats[0].actor,
        cp_vocab::command::Actor::Agent(w.alpha.agent)
    );
    drop(socket);
    // A reload comes back in time: nothing ends.
    let mut socket = connect(&agent, "").await.unwrap();
    next(&mut socket).await;
    drop(socket);
    let mut count = w.engine.count.subscribe();
    let ended = count.wait_for(|_| !w.engine.commands_of("end_session").is_empty());
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
    ended.expect("the session ends").unwrap();
    assert_eq!(w.engine.commands_of("end_session").len(), 1);
}

#[tokio::test]
async fn strangers_foreign_pages_and_nonsense_are_kept_out() {
    let w = World::new().await;
    assert_eq!(connect(&w.client, "").await.err(), Some(401));
    let agent = w.as_role(&w.alpha, "agent").await;
    assert_eq!(connect(&agent, "?cursor=yesterday").await.err(), Some(400));
    let foreign = agent.with("origin", "https://evil.example");
    assert_eq!(connect(&foreign, "").await.err(), Some(403));
    agent.get("/v1/events").await.problem(400);
    let mut socket = connect(&agent, "").await.unwrap();
    next(&mut socket).await;
    socket
        .send(Message::text("{\"control\":\"destroy\"}"))
        .await
        .unwrap();
    assert_eq!(next(&mut socket).await["closed"], 1008);
    let mut socket = connect(&agent, "?cursor=999999999").await.unwrap();
    let hello = next(&mut socket).await;
    assert_ne!(
        hello["cursor"], "999999999",
        "a cursor beyond the log starts at its end"
    );
    socket
        .send(Message::text("x".repeat(10_000)))
        .await
        .unwrap();
    let end = tokio::time::timeout(Duration::from_secs(20), socket.next())
        .await
        .expect("in time");
    assert!(!matches!(end, Some(Ok(Message::Text(_)))), "{end:?}");
}

#[tokio::test]
async fn tabs_of_one_session_are_limited() {
    let w = World::new().await;
    let agent = w.as_role(&w.alpha, "agent").await;
    let mut open = vec![];
    let mut refused = None;
    for _ in 0..20 {
        match connect(&agent, "").await {
            Ok(mut socket) => {
                next(&mut socket).await;
                open.push(socket);
            }
            Err(status) => {
                refused = Some(status);
                break;
            }
        }
    }
    assert_eq!((open.len(), refused), (16, Some(429)));
}

impl World {
    fn store_head(&self) -> u64 {
        use cp_store::Store;
        self.store.head().unwrap()
    }
}

/// Keeps the import honest: addresses of people are marked as such in what is sent to the log.
#[test]
fn personal_data_is_not_printed() {
    assert_eq!(format!("{:?}", Pii("+15551234567")), "‹pii›");
}

#[tokio::test]
async fn a_crowd_of_silent_sockets_keeps_nobody_out() {
    let w = World::new().await;
    let agent = w.as_role(&w.alpha, "agent").await;
    let mut socket = connect(&agent, "").await.unwrap();
    next(&mut socket).await;
    let mut crowd = vec![];
    for _ in 0..600 {
        crowd.push(TcpStream::connect(w.client.addr.unwrap()).await.unwrap());
    }
    assert_eq!(
        agent.get("/v1/live").await.status,
        200,
        "the next request is served"
    );
    w.append(&w.alpha, w.alpha.interaction, vec![prompt(1)])
        .await;
    assert_eq!(
        events(&mut socket, 1).await.len(),
        1,
        "who proved themselves stays"
    );
    // The oldest of the crowd was let go.
    let mut byte = [0u8; 1];
    let read = tokio::io::AsyncReadExt::read(&mut crowd[0], &mut byte);
    let read = tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .expect("closed");
    assert!(matches!(read, Ok(0) | Err(_)));
}
