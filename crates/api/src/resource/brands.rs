//! How a business shows itself when it calls, and the pictures it shows (S3.1).

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::auth::token;
use crate::crud::{self, Making, Resource};
use crate::extract::{Body, none_match, not_modified};
use crate::idempotency::{MaybeKey, replay};
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cp_store::{Edit, StoreError, StoreExt, Version, Versioned};
use cp_vocab::brand::{Brand, BrandIncentive, Picture, PictureKind};
use cp_vocab::{BrandId, Code, NumberId, PictureId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Pictures are small: phones show them at 256 pixels. Larger ones are refused with 413.
const PICTURE_BYTES_MAX: usize = 96 * 1_024;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrandInput {
    /// Shown as the caller.
    #[schema(min_length = 1, max_length = 35)]
    pub(crate) name: String,
    /// Why we call, in a few words.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub(crate) reason: String,
    #[serde(default)]
    #[schema(value_type = Option<published::PictureId>)]
    pub(crate) picture: Option<PictureId>,
    /// Address of a page with more. `{caller}`, `{called}`, `{ring}` and `{language}` are filled in
    /// for each call.
    #[serde(default)]
    #[schema(max_length = 1024)]
    pub(crate) link: String,
    #[serde(default)]
    pub(crate) incentive: Option<IncentiveInput>,
    /// Calls that leave with one of these as caller id carry the brand.
    #[schema(value_type = Vec<published::NumberId>, max_items = 1000)]
    pub(crate) numbers: Vec<NumberId>,
    #[serde(default)]
    pub(crate) disabled: bool,
}

/// Something for who answers; given out only once the call was accepted.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IncentiveInput {
    #[schema(min_length = 1, max_length = 120)]
    pub(crate) text: String,
    /// How many there are in all; none: as many as are wanted.
    #[serde(default)]
    pub(crate) stock: Option<u32>,
    #[serde(default, with = "cp_vocab::time::rfc3339_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) until: Option<Timestamp>,
}

pub(crate) struct Brands;

impl Resource for Brands {
    type Id = BrandId;
    type Row = Brand;
    type Input = BrandInput;
    const PATHS: (&'static str, &'static str) = ("/v1/brands", "/v1/brands/{id}");
    const IDS: [&'static str; 5] = [
        "listBrands",
        "createBrand",
        "getBrand",
        "changeBrand",
        "removeBrand",
    ];
    const TAG: &'static str = "Brands";
    const SCHEMA: &'static str = "Brand";
    const READ: &'static [Permission] = &[Permission::NumbersRead];
    const WRITE: &'static [Permission] = &[Permission::NumbersWrite];

    fn id(row: &Brand) -> BrandId {
        row.id
    }
    fn input(row: &Brand) -> BrandInput {
        let row = row.clone();
        BrandInput {
            name: row.name,
            reason: row.reason,
            picture: row.picture,
            link: row.link,
            incentive: row.incentive.map(|i| IncentiveInput {
                text: i.text,
                stock: i.stock,
                until: i.until,
            }),
            numbers: row.numbers,
            disabled: row.disabled,
        }
    }
    fn build(input: BrandInput, of: &Making<'_, BrandId, Brand>) -> Result<Brand, Vec<FieldError>> {
        let mut errors = Vec::new();
        let texts = [("/name", &input.name), ("/reason", &input.reason)];
        let offered = input
            .incentive
            .as_ref()
            .map(|i| ("/incentive/text", &i.text));
        for (pointer, text) in texts.into_iter().chain(offered) {
            if text.chars().any(char::is_control) {
                let detail = "a line of plain text, without control characters";
                errors.push(FieldError::new(pointer, "format", detail));
            }
        }
        if !input.link.is_empty() && !crate::push::link_is_sound(&input.link) {
            let detail = "an https address; {caller}, {called}, {ring} and {language} are filled in, not in the host";
            errors.push(FieldError::new("/link", "format", detail));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Brand {
            id: of.id,
            tenant: of.tenant,
            name: input.name,
            reason: input.reason,
            picture: input.picture,
            link: input.link,
            incentive: input.incentive.map(|i| BrandIncentive {
                text: i.text,
                stock: i.stock,
                until: i.until,
            }),
            numbers: input.numbers,
            disabled: input.disabled,
        })
    }
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PictureInput {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    /// PNG, JPEG or WebP in Base64, at most 96 KiB; phones show 256 by 256 pixels. Written only.
    #[serde(default, skip_serializing_if = "super::secret")]
    #[schema(max_length = 140000)]
    pub(crate) data: Option<String>,
    /// SHA-256 of the bytes: it is shown at `/pictures/{digest}`. Read only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 64)]
    pub(crate) digest: String,
}

pub(crate) struct Pictures;

impl Resource for Pictures {
    type Id = PictureId;
    type Row = Picture;
    type Input = PictureInput;
    const PATHS: (&'static str, &'static str) = ("/v1/pictures", "/v1/pictures/{id}");
    const IDS: [&'static str; 5] = [
        "listPictures",
        "createPicture",
        "getPicture",
        "changePicture",
        "removePicture",
    ];
    const TAG: &'static str = "Brands";
    const SCHEMA: &'static str = "Picture";
    const READ: &'static [Permission] = &[Permission::NumbersRead];
    const WRITE: &'static [Permission] = &[Permission::NumbersWrite];

    fn id(row: &Picture) -> PictureId {
        row.id
    }
    fn input(row: &Picture) -> PictureInput {
        PictureInput {
            name: row.name.clone(),
            data: None,
            digest: row.digest.clone(),
        }
    }
    /// Only the name changes: other bytes are another picture, since calls carry its digest.
    fn build(
        input: PictureInput,
        of: &Making<'_, PictureId, Picture>,
    ) -> Result<Picture, Vec<FieldError>> {
        let before = of.before.expect("pictures are made by their own operation");
        if input.data.is_some() {
            let detail = "a picture's bytes are settled when it is made; make another one";
            return Err(vec![FieldError::new("/data", "conflict", detail)]);
        }
        Ok(Picture {
            name: input.name,
            ..before.clone()
        })
    }
}

pub(super) fn add(api: &mut Api) {
    crud::add::<Brands>(api);
    crud::add_reading::<Pictures>(api);
    crud::add_changing::<Pictures>(api);
    crud::add_removing::<Pictures>(api);
    api.add(
        operation::post(
            "/v1/pictures",
            "createPicture",
            Pictures::TAG,
            "Make a picture",
        )
        .describe(
            "What it is, is told by its bytes. It can be seen by anybody who knows its address.",
        )
        .needs(Pictures::WRITE)
        .body::<PictureInput>()
        .idempotent_edit()
        .replies_row::<PictureInput>(201, Pictures::SCHEMA, "Made"),
        create,
    );
    api.add(
        operation::get(
            "/pictures/{digest}",
            "showPicture",
            Pictures::TAG,
            "Show a picture",
        )
        .open()
        .path_param(
            "digest",
            json!({ "type": "string", "minLength": 64, "maxLength": 64 }),
        )
        .content(200, "image/*", "The picture; it never changes"),
        show,
    );
}

async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    MaybeKey(idempotency): MaybeKey,
    Body(input): Body<PictureInput>,
) -> Reply {
    let fault = |code, detail: &str| Problem::invalid(vec![FieldError::new("/data", code, detail)]);
    let data = input.data.as_deref().unwrap_or_default();
    let bytes = STANDARD
        .decode(data)
        .map_err(|_| fault("format", "the picture's bytes in Base64"))?;
    if bytes.len() > PICTURE_BYTES_MAX {
        return Err(fault(
            "too_large",
            "at most 96 KiB; make it 256 by 256 pixels",
        ));
    }
    let kind = PictureKind::of(&bytes).ok_or_else(|| {
        fault(
            "format",
            "a PNG, JPEG or WebP picture; others are not shown by phones",
        )
    })?;
    match state.0.backend.scan(&bytes).await {
        Ok(None) => {}
        Ok(Some(_)) => return Err(fault("harmful", "a virus scanner found something in it")),
        Err(why) => return Err(Problem::new(Code::ScannerUnavailable, why)),
    }
    let now = state.now();
    let row = Picture {
        id: state.new_id(),
        tenant: caller.tenant,
        name: input.name,
        kind,
        digest: token::hex(&token::sha256(&bytes)),
        bytes: bytes.len() as u32,
    };
    let body = crud::view::<Pictures>(&Versioned {
        version: Version(1),
        created_at: now,
        updated_at: now,
        row: row.clone(),
    });
    let mut edit = Edit::new(caller.tenant, caller.actor(), now);
    edit.idempotency = idempotency.map(|k| k.keeping(crud::made_response(&body)));
    let made = state
        .edit(move |s| {
            // Bytes that no row names do no harm; a row without bytes would.
            s.picture_keep(&row.digest, bytes)?;
            Ok(s.create(edit, row))
        })
        .await?;
    crud::settle_snapshot::<Pictures>(&state, caller.tenant).await;
    match made {
        Ok(_) => Ok(crud::made("/v1/pictures", body)),
        Err(StoreError::AlreadyDone(kept)) => Ok(replay(*kept)),
        Err(e) => Err(e.into()),
    }
}

async fn show(
    State(state): State<ApiState>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Reply {
    let tag = HeaderValue::from_str(&format!("\"{digest}\""))
        .map_err(|_| Problem::not_found("picture"))?;
    let bytes = match state.0.backend.picture(&digest) {
        Some(bytes) => Some(bytes),
        None => state.store(move |s| s.picture_bytes(&digest)).await?,
    };
    let bytes = bytes.ok_or_else(|| Problem::not_found("picture"))?;
    if none_match(&headers, &tag) {
        return Ok(not_modified(tag));
    }
    let kind = PictureKind::of(&bytes).ok_or_else(|| Problem::not_found("picture"))?;
    let mut response = bytes.into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind.mime()));
    out.insert(header::ETAG, tag);
    out.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    Ok(response)
}
