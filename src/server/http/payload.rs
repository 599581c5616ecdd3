//! The body of a request, whole, within the limits of its size and time.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use http_body_util::{BodyExt, Limited};

use super::failure::{Code, Failure};
use super::limits::{BODY_BYTES_MAX, BODY_TIME_MAX};

/// A request's body.
pub struct Payload(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Payload, Failure> {
        read_body(request.into_body(), BODY_BYTES_MAX).await.map(Payload)
    }
}

/// All of a body, of at most so many bytes, if it comes in time.
pub async fn read_body(body: Body, bytes_max: usize) -> Result<Bytes, Failure> {
    match tokio::time::timeout(BODY_TIME_MAX, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Failure::new(Code::TooLarge, format!("The request is larger than {bytes_max} bytes")))
        }
        Ok(Err(error)) => Err(Failure::bad_request(format!("The request broke off: {error}"))),
        Err(_) => {
            let why = format!("The request did not come within {} s", BODY_TIME_MAX.as_secs());
            Err(Failure::new(Code::TooSlow, why))
        }
    }
}
