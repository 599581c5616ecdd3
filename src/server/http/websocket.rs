//! GET /ws/query: the rows of a query as frames of a WebSocket: first the columns, then a frame a row, last why they end.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State as Shared;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::access::Role;
use super::cut::{Cut, give_up_slow};
use super::entity::schema;
use super::failure::Failure;
use super::format::put_row;
use super::query::{register, run};
use super::request::Request;
use super::state::{State, blocking};
use crate::engine::shown::text_of;
use crate::engine::{Events, ResultColumn, Row, RowEvent};

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

async fn serve(state: Arc<State>, request: Request, mut socket: WebSocket) {
    let shared = state.clone();
    let begun = blocking(move || {
        let (mut stream, parsed, admitted) = run(&state, &request)?;
        let registered = register(&state, &mut stream, &parsed)?;
        Ok::<_, Failure>((stream, registered, admitted))
    });
    let (stream, registered, _admitted) = match begun.await.map_err(|error| Failure::of(&error)).and_then(|begun| begun)
    {
        Ok(begun) => begun,
        Err(failure) => {
            let _ = socket.send(Message::Text(failure.body().to_string().into())).await;
            return close(socket, close_code::INVALID, "the query failed").await;
        }
    };
    let (cut, alive) = (Cut::default(), Arc::new(()));
    if registered.is_some() {
        give_up_slow(&stream.events, &shared, Some(cut.clone()), &alive);
    }
    // The client is gone, or takes nothing: the query ends with its rows.
    tokio::select! {
        () = rows(&stream.columns, &stream.events, socket) => {}
        () = cut.told() => {}
    }
}

/// Gives the frames of a query until it ends or the client is gone.
async fn rows(columns: &[ResultColumn], events: &Events, mut socket: WebSocket) {
    let columns: Vec<_> =
        columns.iter().map(|column| json!({"name": column.name, "schema": schema(&column.ty)})).collect();
    if !say(&mut socket, json!(columns).to_string()).await {
        return;
    }
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            // Pings are answered by the socket itself; whatever else a client says changes nothing.
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        let goes_on = match event {
            Some(RowEvent::Rows(rows)) => {
                let mut taken = true;
                for row in &rows {
                    taken = taken && say(&mut socket, row_text(row)).await;
                }
                taken
            }
            Some(RowEvent::Line(line)) => say(&mut socket, text_of(&line).unwrap_or(line)).await,
            Some(RowEvent::Warning(_)) => true,
            Some(RowEvent::End(message)) => {
                say(&mut socket, json!({"finalMessage": message}).to_string()).await;
                return close(socket, close_code::NORMAL, "done").await;
            }
            Some(RowEvent::Failed(error)) => {
                say(&mut socket, Failure::of(&error).body().to_string()).await;
                return close(socket, close_code::ERROR, "the query failed").await;
            }
            None => return close(socket, close_code::AWAY, "the query was ended").await,
        };
        if !goes_on {
            return;
        }
    }
}

/// False: the client is gone.
async fn say(socket: &mut WebSocket, text: String) -> bool {
    socket.send(Message::Text(text.into())).await.is_ok()
}

async fn close(mut socket: WebSocket, code: u16, why: &'static str) {
    // A client that is gone needs no farewell.
    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: why.into() }))).await;
}

fn row_text(row: &Row) -> String {
    let mut out = String::new();
    put_row(row, &mut out);
    out
}
