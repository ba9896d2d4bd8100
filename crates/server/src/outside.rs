//! What asks identity providers over HTTP, through the one guarded client.

use cp_api::Outside;
use cp_fetch::{Client, Ports, Request};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// The client as the API knows it.
pub(crate) struct Fetching(pub(crate) Client);

impl Outside for Fetching {
    fn get<'a>(
        &'a self,
        url: &'a str,
        authorization: Option<String>,
    ) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        async move {
            let mut request = Request::get(url)
                .ports(Ports::HttpsAndHigh)
                .header("accept", "application/json");
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let response = self.0.fetch(request).await.map_err(|e| e.to_string())?;
            if response.is_success() {
                Ok(response.body.to_vec())
            } else {
                Err(format!("answered {}", response.status))
            }
        }
        .boxed()
    }

    fn post_form<'a>(
        &'a self,
        url: &'a str,
        authorization: Option<String>,
        form: String,
    ) -> BoxFuture<'a, Result<(u16, Vec<u8>), String>> {
        async move {
            let mut request = Request::post(url)
                .ports(Ports::HttpsAndHigh)
                .header("accept", "application/json")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form);
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let response = self.0.fetch(request).await.map_err(|e| e.to_string())?;
            Ok((response.status, response.body.to_vec()))
        }
        .boxed()
    }
}
