//! GET /ws/query: the rows of a query as frames of a WebSocket: first the columns, then a frame a row, last why they end.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State as Shared;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::mpsc;

use super::access::Role;
use super::entity::schema;
use super::failure::Failure;
use super::format::put_row;
use super::limits::CHUNKS_MAX;
use super::query::{register, run};
use super::request::Request;
use super::state::{Registered, State, blocking};
use crate::engine::shown::text_of;
use crate::engine::{Row, RowEvent, RowStream};

/// Of a client's frames; it has nothing to say but that it goes.
const FRAME_BYTES_MAX: usize = 64 << 10;

pub async fn query(
    Shared(state): Shared<Arc<State>>,
    Extension(_): Extension<Role>,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    let request = match request_of(&uri) {
        Ok(request) => request,
        Err(failure) => return failure.into_response(),
    };
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .on_upgrade(move |socket| async move { serve(state, request, socket).await })
}

/// The request in the query of the address, as JSON.
fn request_of(uri: &Uri) -> Result<Request, Failure> {
    let query = uri.query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    match pairs.find(|(name, _)| name == "request") {
        Some((_, request)) => Request::read(request.as_bytes()),
        None => Err(Failure::bad_request("The parameter 'request' is missing")),
    }
}

/// What goes to the client.
enum Frame {
    Text(String),
    /// The last: why it ends.
    Close(u16, &'static str),
}

async fn serve(state: Arc<State>, request: Request, mut socket: WebSocket) {
    let (sender, mut frames) = mpsc::channel(CHUNKS_MAX);
    let begun = blocking(move || {
        let (mut stream, parsed) = run(&state, &request)?;
        let registered = register(&state, &mut stream, &parsed)?;
        Ok::<_, Failure>((stream, registered))
    });
    let running = match begun.await.map_err(|error| Failure::of(&error)).and_then(|begun| begun) {
        Ok((stream, registered)) => {
            let running = registered.as_ref().map(|registered| registered.running.clone());
            tokio::task::spawn_blocking(move || pump(&stream, registered, &sender));
            running
        }
        Err(failure) => {
            let _ = socket.send(Message::Text(failure.body().to_string().into())).await;
            return close(socket, close_code::INVALID, "the query failed").await;
        }
    };
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(Frame::Text(text)) => {
                    if socket.send(Message::Text(text.into())).await.is_err() {
                        break;
                    }
                }
                Some(Frame::Close(code, why)) => return close(socket, code, why).await,
                None => return close(socket, close_code::NORMAL, "done").await,
            },
            // Pings are answered by the socket itself; whatever else a client says changes nothing.
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    // The client is gone.
    if let Some(running) = running {
        running.end();
    }
}

async fn close(mut socket: WebSocket, code: u16, why: &'static str) {
    // A client that is gone needs no farewell.
    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: why.into() }))).await;
}

/// Gives the frames of a query until it ends or the client is gone.
fn pump(stream: &RowStream, _registered: Option<Registered>, to: &mpsc::Sender<Frame>) {
    let columns: Vec<_> =
        stream.columns.iter().map(|column| json!({"name": column.name, "schema": schema(&column.ty)})).collect();
    let mut open = to.blocking_send(Frame::Text(json!(columns).to_string())).is_ok();
    while open {
        let frames = match stream.events.recv() {
            Ok(RowEvent::Rows(rows)) => rows.iter().map(|row| Frame::Text(row_text(row))).collect(),
            Ok(RowEvent::Line(line)) => vec![Frame::Text(text_of(&line).unwrap_or(line))],
            Ok(RowEvent::Warning(_)) => Vec::new(),
            Ok(RowEvent::End(message)) => {
                vec![
                    Frame::Text(json!({"finalMessage": message}).to_string()),
                    Frame::Close(close_code::NORMAL, "done"),
                ]
            }
            Ok(RowEvent::Failed(error)) => vec![
                Frame::Text(Failure::of(&error).body().to_string()),
                Frame::Close(close_code::ERROR, "the query failed"),
            ],
            Err(_) => vec![Frame::Close(close_code::AWAY, "the query was ended")],
        };
        for frame in frames {
            let last = matches!(frame, Frame::Close(..));
            open = to.blocking_send(frame).is_ok() && !last;
            if !open {
                break;
            }
        }
    }
}

fn row_text(row: &Row) -> String {
    let mut out = String::new();
    put_row(row, &mut out);
    out
}
