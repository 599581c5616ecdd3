//! The body of a request, whole, within the limits of its size and time.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http_body_util::{BodyExt, Limited};

use super::failure::{Code, Failure};
use super::limits::{BODY_BYTES_MAX, BODY_TIME_MAX};

/// A request's body.
pub struct Payload(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Payload, Failure> {
        let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
        match tokio::time::timeout(BODY_TIME_MAX, body).await {
            Ok(Ok(body)) => Ok(Payload(body.to_bytes())),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                let why = format!("The request is larger than {BODY_BYTES_MAX} bytes");
                Err(Failure::new(Code::TooLarge, why))
            }
            Ok(Err(error)) => Err(Failure::bad_request(format!("The request broke off: {error}"))),
            Err(_) => {
                let why = format!("The request did not come within {} s", BODY_TIME_MAX.as_secs());
                Err(Failure::new(Code::TooSlow, why))
            }
        }
    }
}
