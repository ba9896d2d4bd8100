//! Recordings: list, read, hear (with ranges, so that players can seek).

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Id, PageView, Query};
use crate::interactions::view;
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use cp_vocab::id::TypedId;
use cp_vocab::{Code, InteractionId, RecordingId};
use std::io::SeekFrom;
use std::path::{Component, Path, PathBuf};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use utoipa::ToSchema;

const READ: &[Permission] = &[Permission::RecordingsRead];
/// Bytes read from disk at a time while a recording is sent.
const CHUNK_BYTES: u64 = 64 * 1024;

#[derive(ToSchema)]
#[schema(as = Recording)]
#[allow(dead_code)]
pub(crate) struct RecordingView {
    id: published::RecordingId,
    interaction: published::InteractionId,
    /// On the left channel.
    left: published::LegId,
    /// At the other end when it began: the right channel has all that the left side hears.
    right: Option<published::LegId>,
    #[schema(format = DateTime)]
    started_at: String,
    ended_at: Option<String>,
    duration_ms: Option<u64>,
    paused: bool,
    error: Option<String>,
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Recordings";
    api.add(
        operation::get(
            "/v1/recordings",
            "listRecordings",
            tag,
            "List recordings, newest first",
        )
        .needs(READ)
        .paged()
        .query(
            "interaction",
            crate::schema::id_schema("int"),
            "Of one interaction.",
        )
        .lists::<RecordingView>("A page"),
        list,
    );
    api.add(
        operation::get("/v1/recordings/{id}", "getRecording", tag, "One recording")
            .needs(READ)
            .path_id(RecordingId::PREFIX)
            .replies::<RecordingView>(200, "The recording"),
        read,
    );
    api.add(
        operation::get(
            "/v1/recordings/{id}/audio",
            "recordingAudio",
            tag,
            "Hear it",
        )
        .describe("WAV with a channel per side. Answers `Range`.")
        .audited()
        .needs(READ)
        .path_id(RecordingId::PREFIX)
        .header("Range", "One range of bytes.")
        .content(200, "audio/wav", "All of it")
        .content(206, "audio/wav", "The range"),
        audio,
    );
}

async fn list(State(state): State<ApiState>, caller: Caller, query: Query) -> Reply {
    let page = query.page();
    let of = query.id::<InteractionId>("interaction");
    query.finish()?;
    let tenant = caller.tenant;
    let rows = state
        .store(move |s| s.recordings(tenant, of, &page))
        .await?;
    let next = rows.next;
    let items: Vec<_> = rows.items.iter().map(view).collect();
    Ok(axum::Json(PageView { items, next }).into_response())
}

async fn read(State(state): State<ApiState>, caller: Caller, Id(id): Id<RecordingId>) -> Reply {
    let tenant = caller.tenant;
    let row = state.store(move |s| s.recording(tenant, id)).await?;
    Ok(axum::Json(view(&row)).into_response())
}

async fn audio(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RecordingId>,
    headers: HeaderMap,
) -> Reply {
    let tenant = caller.tenant;
    let row = state.store(move |s| s.recording(tenant, id)).await?;
    let gone = || Problem::new(Code::NotFound, "the recording's file is not here");
    let path = inside(&state.0.settings.recordings, &row.path).ok_or_else(gone)?;
    let mut file = File::open(&path).await.map_err(|_| gone())?;
    let length = file.metadata().await.map_err(|_| gone())?.len();
    let range = headers.get(header::RANGE).and_then(|v| v.to_str().ok());
    let (status, from, until) = match range.map(|r| parse_range(r, length)) {
        None | Some(Range::Ignored) => (StatusCode::OK, 0, length),
        Some(Range::Part(from, until)) => (StatusCode::PARTIAL_CONTENT, from, until),
        Some(Range::Unsatisfiable) => return Ok(unsatisfiable(length)),
    };
    file.seek(SeekFrom::Start(from)).await.map_err(|_| gone())?;
    let mut response = (status, Body::from_stream(chunks(file, until - from))).into_response();
    let out = response.headers_mut();
    out.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("audio/wav"),
    );
    out.insert(
        header::ACCEPT_RANGES,
        header::HeaderValue::from_static("bytes"),
    );
    out.insert(header::CONTENT_LENGTH, (until - from).into());
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {from}-{}/{length}", until - 1);
        out.insert(
            header::CONTENT_RANGE,
            text.parse().expect("digits are header text"),
        );
    }
    Ok(response)
}

fn unsatisfiable(length: u64) -> axum::response::Response {
    let problem = Problem::new(Code::BadRequest, "the range is beyond the end")
        .with_status(StatusCode::RANGE_NOT_SATISFIABLE);
    let mut response = problem.into_response();
    let text = format!("bytes */{length}");
    let value = text.parse().expect("digits are header text");
    response.headers_mut().insert(header::CONTENT_RANGE, value);
    response
}

/// The file below the recordings' folder; none for a path that would leave it.
pub(crate) fn inside(folder: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path);
    let plain = relative
        .components()
        .all(|c| matches!(c, Component::Normal(_)));
    (plain && !path.is_empty()).then(|| folder.join(relative))
}

#[derive(PartialEq, Eq, Debug)]
enum Range {
    /// From, and the first byte after.
    Part(u64, u64),
    Unsatisfiable,
    /// Several ranges or no range of bytes: all is sent (RFC 9110 14.2 lets us).
    Ignored,
}

fn parse_range(text: &str, length: u64) -> Range {
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
        return Range::Ignored;
    };
    let part = |from: u64, until: u64| match from < until.min(length) {
        true => Range::Part(from, until.min(length)),
        false => Range::Unsatisfiable,
    };
    match (from.trim().parse::<u64>(), to.trim().parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => part(from, to.saturating_add(1)),
        (Ok(from), Err(_)) if to.trim().is_empty() => part(from, length),
        (Err(_), Ok(last)) if from.trim().is_empty() => part(length.saturating_sub(last), length),
        _ => Range::Ignored,
    }
}

fn chunks(
    file: File,
    bytes: u64,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send {
    futures_util::stream::try_unfold((file, bytes), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut buffer = vec![0; left.min(CHUNK_BYTES) as usize];
        let read = file.read(&mut buffer).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        buffer.truncate(read);
        Ok(Some((Bytes::from(buffer), (file, left - read as u64))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let table = [
            ("bytes=0-9", Range::Part(0, 10)),
            ("bytes=90-", Range::Part(90, 100)),
            ("bytes=90-500", Range::Part(90, 100)),
            ("bytes=-5", Range::Part(95, 100)),
            ("bytes=-500", Range::Part(0, 100)),
            ("bytes=100-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=9-3", Range::Ignored),
            ("bytes=0-1,5-6", Range::Ignored),
            ("items=0-1", Range::Ignored),
        ];
        for (text, want) in table {
            assert_eq!(parse_range(text, 100), want, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Range::Unsatisfiable);
    }

    #[test]
    fn paths_stay_inside() {
        let folder = Path::new("/data/recordings");
        assert_eq!(
            inside(folder, "2026/a.wav"),
            Some("/data/recordings/2026/a.wav".into())
        );
        for out in ["../secret", "/etc/passwd", "a/../../b", "", "./a"] {
            assert_eq!(inside(folder, out), None, "{out}");
        }
    }
}
