//! Provisioning by SCIM as identity systems do it, and what they may not.

use crate::client::{Answer, Client};
use crate::world::{World, domain};
use serde_json::{Value, json};

const USERS: &str = "/scim/v2/Users";
const GROUPS: &str = "/scim/v2/Groups";

/// A key that may provision agents and supervisors.
async fn provisioner(w: &World) -> Client {
    let admin = w.as_role(&w.alpha, "administrator").await;
    let key = json!({ "name": "IdP", "scopes": ["scim:manage"], "roles": ["agent", "supervisor"] });
    let key = admin.post("/v1/api-keys", key).await.expect(201);
    w.client.bearer(key["secret"].as_str().unwrap())
}

async fn send(c: &Client, method: &str, path: &str, body: Value) -> Answer {
    let c = c.with("content-type", "application/scim+json");
    c.send(method, path, body.to_string().as_bytes()).await
}

/// The status and `scimType` of an error.
#[track_caller]
fn refused(answer: Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    let status = answer.status;
    let body = answer.json();
    assert_eq!(body["status"], status.to_string());
    assert_eq!(
        body["schemas"][0],
        "urn:ietf:params:scim:api:messages:2.0:Error"
    );
    (
        status,
        body["scimType"].as_str().unwrap_or_default().to_string(),
    )
}

#[tokio::test]
async fn a_person_from_hiring_to_leaving() {
    let w = World::new().await;
    let idp = provisioner(&w).await;
    let new = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann@example.com",
        "externalId": "00u1", "name": { "givenName": "Ann", "familyName": "Example" }, "active": true,
        "password": "correct horse", "emails": [{ "value": "ann@example.com", "primary": true }], "title": "Lead" });
    let made = send(&idp, "POST", USERS, new.clone()).await;
    let location = made.header("location").unwrap().to_string();
    let made = made.expect(201);
    let id = made["id"].as_str().unwrap().to_string();
    assert_eq!(location, format!("{USERS}/{id}"));
    assert_eq!(
        (&made["displayName"], &made["active"], &made["groups"]),
        (&json!("Ann Example"), &json!(true), &json!([]))
    );
    assert!(!made.to_string().contains("password"));
    assert_eq!(
        refused(send(&idp, "POST", USERS, new).await),
        (409, "uniqueness".into())
    );

    // Found as identity systems look.
    for filter in [
        "userName%20eq%20%22ANN%40example.com%22",
        "externalId%20eq%20%2200u1%22",
    ] {
        let found = idp
            .get(&format!("{USERS}?filter={filter}"))
            .await
            .expect(200);
        assert_eq!(
            (&found["totalResults"], &found["Resources"][0]["id"]),
            (&json!(1), &json!(id)),
            "{filter}"
        );
    }
    let page = idp
        .get(&format!("{USERS}?startIndex=2&count=2"))
        .await
        .expect(200);
    assert_eq!(
        (
            &page["totalResults"],
            &page["itemsPerPage"],
            &page["startIndex"]
        ),
        (&json!(4), &json!(2), &json!(2))
    );
    assert_eq!(
        refused(
            idp.get(&format!("{USERS}?filter=title%20co%20%22a%22"))
                .await
        ),
        (400, "invalidFilter".into())
    );

    // A group is a role.
    let join = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "Add", "path": "members", "value": [{ "value": id }] }] });
    let group = send(&idp, "PATCH", &format!("{GROUPS}/agent"), join)
        .await
        .expect(200);
    assert!(
        group["members"]
            .as_array()
            .unwrap()
            .iter()
            .any(|m| m["value"] == id.as_str())
    );
    let body = json!({ "login": "ann@example.com", "password": "correct horse", "tenant": domain("alpha"), "kind": "token" });
    let ann = w
        .client
        .post("/v1/sessions", body.clone())
        .await
        .expect(201);
    assert_eq!(ann["roles"], json!(["agent"]));
    let ann = w.client.bearer(ann["token"].as_str().unwrap());
    ann.get("/v1/queues").await.expect(200);

    // Deactivated, in the spelling of one that sends words: signed out at once and kept out.
    let path = format!("{USERS}/{id}");
    let off = |value: Value| json!({ "Operations": [{ "op": "Replace", "path": "active", "value": value }] });
    let gone = send(&idp, "PATCH", &path, off(json!("False")))
        .await
        .expect(200);
    assert_eq!(gone["active"], false);
    ann.get("/v1/queues").await.problem(401);
    w.client
        .post("/v1/sessions", body.clone())
        .await
        .problem(401);
    send(&idp, "PATCH", &path, off(json!(true)))
        .await
        .expect(200);
    w.client.post("/v1/sessions", body).await.expect(201);
    assert_eq!(
        refused(send(&idp, "PATCH", &path, off(json!("maybe"))).await),
        (400, "invalidValue".into())
    );

    // Replaced whole, then gone.
    let whole = json!({ "userName": "ann.b@example.com", "displayName": "Ann B", "active": true });
    let after = send(&idp, "PUT", &path, whole).await.expect(200);
    assert_eq!(
        (&after["userName"], after.get("externalId")),
        (&json!("ann.b@example.com"), None)
    );
    assert_eq!(send(&idp, "DELETE", &path, json!({})).await.status, 204);
    assert_eq!(refused(idp.get(&path).await).0, 404);
}

#[tokio::test]
async fn the_provisioner_gives_no_more_than_it_may() {
    let w = World::new().await;
    let idp = provisioner(&w).await;
    let made = send(&idp, "POST", USERS, json!({ "userName": "bob" }))
        .await
        .expect(201);
    let member = |id: &str| json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": id }] }] });
    let bob = made["id"].as_str().unwrap();
    send(&idp, "PATCH", &format!("{GROUPS}/supervisor"), member(bob))
        .await
        .expect(200);
    let boss = w.alpha.admin_user.to_string();
    let table = [
        ("PATCH", format!("{GROUPS}/administrator"), member(bob)),
        ("PATCH", format!("{GROUPS}/operator"), member(bob)),
        // Nor reaches above itself.
        (
            "PATCH",
            format!("{USERS}/{boss}"),
            json!({ "Operations": [{ "op": "replace", "path": "password", "value": "a new password" }] }),
        ),
        (
            "PATCH",
            format!("{USERS}/{boss}"),
            json!({ "Operations": [{ "op": "replace", "value": { "active": false } }] }),
        ),
        (
            "PUT",
            format!("{GROUPS}/administrator"),
            json!({ "displayName": "administrator", "members": [] }),
        ),
        ("DELETE", format!("{USERS}/{boss}"), json!({})),
    ];
    for (method, path, body) in table {
        let answer = send(&idp, method, &path, body).await;
        assert_eq!(refused(answer).0, 403, "{method} {path}");
    }
    // Without the scope, and in another tenant, nothing.
    let agent = w.as_role(&w.alpha, "agent").await;
    agent.get(USERS).await.problem(403);
    let foreign = w.beta.agent_user.to_string();
    assert_eq!(refused(idp.get(&format!("{USERS}/{foreign}")).await).0, 404);
    assert_eq!(
        refused(send(&idp, "PATCH", &format!("{GROUPS}/agent"), member(&foreign)).await),
        (400, "invalidValue".into())
    );
    assert_eq!(
        refused(
            idp.get(&format!("{GROUPS}/{}", w.beta.by_prefix["rol"]))
                .await
        )
        .0,
        404
    );
    assert!(!idp.get(USERS).await.text().contains(&foreign));
    // The last administrator stays, whoever asks.
    let admin = w.as_role(&w.alpha, "administrator").await;
    let empty = send(
        &admin,
        "PUT",
        &format!("{GROUPS}/administrator"),
        json!({ "members": [] }),
    )
    .await;
    assert_eq!(refused(empty).0, 409);
}

#[tokio::test]
async fn groups_are_roles() {
    let w = World::new().await;
    let idp = provisioner(&w).await;
    let made = send(
        &idp,
        "POST",
        GROUPS,
        json!({ "displayName": "Night shift", "members": [{ "value": w.alpha.agent_user }] }),
    )
    .await
    .expect(201);
    let path = format!("{GROUPS}/{}", made["id"].as_str().unwrap());
    assert_eq!(made["members"].as_array().unwrap().len(), 1);
    // It allows nothing until an administrator says what.
    let admin = w.as_role(&w.alpha, "administrator").await;
    let role = admin
        .get(&format!("/v1/roles/{}", made["id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(role["permissions"], json!([]));
    let found = idp
        .get(&format!(
            "{GROUPS}?filter=displayName%20eq%20%22night%20shift%22"
        ))
        .await
        .expect(200);
    assert_eq!(found["totalResults"], 1);
    let leave = json!({ "Operations": [{ "op": "remove", "path": format!("members[value eq \"{}\"]", w.alpha.agent_user) }] });
    assert_eq!(
        send(&idp, "PATCH", &path, leave).await.expect(200)["members"],
        json!([])
    );
    assert_eq!(send(&idp, "DELETE", &path, json!({})).await.status, 204);
    assert_eq!(
        refused(send(&idp, "DELETE", &format!("{GROUPS}/agent"), json!({})).await),
        (400, "mutability".into())
    );
    for bad in [json!({}), json!({ "displayName": "Agent" }), json!([])] {
        assert_eq!(refused(send(&idp, "POST", GROUPS, bad).await).0, 400);
    }
    for what in ["ServiceProviderConfig", "ResourceTypes", "Schemas"] {
        idp.get(&format!("/scim/v2/{what}")).await.expect(200);
    }
}
