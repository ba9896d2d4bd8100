//! Writes the OpenAPI document: `cargo run -p cp-api --example openapi > openapi.json`.

fn main() {
    print!("{}", cp_api::openapi_text());
}
